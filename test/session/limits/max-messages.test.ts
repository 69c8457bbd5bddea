import { describe, expect, it } from 'vitest';
import type { Handler } from '../../../src/session/handler.ts';
import { settled } from '../../../src/testing/turns.ts';
import { serveOneClient } from '../harness.ts';

const refusal = 'error: this connection has reached its limit of 3 messages';

const handlers: [string, Handler | undefined][] = [
  ['echo', undefined],
  ['a handler of messages', (message) => message],
  ['an asynchronous handler', async (message) => message],
  ['an asynchronous handler of batches', { batch: async (batch) => batch }],
];

describe.each(handlers)('with maxMessages 3 and %s', (_, handler) => {
  it.each([1, 2, 4, 1000])('three messages are served, then the session ends, in chunks of %s', async (chunkSize) => {
    const { peer } = await serveOneClient({ maxMessages: 3, handler, network: { chunkSize } });
    await peer.says('a\nb\nc\n');
    expect(peer.text).toBe('a\nb\nc\n');
    expect(peer.ended).toBe(true);
    await peer.ends();
    expect(peer.error).toBeUndefined();
  });

  it('a peer that sent more in the same chunk receives the reason why they are not answered', async () => {
    const codes: unknown[] = [];
    const telemetry = { closed: (_session: unknown, error?: { code: string }) => codes.push(error?.code) };
    const { peer, session } = await serveOneClient({ maxMessages: 3, handler, telemetry });
    await peer.says('a\nb\nc\nd\ne\n');
    expect(peer.lines).toEqual(['a', 'b', 'c', refusal]);
    expect(session.messagesReceived).toBe(3);
    expect(peer.ended).toBe(true);
    await peer.ends();
    expect(codes).toEqual(['YODEL_TOO_MANY_MESSAGES']);
  });
});

it('messages also count for a handler that ignores them', async () => {
  const { peer } = await serveOneClient({ maxMessages: 2, handler: { open: () => 'hello' } });
  await peer.says('a\n');
  expect(peer.ended).toBe(false);
  await peer.says('b\n');
  expect(peer.ended).toBe(true);
});

it('the last reply may be slow', async () => {
  const reply = Promise.withResolvers<string>();
  const { peer } = await serveOneClient({ maxMessages: 1, handler: () => reply.promise });
  await peer.says('a\n');
  expect(peer.ended).toBe(false);
  reply.resolve('done');
  await settled();
  expect(peer.text).toBe('done\n');
  expect(peer.ended).toBe(true);
});

it('a discarded message after the last one does not keep the session open', async () => {
  const { peer } = await serveOneClient({ maxMessages: 1, maxMessageLength: 5, onTooLong: 'discard' });
  await peer.says('a\ntoo long\n');
  expect(peer.lines).toEqual(['a', 'error: message 2 is longer than the limit of 5 bytes']);
  expect(peer.ended).toBe(true);
});

it('without maxMessages, there is no limit', async () => {
  const { peer, session } = await serveOneClient();
  for (let round = 0; round < 10; round++) await peer.says('a\n'.repeat(1000));
  expect(session.messagesReceived).toBe(10_000);
  expect(session.ended).toBe(false);
});
