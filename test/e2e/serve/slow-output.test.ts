import { execFileSync } from 'node:child_process';
import { closeSync, createReadStream, openSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, start } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

/** 20 MB of log: more than a pipe, a terminal and the server buffer. */
const messageCount = 20_000;
const message = `${'x'.repeat(999)}\n`;

/** Sends the messages and checks their echoes. */
async function exchangeMany(port: number): Promise<void> {
  const peer = await dial(port);
  const batch = message.repeat(100);
  for (let sent = 0; sent < messageCount; sent += 100) await peer.send(batch);
  const received = await peer.sawBytes(messageCount * message.length);
  expect(received.equals(Buffer.from(message.repeat(messageCount)))).toBe(true);
  peer.end();
  await peer.ended;
}

function createFifo(): string {
  const path = join(temporaryFolder(), 'fifo');
  execFileSync('mkfifo', [path]);
  return path;
}

test('a pipe that nothing reads does not block the server; once it is read again, the dropped lines are reported', async () => {
  const fifo = createFifo();
  // Open for reading too, so that there is a reader, which does not read.
  const fd = openSync(fifo, 'r+');
  const server = await serve(['--log-rate', 'off'], { stdout: fd });
  await exchangeMany(server.port);
  await exchangeMany(server.port);

  const output = createReadStream(fifo);
  closeSync(fd);
  onTestFinished(() => void output.destroy());
  let log = '';
  const readTo = async (last: string) => {
    for await (const chunk of output.iterator({ destroyOnReturn: false })) {
      log += chunk;
      if (log.slice(-10_000).includes(last)) return;
    }
  };
  const late = await dial(server.port);
  let asked = 0;
  while (!log.includes(' dropped')) {
    await late.ask(`question ${++asked}`);
    await readTo('\n');
  }
  await late.ask('the last question');
  await readTo('the last question');
  const lines = log.trimEnd().split('\n');
  const dropped = lines.map((line) => Number(/… (\d+) lines? dropped/.exec(line)?.[1] ?? 0));
  const reported =
    lines.filter((line) => !line.includes(' dropped')).length + dropped.reduce((sum, count) => sum + count);
  // Two clients connected, sent their messages and ended; the third connected and asked.
  expect(reported).toBe(2 * (1 + messageCount + 1) + 1 + asked + 1);
});

tmux('a terminal stopped with Ctrl-S does not block the server', async () => {
  const terminal = new Terminal();
  terminal.enter('yodel serve --listen 127.0.0.1:0 --log-rate off');
  const [, port] = await terminal.sees(/listening on tcp:\/\/127\.0\.0\.1:(\d+)/);
  await terminal.sees(/Ctrl-C stops it/);
  terminal.press('C-s');
  // tmux has passed it on when it answers again.
  terminal.screen();
  await exchangeMany(Number(port));
  const late = await dial(Number(port));
  await late.ask('asked while it was stopped');
  expect(terminal.screen()).not.toContain('connected');
  terminal.press('C-q');
  // New lines are shown once the old ones are written.
  for (let asked = 1; !terminal.screen().includes('asked again'); asked++) await late.ask(`asked again ${asked}`);
  expect(terminal.history()).toMatch(/… \d+ lines dropped: the output is not read fast enough\n/);
  terminal.press('C-c');
  await terminal.sees(/\n\$$/);
});

test('serve | head -3 continues to serve, and reports that the reader of its output is gone', async () => {
  const fifo = createFifo();
  const head = start(['head', '-n', '3', fifo]);
  const fd = openSync(fifo, 'w');
  const server = await serve([], { stdout: fd });
  closeSync(fd);
  const peer = await dial(server.port);
  for (const word of ['one', 'two']) expect(await peer.ask(word)).toBe(word);
  const { stdout } = await head.ended;
  expect(stdout.toString()).toMatch(/^\S+ \S+ connected\n\S+ \S+ 3 B one\n\S+ \S+ 3 B two\n$/);
  expect(await peer.ask('three')).toBe('three');
  await server.saw(/yodel: the reader of the output is gone; serving continues without it\n/);
  expect(await peer.ask('four')).toBe('four');
  expect(await (await dial(server.port)).ask('five')).toBe('five');

  // The FIFO has another reader: what it missed was counted.
  const next = start(['cat', fifo]);
  const [, lost] = await server.saw(/yodel: the output can be written again; (\d+) lines lost\n/);
  expect(await peer.ask('six')).toBe('six');
  await waitUntil('the reader has the next message', () => next.stdout().includes(' 3 B six\n'));
  expect(next.stdout()).toMatch(
    new RegExp(`^\\S+ … ${lost} lines lost: the output could not be written: EPIPE.*\\n\\S+ \\S+ 3 B six\\n$`),
  );
  peer.end();
  await peer.ended;
  const { stderr, status } = await server.stop();
  expect(stderr.match(/the reader of the output is gone/g)).toHaveLength(1);
  expect(status).toBe(0);
});

test('output that cannot be written is reported once, and the server continues', async () => {
  const fd = openSync('/dev/full', 'w');
  const server = await serve([], { stdout: fd });
  closeSync(fd);
  const peer = await dial(server.port);
  expect(await peer.ask('one')).toBe('one');
  await server.saw(/yodel: cannot write the output: .*\n/);
  expect(await peer.ask('two')).toBe('two');
  peer.end();
  await peer.ended;
  const { stderr, status } = await server.stop();
  expect(stderr.match(/cannot write the output/g)).toHaveLength(1);
  expect(status).toBe(0);
});
