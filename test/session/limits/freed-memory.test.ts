/** Where the memory of unfinished messages goes when a session ends: it must not wait for the garbage collector. */
import { afterEach, expect, it, vi } from 'vitest';
import { length } from '../../../src/framing/counted/length.ts';
import type { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { Harness } from '../harness.ts';

const mebibyte = 1_048_576;
const long = Buffer.alloc(9 * mebibyte, 'x');
const options = { maxMessageLength: 16 * mebibyte, network: { capacity: 32 * mebibyte, chunkSize: mebibyte } };

/** Bytes of buffers that were freed at once. */
function countFreed(): { bytes: number } {
  const freed = { bytes: 0 };
  const { transfer } = ArrayBuffer.prototype;
  vi.spyOn(ArrayBuffer.prototype, 'transfer').mockImplementation(function (this: ArrayBuffer, length) {
    freed.bytes += this.byteLength;
    return transfer.call(this, length);
  });
  return freed;
}

afterEach(() => void vi.restoreAllMocks());

async function send(peer: Peer, bytes: Uint8Array): Promise<void> {
  peer.connection.write(bytes);
  for (let pass = 0; pass < 20; pass++) await settled();
}

it.each<[string, (peer: Peer, harness: Harness) => unknown]>([
  ['its client resets the connection', (peer) => peer.connection.abort()],
  ['its client ends the connection', (peer) => peer.connection.end()],
  ['the server shuts down', (_, { server }) => void server.close({ timeoutMs: 0 })],
  ['a handler aborts it', (_, { server }) => [...server.sessions].map((session) => session.abort())],
  ['its message becomes too long', (peer) => send(peer, long)],
])('when a session ends because %s', async (_, end) => {
  for (const framing of ['lines', length()] as const) {
    const harness = await Harness.open({ ...options, framing });
    const peer = await harness.connect();
    if (framing !== 'lines') await send(peer, Buffer.of(0, 0xf0, 0, 0));
    await send(peer, long);
    expect(harness.server.pendingBytes).toBeGreaterThanOrEqual(long.length);
    const freed = countFreed();
    await end(peer, harness);
    for (let pass = 0; pass < 20; pass++) await settled();
    expect(freed.bytes).toBeGreaterThanOrEqual(long.length);
    vi.restoreAllMocks();
  }
});

it('when the limit of all sessions ends it', async () => {
  const harness = await Harness.open({ ...options, maxPendingBytes: 20 * mebibyte });
  const peers = [await harness.connect(), await harness.connect()];
  const freed = countFreed();
  for (const peer of peers) await send(peer, long);
  expect(peers.filter(({ closed }) => closed)).toHaveLength(1);
  expect(freed.bytes).toBeGreaterThanOrEqual(long.length);
});
