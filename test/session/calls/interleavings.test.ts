import { expect, it } from 'vitest';
import type { Reply } from '../../../src/codec/reply.ts';
import { encode } from '../../../src/framing/framing.ts';
import { parseFraming } from '../../../src/framing/notation.ts';
import { settled } from '../../../src/testing/turns.ts';
import { fc } from '../../support/fast-check.ts';
import { Harness } from '../harness.ts';

/**
 * What the handler does with a message, and after how many milliseconds; undefined: within its call; 0: with a resolved promise. What is
 * invalid or too long does not reach it.
 */
const ways = fc.record({
  does: fc.oneof(
    { weight: 12, arbitrary: fc.constant('echo' as const) },
    { weight: 2, arbitrary: fc.constantFrom('nothing' as const, 'twice' as const) },
    { weight: 1, arbitrary: fc.constantFrom('throw' as const, 'unsendable' as const) },
    { weight: 1, arbitrary: fc.constantFrom('invalid' as const, 'long' as const) },
  ),
  after: fc.oneof(fc.constant(undefined), fc.constant(0), fc.integer({ min: 1, max: 50 })),
});
type Way = {
  does: 'echo' | 'nothing' | 'twice' | 'throw' | 'unsendable' | 'invalid' | 'long';
  after: number | undefined;
};

const scripts = fc.record({
  framing: fc.constantFrom('lines', 'delimiter:||'),
  concurrency: fc.integer({ min: 1, max: 8 }),
  replyOrder: fc.constantFrom('received' as const, 'finished' as const),
  highWaterMark: fc.integer({ min: 1, max: 2000 }),
  rate: fc.constantFrom(0, 100),
  onTooLong: fc.constantFrom('close' as const, 'discard' as const),
  /** The messages, in parts with pauses between them. */
  parts: fc.array(fc.record({ messages: fc.array(ways, { maxLength: 12 }), pause: fc.integer({ min: 0, max: 30 }) }), {
    maxLength: 4,
  }),
  chunkSize: fc.integer({ min: 1, max: 40 }),
  capacity: fc.integer({ min: 1, max: 100 }),
  ending: fc.constantFrom('peer', 'server', 'handler'),
});

/** What the client gets for a message. */
function repliesTo(number: number, { does }: Way): string[] {
  if (does === 'echo') return [`m${number}`];
  return does === 'twice' ? [`m${number}`, `m${number}`] : [];
}

const isFailure = ({ does }: Way) => does === 'throw' || does === 'unsendable';

const maxMessageLength = 10;

function sent(number: number, { does }: Way): string | Uint8Array {
  if (does === 'invalid') return Uint8Array.of(0xff);
  return does === 'long' ? 'x'.repeat(maxMessageLength + 1) : `m${number}`;
}

it('each message is answered once, in the promised order, whatever is in flight and however the session ends', async () => {
  await fc.assert(
    fc.asyncProperty(scripts, async ({ framing, parts, chunkSize, capacity, ending, ...limits }) => {
      const script: Way[] = parts.flatMap(({ messages }) => messages);
      const isDiscarded = ({ does }: Way) => does === 'long' && limits.onTooLong === 'discard';
      const isRefused = (way: Way) => way.does === 'invalid' || (way.does === 'long' && !isDiscarded(way));
      let inFlight = 0;
      let most = 0;
      const called: number[] = [];
      /** When each call finished, by the clock. */
      const finished = new Map<string, number>();
      const harness = await Harness.open({
        framing: parseFraming(framing),
        maxMessageLength,
        network: { chunkSize, capacity },
        // What fails is expected.
        telemetry: { handlerFailed: () => undefined },
        ...limits,
        handler({ text }, session): Reply | Promise<Reply> {
          const number = Number(text.slice(1));
          const { does, after } = script[number] as Way;
          called.push(number);
          const outcome = (): Reply => {
            if (after !== undefined) inFlight--;
            finished.set(text, harness.clock.now());
            if (ending === 'handler' && number === script.length - 1) session.close();
            if (does === 'throw') throw new Error('thrown');
            if (does === 'unsendable') return `${framing === 'lines' ? '\n' : '||'}`;
            return does === 'nothing' ? undefined : does === 'twice' ? [text, text] : text;
          };
          if (after === undefined) return outcome();
          inFlight++;
          most = Math.max(most, inFlight);
          if (after === 0) return Promise.resolve().then(outcome);
          const waited = new Promise<void>((resolve) => harness.clock.after(after, () => resolve()));
          return waited.then(outcome);
        },
      });
      const peer = await harness.connect();
      let number = 0;
      for (const { messages, pause } of parts) {
        const frames = messages.map((way) => encode(parseFraming(framing), sent(number++, way)));
        peer.connection.write(Buffer.concat(frames));
        await settled();
        await harness.passes(pause);
      }
      const closed = ending === 'server' ? harness.server.close({ timeoutMs: 1_000_000 }) : undefined;
      if (ending === 'peer') peer.connection.end();
      await settled();
      await harness.passes(script.length * 60 + 100);
      if (!peer.closed) await peer.ends();
      await closed;
      await harness.passes(script.length * 60);

      const received = peer.text.split(framing === 'lines' ? '\n' : '||').slice(0, -1);
      const failed = called.filter((each) => isFailure(script[each] as Way));
      const isError = (text: string) => text.startsWith('error');
      const replies = received.filter((text) => !isError(text));
      const errors = received.length - replies.length;
      expect(most).toBeLessThanOrEqual(limits.concurrency);
      expect(called).toEqual(called.toSorted((a, b) => a - b));
      // What ends the session, and everything before that.
      const refused = script.findIndex(isRefused);
      const first = Math.min(failed[0] ?? script.length, refused === -1 ? script.length : refused);
      const last = limits.replyOrder === 'received' ? first : refused === -1 ? script.length : refused;
      if (failed.length === 0) {
        const expected = [...script.keys()].filter((each) => each < last && !isDiscarded(script[each] as Way));
        expect(called).toEqual(expected);
        const discarded = script.slice(0, last).filter(isDiscarded).length;
        expect(errors).toBe(discarded + (refused === -1 ? 0 : 1));
      } else expect(errors).toBeGreaterThanOrEqual(1);
      if (limits.replyOrder === 'received') {
        const inOrder = script
          .slice(0, first)
          .flatMap((way, each) => (isDiscarded(way) ? ['error'] : repliesTo(each, way)));
        if (first < script.length) inOrder.push('error');
        expect(received.map((text) => (isError(text) ? 'error' : text))).toEqual(inOrder);
      } else if (!failed.some((each) => script[each]?.does === 'unsendable')) {
        // All calls that were in flight are answered before an error ends the session.
        expect(replies.toSorted()).toEqual(called.flatMap((each) => repliesTo(each, script[each] as Way)).toSorted());
      }
      if (limits.replyOrder === 'finished') {
        const times = replies.map((text) => finished.get(text) as number);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
      if (first < script.length) expect(isError(received.at(-1) ?? '')).toBe(true);
      expect(peer.closed).toBe(true);
      await harness.close();
    }),
    { numRuns: 500 },
  );
});
