/** What a test's network does to bytes changes no conversation. */

import { expect, it } from 'vitest';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { testSession } from '../../src/testing/test-server.ts';
import { fc } from '../support/fast-check.ts';

const networks = fc.record({
  sizes: fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 1, maxLength: 4 }),
  capacity: fc.integer({ min: 1, max: 100 }),
  latencyMs: fc.constantFrom(0, 0, 1, 70),
  listen: fc.constantFrom('tcp://a:1', 'unix:///a', 'ws://a:1'),
});
const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'ö', ' ', '🎉') }), { minLength: 1, maxLength: 8 });

it('a conversation is the same over any network', async () => {
  await fc.assert(
    fc.asyncProperty(networks, lines, async ({ sizes, listen, ...network }, messages) => {
      const clock = fakeClock();
      let chunk = 0;
      const chunkSize = () => sizes[chunk++ % sizes.length] as number;
      const limits = { idleTimeout: 0, messageTimeout: 0, drainTimeout: 0, handshakeTimeout: 0, pingInterval: 0 };
      const handler = { open: () => 'hi', message: ({ text }: { text: string }) => [text, text.toUpperCase()] };
      const opening = testSession(handler, { ...limits, clock, listen, network: { ...network, chunkSize } });
      const session = await untilDone(opening, clock);
      expect(await untilDone(session.next(), clock)).toBe('hi');
      const replies = messages.flatMap((text) => [text, text.toUpperCase()]);
      expect(await untilDone(session.exchange(...messages), clock)).toEqual(replies);
      expect(await untilDone(session.end(), clock)).toEqual([]);
      await session.close();
      await clock.advance(100); // what was on its way
      expect(clock.waiting).toBe(0);
    }),
    { numRuns: 50 },
  );
});

/** Lets time pass until the promise is settled. */
async function untilDone<Result>(promise: Promise<Result>, clock: ReturnType<typeof fakeClock>): Promise<Result> {
  let isDone = false;
  const done = () => {
    isDone = true;
  };
  promise.then(done, done);
  while (!isDone) await clock.advance(10);
  return await promise;
}
