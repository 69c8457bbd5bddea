import { expect, test } from 'vitest';
import { handlerFile } from '../support/files.ts';
import { closedLine } from '../support/log.ts';
import { dial, type Peer } from '../support/peer.ts';
import { type RunningServer, serve, start } from '../support/process/command.ts';

interface Fault {
  readonly args?: readonly string[];
  /** Acts as the bad client. */
  readonly misbehave: (peer: Peer) => Promise<void> | void;
  /** The one line that the client receives before the end. Default: none. */
  readonly reply?: RegExp;
  /** The log line, after the peer's address. */
  readonly log: RegExp;
}

const throwing = handlerSource(`throw new Error('a bug')`);
const rejecting = handlerSource(`return Promise.reject(new Error('a bug'))`);
const wrongReply = handlerSource(`return { not: 'a reply' }`);

function handlerSource(statement: string): string {
  return `export default (message) => { if (message.text !== 'go wrong') return message; ${statement}; };`;
}

const dripping = (peer: Peer) => {
  const drip = setInterval(() => peer.socket.write('x'), 20);
  void peer.closed.then(() => clearInterval(drip));
};

const faults: Record<string, Fault> = {
  'a message above the limit': {
    misbehave: (peer) => peer.send(`${'x'.repeat(70_000)}\n`),
    reply: /^error: message 1 is longer than the limit of 65536 bytes$/,
    log: closedLine(0, 1, 'message 1 is longer than the limit of 65536 bytes'),
  },
  'a message without an end': {
    misbehave: (peer) => peer.send('x'.repeat(200_000)),
    reply: /^error: message 1 is longer than the limit of 65536 bytes$/,
    log: closedLine(0, 1, 'message 1 is longer than the limit of 65536 bytes'),
  },
  'invalid UTF-8': {
    misbehave: (peer) => peer.send(Uint8Array.of(0x61, 0x62, 0xff, 0x0a)),
    reply: /^error: .*UTF-8.* 2\b.*$/,
    log: closedLine(0, 1, '.*UTF-8.*'),
  },
  'bytes that drip in one at a time': {
    args: ['--message-timeout', '300ms'],
    misbehave: dripping,
    reply: /^error: a message was not finished within 300 ms of its first byte$/,
    log: closedLine(0, 1, 'a message was not finished within 300 ms of its first byte'),
  },
  'half a message, then a reset': {
    misbehave: async (peer) => {
      await peer.ask('a whole one');
      await peer.send('half of');
      // The test waits until the server answers a later client: then it has read this.
    },
    log: closedLine(
      1,
      1,
      'connection broken in the middle of a message, after 7 bytes of it: the peer reset the connection',
    ),
  },
  'a length field above the limit': {
    args: ['--framing', 'length:4'],
    misbehave: (peer) => peer.send(Uint8Array.of(0xff, 0xff, 0xff, 0xff, 1, 2, 3)),
    reply: /^\0\0\0.error: message 1 is longer than the limit of 65536 bytes$/s,
    log: closedLine(0, 1, 'message 1 is longer than the limit of 65536 bytes.*'),
  },
  'a length-prefixed message that is never finished': {
    args: ['--framing', 'length:4'],
    misbehave: async (peer) => {
      await peer.send(Uint8Array.of(0, 0, 0, 9, 1, 2, 3));
      peer.end();
    },
    reply: /^\0\0\0.error: .*$/s,
    log: closedLine(0, 1, '.*'),
  },
};

for (const [what, { args = [], misbehave, reply, log }] of Object.entries(faults)) {
  test(`${what}: one error reply, one log line, and other clients are served`, async () => {
    const server = await serve([...args, '--no-messages']);
    const witness = await greet(server, args);
    const peer = await dial(server.port);
    await misbehave(peer);
    if (reply) expect((await peer.ended).toString().trimEnd()).toMatch(reply);
    else {
      await greet(server, args);
      peer.reset();
    }
    peer.end();
    await expectOneLine(server, peer, log);
    await stillServed(witness, args);
  });
}

for (const [what, source] of Object.entries({
  throws: throwing,
  rejects: rejecting,
  'returns an invalid reply': wrongReply,
})) {
  test(`a handler that ${what} loses only its own session, and stderr has the error with its location`, async () => {
    const server = await serve([handlerFile(source), '--no-messages']);
    const witness = await greet(server);
    const peer = await dial(server.port);
    await peer.send('fine\ngo wrong\nnever handled\n');
    expect((await peer.ended).toString()).toBe('fine\nerror: the handler failed on the server\n');
    peer.end();
    await expectOneLine(server, peer, closedLine(String.raw`\d`, 2, 'the handler failed on the server'));
    await server.saw(/yodel: the handler failed for 127\.0\.0\.1:\d+#2: \w*Error: .+\n +at /);
    await stillServed(witness);
  });
}

test('a handler that throws in open or close loses only that session', async () => {
  const source = `export default {
    open() { if (globalThis.seen) { globalThis.seen = false; throw new Error('at open'); } globalThis.seen = true; },
    message: (message) => message,
    close() { throw new Error('at close'); },
  };`;
  const server = await serve([handlerFile(source)]);
  const witness = await greet(server);
  const peer = await dial(server.port);
  expect((await peer.ended).toString()).toBe('error: the handler failed on the server\n');
  peer.end();
  await server.saw(/Error: at open[\s\S]*Error: at close/);
  await stillServed(witness);
});

test('a killed client is one log line, and other clients are served', async () => {
  const server = await serve();
  const witness = await greet(server);
  const talk = `const s = require('node:net').connect(${server.port}, '127.0.0.1');
    s.write('about to die\\n'); s.on('data', () => process.stdout.write('answered'));`;
  const client = start([process.execPath, '-e', talk]);
  await client.saw(/answered/);
  await client.stop('SIGKILL');
  await server.saw(/#2 closed after [^,]+, 1 message /);
  await stillServed(witness);
});

test('the server survives many bad clients at once', async () => {
  const server = await serve(['--quiet', '--message-timeout', '300ms', '--max-message', '1k']);
  const witness = await greet(server);
  const peers = await Promise.all(Array.from({ length: 60 }, () => dial(server.port)));
  await Promise.all(
    peers.map(async (peer, number) => {
      if (number % 4 === 0) await peer.send('x'.repeat(5000));
      else if (number % 4 === 1) await peer.send(Uint8Array.of(0xc3, 0x28, 0x0a));
      else if (number % 4 === 2) dripping(peer);
      else peer.reset();
      await peer.ended.catch(() => undefined);
      peer.end();
    }),
  );
  await stillServed(witness);
});

async function greet(server: RunningServer, args: readonly string[] = []): Promise<Peer> {
  const peer = await dial(server.port);
  await stillServed(peer, args);
  return peer;
}

async function stillServed(peer: Peer, args: readonly string[] = []): Promise<void> {
  const binary = args.includes('--framing');
  const from = peer.size;
  await peer.send(binary ? '\0\0\0\x0bstill here?' : 'still here?\n');
  await peer.sawBytes(from + (binary ? 15 : 12));
  expect(peer.received.subarray(from).toString()).toContain('still here?');
}

/** The log lines of this peer: connected, and one more. */
async function expectOneLine(server: RunningServer, peer: Peer, expected: RegExp): Promise<void> {
  const name = `127.0.0.1:${peer.port}#`;
  await server.saw(new RegExp(`${name}\\d+ closed`));
  const lines = server
    .stdout()
    .split('\n')
    .filter((line) => line.includes(name));
  expect(lines).toHaveLength(2);
  expect(lines[1]?.replace(/^\S+ \S+ /, '')).toMatch(expected);
}
