/**
 * A server that stores one short message of each chunk of 64 KiB, and prints by how many bytes its memory grew.
 *
 * usage: storing-program.ts text|bytes|copy
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { type Message, serve, TcpAddress } from '../../src/index.ts';

const chunks = 1000;
const keySize = 36;

const ways: Readonly<Record<string, (message: Message) => unknown>> = {
  text: (message) => message.text,
  bytes: (message) => message.bytes,
  copy: (message) => message.copy(),
};
const keep = ways[process.argv[2] ?? ''] as (message: Message) => unknown;
const stored: unknown[] = [];

await using server = await serve({
  listen: 'tcp://127.0.0.1:0',
  handler(message) {
    if (message.size === keySize) stored.push(keep(message));
    return message.text === 'end' ? 'ok' : undefined;
  },
});
const [address] = server.addresses;
const client = connect(address instanceof TcpAddress ? address.port : 0, '127.0.0.1');
await once(client, 'connect');

const filler = `${'x'.repeat(999)}\n`.repeat(65);

async function sendChunk(number: number): Promise<void> {
  const key = `${String(number).padStart(keySize, 'k')}\n`;
  client.write(`${key}${filler}end\n`);
  await once(client, 'data');
}

/** Bytes in the heap and outside of it, after a garbage collection. */
async function memory(): Promise<number> {
  const { Bun, gc } = globalThis as { Bun?: { gc(isForced: boolean): void }; gc?: () => void };
  const collect = () => (Bun ? Bun.gc(true) : gc?.());
  for (let times = 0; times < 3; times++) {
    collect();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  // Bun counts array buffers as a part of the heap.
  return process.versions.bun ? heapUsed : heapUsed + arrayBuffers;
}

// The first chunks compile the code.
for (let number = 0; number < 50; number++) await sendChunk(number);
stored.length = 0;
const before = await memory();
for (let number = 0; number < chunks; number++) await sendChunk(number);
const after = await memory();
process.stdout.write(
  `${JSON.stringify({ stored: stored.length, perMessage: Math.round((after - before) / chunks) })}\n`,
);
client.destroy();
