/** The log of `yodel serve`: its formats, its levels, and the line at the end of a session. */
import { expect, test } from 'vitest';
import { handlerFile, temporaryFile } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { type RunningServer, type RunOptions, serve, yodel } from '../../support/process/command.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');
const json = { env: { YODEL_LOG_FORMAT: 'json' } };

/** Throws, ends its session, or echoes, as the message asks. */
const handler = `export default (message, session) => {
  if (message.text === 'fail') throw new Error('as asked');
  if (message.text === 'close') return session.close();
  if (message.text === 'abort') return session.abort();
  return message;
};`;

/** Sends a message, and waits until the server has logged the end of the session. */
async function serveOneClient(server: RunningServer, message: string): Promise<void> {
  const peer = await dial(server.port);
  await peer.send(message);
  peer.end();
  await peer.closed;
  await server.saw(
    new RegExp(`127\\.0\\.0\\.1:${peer.port}\\b.*(closed|refused)|closed.*:${peer.port}"|handler failed`),
  );
}

async function eventsOf(server: RunningServer): Promise<Record<string, unknown>[]> {
  const { stdout } = await server.stop();
  const lines = stdout.toString().split('\n').filter(Boolean);
  return lines.map((line) => JSON.parse(line) as Record<string, unknown>);
}

const text = /^\d\d:\d\d:\d\d\.\d\d\d \S+#1 connected\n/;
const object = /^\{"level":"info","time":"[^"]+","event":"listening","address":"tcp:[^"]+"\}\n/;

const formats: [what: string, args: readonly string[], options: RunOptions, expected: RegExp][] = [
  ['in a pipe the log is JSON', [], { env: { YODEL_LOG_FORMAT: undefined } }, object],
  ['with --log-format text it is text', ['--log-format', 'text'], { env: { YODEL_LOG_FORMAT: undefined } }, text],
  ['with YODEL_LOG_FORMAT=text it is text', [], { env: { YODEL_LOG_FORMAT: 'text' } }, text],
  ['a flag overrides the environment', ['--log-format', 'auto'], { env: { YODEL_LOG_FORMAT: 'text' } }, object],
  ['--json overrides the environment', ['--json'], { env: { YODEL_LOG_FORMAT: 'text' } }, object],
  ['--json overrides --log-format', ['--log-format', 'text', '--json'], {}, object],
];

for (const [what, args, options, expected] of formats) {
  test(what, async () => {
    const server = await serve(args, options);
    await serveOneClient(server, 'hello\n');
    expect((await server.stop()).stdout.toString()).toMatch(expected);
  });
}

test('a settings file can set format and level, and flags override its "json"', async () => {
  const file = temporaryFile('yodel.toml', 'logFormat = "json"\nlogLevel = "warn"\njson = true\n');
  const nothing = { env: { YODEL_LOG_FORMAT: undefined } };
  const quiet = await serve(['--config', file], nothing);
  await (await dial(quiet.port)).ask('hello');
  expect((await quiet.stop()).stdout.toString()).toBe('');
  const server = await serve(['--config', file, '--log-format', 'text', '--log-level', 'info'], nothing);
  await serveOneClient(server, 'hello\n');
  expect((await server.stop()).stdout.toString()).toMatch(text);
});

