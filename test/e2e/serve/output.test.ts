import { expect, test } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve } from '../../support/process/command.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');
const time = String.raw`\d\d:\d\d:\d\d\.\d\d\d`;

/** Connects, sends each message and waits for its echo, and ends. */
async function serveOneClient(port: number, ...messages: (string | Uint8Array)[]): Promise<void> {
  const peer = await dial(port);
  let expected = 0;
  for (const message of messages) {
    await peer.send(message);
    expected += Buffer.byteLength(message);
    await peer.sawBytes(expected);
  }
  peer.end();
  await peer.ended;
}

test('serve prints one line for a connection, for each message, and for the end', async () => {
  const server = await serve();
  await serveOneClient(server.port, 'hello\n', 'grüezi\r\n');
  await server.saw(/closed after/);
  const { stdout, stderr, status } = await server.stop();
  const lines = stdout.toString().trimEnd().split('\n');
  expect(lines).toHaveLength(4);
  const peer = String.raw`127\.0\.0\.1:\d+#1`;
  expect(lines[0]).toMatch(new RegExp(`^${time} ${peer} connected$`));
  expect(lines[1]).toMatch(new RegExp(`^${time} ${peer} 5 B hello$`));
  expect(lines[2]).toMatch(new RegExp(`^${time} ${peer} 7 B grüezi$`));
  expect(lines[3]).toMatch(
    new RegExp(
      String.raw`^${time} ${peer} closed after \d+(\.\d+)? m?s, 2 messages \(15 B\) in, 2 \(15 B\) out: the peer ended it$`,
    ),
  );
  expect(stderr).toBe(`yodel: listening on ${server.address}\n`);
  expect(status).toBe(0);
});

test('with --json each output line is an object, and bytes that are not text are base64', async () => {
  const server = await serve(['--json', '--encoding', 'binary']);
  await serveOneClient(server.port, 'hello\n', Uint8Array.of(0xff, 0x00, 0xfe, 0x0a));
  await server.saw(/"event":"closed"/);
  const { stdout, status } = await server.stop();
  const events = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const told = { level: 'info', time: expect.any(String) };
  const common = { ...told, session: 1, peer: expect.stringMatching(/^127\.0\.0\.1:\d+$/) };
  const counts = { messagesReceived: 2, messagesSent: 2, bytesReceived: 10, bytesSent: 10 };
  expect(events).toEqual([
    { event: 'listening', ...told, address: server.address },
    { event: 'connected', ...common },
    { event: 'message', ...common, bytes: 5, text: 'hello' },
    { event: 'message', ...common, bytes: 3, base64: '/wD+' },
    { event: 'closed', ...common, durationMs: expect.any(Number), ...counts, reason: 'peer' },
    { event: 'draining', ...told, sessions: 0 },
  ]);
  for (const { time } of events) expect(new Date(time).toISOString()).toBe(time);
  expect(status).toBe(0);
});

test('with --quiet only the address is printed, on stderr', async () => {
  const server = await serve(['--quiet']);
  await serveOneClient(server.port, 'hello\n');
  const { stdout, stderr } = await server.stop();
  expect(stdout.toString()).toBe('');
  expect(stderr.replace(/^yodel: draining 1 connection.*\n/m, '')).toBe(`yodel: listening on ${server.address}\n`);
});

test('with --no-messages connections are printed, and messages are not', async () => {
  const server = await serve(['--no-messages']);
  await serveOneClient(server.port, 'a secret\n');
  await server.saw(/closed after/);
  const { stdout } = await server.stop();
  expect(stdout.toString()).toMatch(
    /^\S+ \S+ connected\n\S+ \S+ closed after [^\n]+, 1 message \(9 B\) in, 1 \(9 B\) out: the peer ended it\n$/,
  );
});

test('a long message is printed truncated, with the size of the rest', async () => {
  const server = await serve();
  await serveOneClient(server.port, `${'é'.repeat(1000)}\n`);
  await server.saw(/closed after/);
  expect(server.stdout()).toContain(`2000 B ${'é'.repeat(512)} … 976 B more\n`);
});

const dangerous = {
  'an escape sequence': '\x1b[31mred\x1b[0m',
  'a terminal title': '\x1b]0;pwned\x07',
  'a C1 control': '\u009b31m\u0085next',
  'a text direction': '\u202etxt.exe\u2066\u061c',
  'a carriage return': 'good\rbad',
  'a backspace, a NUL and a delete': 'a\bb\0c\x7f',
  'an invisible character': 'a\u200bb\ufeffc\u2028d',
};
const harmful = /[^\P{C}\n]|[\u2028\u2029]/u;

for (const [what, text] of Object.entries(dangerous)) {
  test(`${what} that a client sends is escaped in the log, as text and as JSON`, async () => {
    for (const flag of ['--no-json', '--json']) {
      const server = await serve(flag === '--json' ? [flag] : []);
      await serveOneClient(server.port, `${text}\n`);
      await server.saw(/closed/);
      const { stdout } = await server.stop();
      expect(stdout.toString()).not.toMatch(harmful);
      if (flag !== '--json') continue;
      const events = stdout
        .toString()
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line));
      expect(events.find(({ event }) => event === 'message').text).toBe(text);
    }
  });
}

test('errors of a handler are escaped too, because they may contain the text of a client', async () => {
  const handler = handlerFile('export default (message) => { throw new Error(`no such command: ${message.text}`); };');
  const server = await serve([handler]);
  const peer = await dial(server.port);
  await peer.send('\x1b]0;pwned\x07 \u202e\n');
  await peer.ended;
  peer.end();
  const { stdout, stderr } = await server.stop();
  expect(stderr).toContain('no such command: \\x1b]0;pwned\\x07 \\u202e');
  expect(stdout.toString() + stderr).not.toMatch(harmful);
});

tmux('the log has colours on a terminal, unless NO_COLOR is set', async () => {
  for (const noColor of ['', '1']) {
    const terminal = new Terminal();
    terminal.enter(`${noColor && 'NO_COLOR=1 '}yodel serve --listen 127.0.0.1:0`);
    const [, port] = await terminal.sees(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
    await serveOneClient(Number(port), 'hello\n');
    await terminal.sees(/closed after/);
    const sequence = '\x1b[';
    if (noColor) expect(terminal.screen({ styles: true })).not.toContain(sequence);
    else expect(terminal.screen({ styles: true })).toContain(sequence);
    terminal.press('C-c');
    await terminal.sees(/\^C\n\$$/);
  }
});

test('the log has no colours in a pipe', async () => {
  const server = await serve([], { env: { FORCE_COLOR: '1', TERM: 'xterm-256color' } });
  await serveOneClient(server.port, 'hello\n');
  await server.saw(/closed after/);
  expect(server.stdout()).not.toContain('\x1b');
});
