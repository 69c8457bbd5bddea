import { expect, it } from 'vitest';
import type { Reply } from '../../../src/codec/reply.ts';
import { encode } from '../../../src/framing/framing.ts';
import { parseFraming } from '../../../src/framing/notation.ts';
import { settled } from '../../../src/testing/turns.ts';
import { fc } from '../../support/fast-check.ts';
import { Harness } from '../harness.ts';

/**
 * What the handler does with a message, and after how many milliseconds; undefined: within its call; 0: with a resolved promise. A message
 * that is too long does not reach it.
 */
const ways = fc.record({
  does: fc.oneof(
    { weight: 12, arbitrary: fc.constant('echo' as const) },
    { weight: 2, arbitrary: fc.constantFrom('nothing' as const, 'twice' as const) },
    { weight: 1, arbitrary: fc.constantFrom('throw' as const, 'unsendable' as const) },
    { weight: 1, arbitrary: fc.constant('too long' as const) },
  ),
  after: fc.oneof(fc.constant(undefined), fc.constant(0), fc.integer({ min: 1, max: 50 })),
});
type Way = { does: 'echo' | 'nothing' | 'twice' | 'throw' | 'unsendable' | 'too long'; after: number | undefined };
const maxMessageLength = 20;

const scripts = fc.record({
  framing: fc.constantFrom('lines', 'delimiter:||'),
  concurrency: fc.integer({ min: 1, max: 8 }),
  replyOrder: fc.constantFrom('received' as const, 'finished' as const),
  highWaterMark: fc.integer({ min: 1, max: 2000 }),
  rate: fc.constantFrom(0, 100),
  onTooLong: fc.constantFrom('discard' as const, 'close' as const),
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
  if (does === 'too long')
    return [`error: message ${number + 1} is longer than the limit of ${maxMessageLength} bytes`];
  if (does === 'echo') return [`m${number}`];
  return does === 'twice' ? [`m${number}`, `m${number}`] : [];
}

const isFailure = ({ does }: Way) => does === 'throw' || does === 'unsendable';

it('each message is answered once, in the promised order, whatever is in flight and however the session ends', async () => {
  await fc.assert(
    fc.asyncProperty(scripts, async ({ framing, parts, chunkSize, capacity, ending, ...limits }) => {
      const script: Way[] = parts.flatMap(({ messages }) => messages);
      let inFlight = 0;
      let most = 0;
      const called: number[] = [];
      /** When each call finished, by the clock. */
      const finished = new Map<string, number>();
      const harness = await Harness.open({
        framing: parseFraming(framing),
        network: { chunkSize, capacity },
        // What fails is expected.
        telemetry: { handlerFailed: () => undefined },
        maxMessageLength,
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
      const frameOf = (index: number, does: Way['does']) =>
        encode(parseFraming(framing), `m${index}${does === 'too long' ? 'x'.repeat(maxMessageLength) : ''}`);
      for (const { messages, pause } of parts) {
        peer.connection.write(Buffer.concat(messages.map(({ does }) => frameOf(number++, does))));
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
      const closesAt = limits.onTooLong === 'close' ? script.findIndex(({ does }) => does === 'too long') : -1;
      const readable = closesAt === -1 ? script : script.slice(0, closesAt);
      const failed = called.filter((each) => isFailure(script[each] as Way));
      const replies = received.filter((text) => text.startsWith('m'));
      expect(most).toBeLessThanOrEqual(limits.concurrency);
      expect(called).toEqual(called.toSorted((a, b) => a - b));
      if (failed.length === 0)
        expect(called).toEqual(readable.flatMap(({ does }, each) => (does === 'too long' ? [] : [each])));
      const first = failed[0] ?? readable.length;
      const inOrder = script.flatMap((way, each) => (each < first ? repliesTo(each, way) : []));
      const last = failed[0] === undefined ? closesAt : -1;
      if (last !== -1) inOrder.push(...repliesTo(last, script[last] as Way));
      if (failed.length > 0) inOrder.push('error: the handler failed on the server');
      if (limits.replyOrder === 'received') expect(received).toEqual(inOrder);
      else {
        if (failed.length === 0) expect(received.toSorted()).toEqual(inOrder.toSorted());
        if (failed.length > 0 || last !== -1) expect(received.at(-1)).toBe(inOrder.at(-1));
        const times = replies.map((text) => finished.get(text) as number);
        expect(times).toEqual(times.toSorted((a, b) => a - b));
      }
      expect(peer.closed).toBe(true);
      await harness.close();
    }),
    { numRuns: 500 },
  );
});
