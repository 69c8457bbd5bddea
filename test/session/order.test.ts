import { expect, it } from 'vitest';
import { encode } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { settled } from '../../src/testing/turns.ts';
import { fc } from '../support/fast-check.ts';
import { serveOneClient } from './harness.ts';

/** How a handler replies to one message: at once, with a resolved promise, or after a number of milliseconds. */
const ways = fc.oneof(
  fc.constant('at once' as const),
  fc.constant('promise' as const),
  fc.integer({ min: 1, max: 50 }),
);
const framings = fc.constantFrom('lines', 'delimiter:||', 'length:2', 'length:4,little,inclusive').map(parseFraming);

it('replies are in the order of their messages, however these are split and however long each takes', async () => {
  await fc.assert(
    fc.asyncProperty(
      framings,
      fc.array(fc.tuple(fc.stringMatching(/^[a-zé🎉]*$/u), ways), { maxLength: 30 }),
      fc.record({ chunkSize: fc.integer({ min: 1, max: 40 }), capacity: fc.integer({ min: 1, max: 100 }) }),
      fc.record({
        highWaterMark: fc.integer({ min: 1, max: 200 }),
        rate: fc.constantFrom(0, 100, 1000),
        maxMessages: fc.constantFrom(0, 30),
      }),
      async (framing, script, network, limits) => {
        let number = 0;
        const { peer, harness } = await serveOneClient({
          framing,
          network,
          ...limits,
          handler(message) {
            const way = script[number++]?.[1];
            if (way === 'at once') return message.text;
            if (way === 'promise') return Promise.resolve(message.bytes);
            return new Promise((resolve) => harness.clock.after(way ?? 0, () => resolve(message)));
          },
        });
        const input = Buffer.concat(script.map(([text]) => encode(framing, text)));
        peer.connection.write(input);
        peer.connection.end();
        await settled();
        await harness.passes(30 * 60);
        expect(peer.text).toBe(input.toString());
        expect(peer.closed).toBe(true);
        expect(peer.error).toBeUndefined();
        await harness.close();
      },
    ),
    { numRuns: 100 },
  );
});
