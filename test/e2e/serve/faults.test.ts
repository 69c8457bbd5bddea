/** The injected faults of `yodel serve`, as clients see them. */
import { expect, test } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve } from '../../support/process/command.ts';
import { runLine } from '../../support/process/command-lines.ts';

const lines = Array.from({ length: 50 }, (_, index) => `line ${index}\n`).join('');

async function exchange(port: number, input = lines): Promise<string> {
  const peer = await dial(port);
  await peer.send(input);
  peer.end();
  return (await peer.ended).toString();
}

test('--chunk 1: each byte is sent on its own', async () => {
  const server = await serve(['--chunk', '1']);
  const peer = await dial(server.port);
  let chunks = 0;
  peer.socket.on('data', () => chunks++);
  // On a busy machine several bytes may arrive in one read.
  for (let attempt = 0; attempt < 20 && chunks <= 5; attempt++) {
    chunks = 0;
    expect(await peer.ask('0123456789')).toBe('0123456789');
  }
  expect(chunks).toBeGreaterThan(5);
});

test('--reset 100%: the first reply is a reset, and the log says that it was injected', async () => {
  const server = await serve(['--reset', '100%']);
  const peer = await dial(server.port);
  peer.ended.catch(() => undefined);
  await peer.send('a\n');
  expect((await peer.closed)?.code).toBe('ECONNRESET');
  await server.saw(/closed after .*: reset on purpose/);
});

test('--close-after: the connection ends after that number of replies', async () => {
  const server = await serve([
    handlerFile('export default { open: () => "hello", message: (message) => message.text };'),
    ...['--close-after', '2', '--delay', '5ms+-2ms'],
  ]);
  expect(await exchange(server.port, 'a\nb\nc\n')).toBe('hello\na\n');
});

test('the seed is printed, and repeats the same faults, even with several processes', async () => {
  const faults = ['--drop', '30%', '--corrupt', '30%', '--encoding', 'binary'];
  const first = await serve(faults);
  const [, seed = ''] = await first.saw(/yodel: random faults: --fault-seed (\d+) repeats them/);
  const received = await exchange(first.port);
  expect(received).not.toBe(lines);
  const again = await serve([...faults, '--fault-seed', seed, '--workers', '2']);
  expect(await exchange(again.port)).toBe(received);
  expect(again.stderr()).not.toContain('random faults');
});

test('faults apply to the replies of programs and proxied servers', async () => {
  const program = await serve(['exec:cat', '--delay', '5ms', '--chunk', '3']);
  expect(await exchange(program.port, 'a\r\nbcdef\n')).toBe('a\r\nbcdef\n');
  const proxy = await serve([`proxy:${program.address}`, '--delay', '5ms', '--close-after', '1']);
  expect(await exchange(proxy.port, 'a\r\nbcdef\n')).toBe('a\r\n');
});

test('--fault: both directions, by pattern and number, each logged', async () => {
  const upstream = await serve([]);
  const flags = [
    '--fault',
    'request /^drop/ drop',
    '--fault',
    'twice=reply #2 duplicate',
    '--fault',
    'request /^QUIT/i reset',
  ];
  const server = await serve([`proxy:${upstream.address}`, ...flags]);
  await server.saw(
    /yodel: some faults are about messages, and no --framing or --protocol is given: a message is a line/,
  );
  const peer = await dial(server.port);
  peer.ended.catch(() => undefined);
  await peer.send('a\ndrop this\nb\n');
  await peer.saw(/^a\nb\nb\n$/);
  await peer.send('quit\n');
  expect((await peer.closed)?.code).toBe('ECONNRESET');
  await server.saw(/closed after [^\n]*: reset on purpose by the fault reset_request/);
  expect(upstream.stdout()).not.toMatch(/drop|quit/);
  const log = server
    .stdout()
    .replace(/^\S+ (\S+#1)/gm, '-')
    .split('\n');
  expect(log).toContain('- > 9 B drop this');
  expect(log).toContain('- > fault drop_request: drop, message 2');
  expect(log).toContain('- < fault twice: duplicate, message 2');
  expect(log).toContain('- > fault reset_request: reset, message 4');
});

test.each([
  [['--drop', '5'], /It takes a percentage from 0% to 100%/],
  [['--drop', '101%'], /It takes a percentage from 0% to 100%/],
  [['--delay', '5±3'], /It takes a time such as 50ms or 50ms±20ms/],
  [['--fault', 'request /QUIT/ rest'], /invalid at column 16: "rest" is neither.*Did you mean "reset"\?/],
  [['--fault', 'a=drop', '--fault', 'a=close'], /there is a fault "a" already/],
  [['--chunk', 'many'], /It takes a size such as/],
  [['--fault-seed', '-1'], /It takes a whole number from 0 to 4294967295/],
])('%j is a usage error', async (args, expected) => {
  const { status, stderr } = await runLine(['serve', ...args, '--listen', '127.0.0.1:0']);
  expect(stderr).toMatch(expected);
  expect(status).toBe(2);
});
