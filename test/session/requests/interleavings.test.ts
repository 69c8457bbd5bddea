import { expect, it } from 'vitest';
import { json } from '../../../src/codec/json.ts';
import type { YodelError } from '../../../src/errors.ts';
import type { Message } from '../../../src/framing/message.ts';
import { Peer } from '../../../src/testing/peer.ts';
import { settled } from '../../../src/testing/turns.ts';
import { fc } from '../../support/fast-check.ts';
import { Harness } from '../harness.ts';

/** A client that does something with each line that it receives. */
class Client extends Peer {
  /** Called with each line and its number. */
  onLine: (line: string, number: number) => void = () => undefined;
  #seen = 0;

  static async connect(harness: Harness): Promise<Client> {
    const client = new Client(await harness.transport.connect(harness.address));
    await settled();
    return client;
  }

  override onData(chunk: Uint8Array): void {
    super.onData(chunk);
    for (const { lines } = this; this.#seen < lines.length; ) this.onLine(lines[this.#seen] as string, this.#seen++);
  }
}

const milliseconds = fc.integer({ min: 0, max: 40 });

/** What happens, each some milliseconds after the one before it. */
const events = fc.array(
  fc.record({
    after: fc.integer({ min: 0, max: 15 }),
    does: fc.oneof(
      /** A request, its time limit, and when it is cancelled. The client replies after a while, or not at all. */
      fc.record({
        kind: fc.constant('ask' as const),
        timeoutMs: fc.constantFrom(5, 20, 1000),
        cancelled: fc.option(milliseconds, { nil: undefined }),
        replies: fc.option(milliseconds, { nil: undefined }),
      }),
      /** Messages of the client, and how long the handler works on each; it may ask something itself. */
      fc.record({
        kind: fc.constant('push' as const),
        works: fc.array(fc.record({ ms: fc.integer({ min: 0, max: 10 }), asks: fc.boolean() }), {
          minLength: 1,
          maxLength: 4,
        }),
      }),
    ),
  }),
  { maxLength: 25 },
);

const scripts = fc.record({
  events,
  concurrency: fc.integer({ min: 1, max: 3 }),
  replyOrder: fc.constantFrom('received' as const, 'finished' as const),
  chunkSize: fc.integer({ min: 1, max: 60 }),
  highWaterMark: fc.constantFrom(200, 65_536),
  rate: fc.constantFrom(0, 500),
  ending: fc.constantFrom('peer', 'server', 'close', 'abort'),
  values: fc.boolean(),
});

interface Value {
  readonly ask?: number;
  readonly reply?: number;
  readonly push?: number;
}

const read = (received: unknown): Value =>
  (typeof (received as Message).text === 'string' ? JSON.parse((received as Message).text) : received) as Value;

it('by ids no reply is lost, mispaired or given to the handler, and each message is handled once, in order', async () => {
  await fc.assert(
    fc.asyncProperty(scripts, async ({ events: script, chunkSize, ending, values, ...limits }) => {
      const handled: number[] = [];
      const works: { ms: number; asks: boolean }[] = [];
      const plans = new Map<number, number | undefined>();
      const outcomes = new Map<number, string>();
      let ids = 0;
      const harness = await Harness.open({
        ...limits,
        idleTimeout: 0,
        requestTimeout: 50,
        network: { chunkSize },
        telemetry: { handlerFailed: () => undefined },
        ...(values ? { codec: json() as never } : {}),
        correlate: {
          requestId: (message: unknown) => read(typeof message === 'string' ? { text: message } : message).ask,
          replyId: (message: unknown) => read(message).reply,
        } as never,
        async handler(message) {
          const { push = -1 } = read(message);
          handled.push(push);
          const { ms = 0, asks = false } = works[push] ?? {};
          if (ms > 0) await new Promise<void>((resolve) => harness.clock.after(ms, () => resolve()));
          if (asks) await ask({ timeoutMs: 50, cancelled: undefined, replies: 3 });
          return undefined;
        },
      });
      const peer = await Client.connect(harness);
      const { session } = harness;
      /** It answers the requests that have a plan. */
      peer.onLine = (line) => {
        const { ask: id = -1 } = line.startsWith('{') ? (JSON.parse(line) as Value) : {};
        const delay = plans.get(id);
        if (delay === undefined) return;
        const reply = Buffer.from(`${JSON.stringify({ reply: id })}\n`);
        harness.clock.after(delay, () => void (peer.closed || peer.connection.write(reply)));
      };
      async function ask(how: { timeoutMs: number; cancelled: number | undefined; replies: number | undefined }) {
        const id = ids++;
        plans.set(id, how.replies);
        const stop = new AbortController();
        if (how.cancelled !== undefined) harness.clock.after(how.cancelled, () => stop.abort('cancelled'));
        const request = { ask: id };
        await session
          .request((values ? request : JSON.stringify(request)) as string, {
            timeoutMs: how.timeoutMs,
            signal: stop.signal,
          })
          .then(
            (reply) => {
              expect(outcomes.has(id)).toBe(false);
              outcomes.set(id, read(reply).reply === id ? 'replied' : `mispaired with ${read(reply).reply}`);
            },
            (error: YodelError | string) => outcomes.set(id, typeof error === 'string' ? error : error.code),
          );
      }
      for (const { after, does } of script) {
        await harness.passes(after);
        if (does.kind === 'ask') void ask(does);
        else {
          let text = '';
          for (const work of does.works) text += `${JSON.stringify({ push: works.push(work) - 1 })}\n`;
          peer.connection.write(Buffer.from(text));
        }
        await settled();
      }
      const isOver = ending === 'close' || ending === 'abort';
      if (!isOver) await harness.passes(200 + works.length * 70);
      if (ending === 'peer') peer.connection.end();
      if (ending === 'close') session.close();
      if (ending === 'abort') session.abort();
      const closed = ending === 'server' ? harness.server.close() : undefined;
      await harness.passes(1200 + works.length * 70);
      if (!peer.closed) await peer.ends();
      await closed;
      await harness.passes(1);

      expect(handled).toEqual(handled.map((_, index) => index));
      if (!isOver) expect(handled).toHaveLength(works.length);
      expect(outcomes.size).toBe(ids);
      for (const [id, outcome] of outcomes) {
        expect(outcome).not.toMatch(/^mispaired/);
        const expected = [
          'replied',
          'cancelled',
          'YODEL_REQUEST_TIMEOUT',
          'YODEL_CONNECTION_CLOSED',
          'YODEL_SHUTTING_DOWN',
        ];
        expect(expected).toContain(outcome);
        if (outcome === 'replied') expect(plans.get(id)).toBeDefined();
      }
      await harness.close();
    }),
    { numRuns: 200 },
  );
});

it('by order each request gets the reply to itself, whatever times out, is cancelled and waits', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          after: fc.integer({ min: 0, max: 10 }),
          timeoutMs: fc.constantFrom(3, 10, 1000),
          cancelled: fc.option(milliseconds, { nil: undefined }),
          delay: fc.integer({ min: 0, max: 10 }),
        }),
        { maxLength: 30 },
      ),
      fc.record({ chunkSize: fc.integer({ min: 1, max: 20 }), concurrency: fc.integer({ min: 1, max: 3 }) }),
      async (asks, { chunkSize, concurrency }) => {
        const handled: string[] = [];
        const harness = await Harness.open({
          concurrency,
          network: { chunkSize },
          handler: ({ text }) => void handled.push(text),
        });
        const peer = await Client.connect(harness);
        const { session } = harness;
        const outcomes: string[] = [];
        let freeAt = 0;
        /** It answers one request after another. */
        peer.onLine = (line, number) => {
          const now = harness.clock.now();
          freeAt = Math.max(now, freeAt) + (asks[number]?.delay ?? 0);
          harness.clock.after(freeAt - now, () => void peer.connection.write(Buffer.from(`re ${line}\n`)));
        };
        for (const [index, { after, timeoutMs, cancelled }] of asks.entries()) {
          await harness.passes(after);
          const stop = new AbortController();
          if (cancelled !== undefined) harness.clock.after(cancelled, () => stop.abort('cancelled'));
          session.request(`${index}`, { timeoutMs, signal: stop.signal }).then(
            ({ text }) => {
              outcomes[index] = text;
            },
            (error: YodelError | string) => {
              outcomes[index] = typeof error === 'string' ? error : error.code;
            },
          );
        }
        await harness.passes(asks.length * 12 + 50);
        for (const [index, outcome] of outcomes.entries())
          expect([`re ${index}`, 'cancelled', 'YODEL_REQUEST_TIMEOUT']).toContain(outcome);
        expect(Object.keys(outcomes)).toHaveLength(asks.length);
        expect(handled).toEqual([]);
        await peer.says('ordinary\n');
        expect(handled).toEqual(['ordinary']);
        await harness.close();
      },
    ),
    { numRuns: 200 },
  );
});