tmux('on a terminal the log is text, or JSON when requested', async () => {
  for (const flag of ['', '--log-format json']) {
    const terminal = new Terminal({ width: 200 });
    terminal.enter(`yodel serve --listen 127.0.0.1:0 ${flag}`);
    const [, port] = await terminal.sees(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
    await (await dial(Number(port))).ask('hello');
    await terminal.sees(flag === '' ? /#1 5 B hello$/ : /"bytes":5,"text":"hello"\}$/);
  }
});

const wanted = {
  info: ['listening', 'connected', 'message', 'discarded', 'handler-failed', 'closed', 'closed', 'refused'],
  warn: ['discarded', 'handler-failed', 'closed', 'refused'],
  error: ['handler-failed'],
};

for (const [level, events] of Object.entries(wanted)) {
  test(`with --log-level ${level} the log has lines of: ${[...new Set(events)].join(', ')}`, async () => {
    const limits = ['--max-message', '10', '--on-too-long', 'discard', '--max-connections', '1'];
    const server = await serve([handlerFile(handler), ...limits, '--log-level', level], json);
    const first = await dial(server.port);
    await first.send('hello\n');
    await first.saw(/hello\n/);
    const second = await dial(server.port);
    await second.ended;
    second.end();
    first.end();
    await first.closed;
    const third = await dial(server.port);
    await third.send('much too long for it\nfail\n');
    await third.ended;
    third.end();
    await third.closed;
    const told = await eventsOf(server);
    const levels = new Map(
      told.map(({ event, level: gravity, code }) => [code ? `${event} by error` : event, gravity]),
    );
    const shown = [...new Set(told.map(({ event }) => event))].filter((event) => event !== 'draining').sort();
    expect(shown).toEqual([...new Set(events)].sort());
    expect(levels.get('handler-failed')).toBe('error');
    if (level !== 'error') {
      for (const name of ['refused', 'discarded', 'closed']) expect(levels.get(`${name} by error`), name).toBe('warn');
    }
    expect(levels.get('closed')).toBe(level === 'info' ? 'info' : undefined);
    expect(levels.get('connected')).toBe(level === 'info' ? 'info' : undefined);
  });
}

test('the level applies to text too', async () => {
  const server = await serve(['--max-message', '10', '--log-level', 'warn']);
  await serveOneClient(server, 'much too long for it\n');
  await (await dial(server.port)).ask('hello');
  const { stdout } = await server.stop();
  expect(stdout.toString()).toMatch(/^\S+ \S+#1 closed after [^\n]*: message 1 is longer than [^\n]*\n$/);
});

test('the line at the end of a session has its duration, its counts and the reason', async () => {
  const server = await serve([handlerFile(handler), '--max-messages', '2'], json);
  for (const message of ['hello\n', 'close\n', 'abort\n', 'a\nb\n', 'fail\n', '\xff']) {
    await serveOneClient(server, message);
  }
  const last = await dial(server.port);
  await last.ask('waiting');
  const ends = (await eventsOf(server)).filter(({ event }) => event === 'closed');
  expect(ends.map(({ reason }) => reason)).toEqual([
    'peer',
    'handler',
    'handler',
    'limit',
    'YODEL_HANDLER_FAILED',
    'peer',
    'shutdown',
  ]);
  expect(ends[4]).toMatchObject({ level: 'warn', code: 'YODEL_HANDLER_FAILED', error: expect.any(String) });
  const { durationMs, ...first } = ends[0] as { durationMs: number };
  expect(durationMs).toBeGreaterThanOrEqual(0);
  expect(durationMs).toBeLessThan(60_000);
  expect(first).toMatchObject({ messagesReceived: 1, messagesSent: 1, bytesReceived: 6, bytesSent: 6 });
});

test('a message that its receiver cannot express is logged and counted, and changes nothing else', async () => {
  const file = handlerFile('export default (message, session) => { session.send("two\\nlines"); return message; };');
  const problem = 'the message contains a line feed at offset 3';
  for (const format of ['text', 'json']) {
    const server = await serve([file, '--log-format', format, '--log-level', 'warn', '--metrics', '127.0.0.1:0']);
    const { stdout } = await yodel(['connect', server.address], { input: 'a\n' });
    expect(stdout.toString()).toBe('a\n');
    if (format === 'text') await server.saw(new RegExp(`#1 not delivered: ${problem}`));
    else {
      const fields = `"event":"undelivered","session":1,"peer":"[^"]+","code":"YODEL_UNENCODABLE_MESSAGE","error":"${problem}`;
      await server.saw(new RegExp(`^\\{"level":"warn",.*${fields}`, 'm'));
    }
    const [, url = ''] = await server.saw(/metrics at (\S+\/metrics)/);
    const metrics = await (await fetch(url)).text();
    expect(metrics).toMatch(/^yodel_messages_undelivered_total 1$/m);
  }
});
