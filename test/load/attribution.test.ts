/**
 * Every recorded latency belongs to its message, whatever the server does: greet, push, drop replies, delay, answer several
 * messages at once, split and merge frames. The messages carry no ids, so the generator cannot know; the test does.
 */

import { afterEach, expect, test, vi } from 'vitest';
import { resolveWire } from '../../src/framing/wire.ts';
import { LoadConnection, type Traffic } from '../../src/load/connection.ts';
import { bucketOf } from '../../src/load/histogram.ts';
import { LatencyLog, type Retraction } from '../../src/load/latency-log.ts';
import { payloadsOf } from '../../src/load/payload.ts';
import { Tally } from '../../src/load/tally.ts';
import type { Connection } from '../../src/transport/transport.ts';
import { fc } from '../support/fast-check.ts';
import { settingsOf } from './settings.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

type Step =
  /** Time passes. */
  | { readonly wait: number }
  /** The server answers that many messages, if it has received them. */
  | { readonly answer: number }
  /** It sends a message that is no reply. */
  | 'push'
  /** It will never answer its oldest message. */
  | 'skip'
  /** That many bytes of what it has sent arrive in one chunk. */
  | { readonly arrive: number };

interface Run {
  /** Messages that arrive before anything is sent. */
  readonly greeting: number;
  /** The greeting is known, or learned. */
  readonly isKnown: boolean;
  readonly pipeline: number;
  readonly messages: number;
  readonly steps: readonly Step[];
}

const ordinary: fc.Arbitrary<Step>[] = [
  fc.record({ wait: fc.double({ min: 0.01, max: 900, noNaN: true }) }),
  fc.record({ answer: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ arrive: fc.integer({ min: 1, max: 40 }) }),
];

function runs(...unusual: Step[]): fc.Arbitrary<Run> {
  const steps = fc.array(fc.oneof(...ordinary, ...ordinary, ...unusual.map((step) => fc.constant(step))), {
    maxLength: 80,
  });
  return fc.record({
    greeting: fc.integer({ min: 0, max: 2 }),
    isKnown: fc.boolean(),
    pipeline: fc.integer({ min: 1, max: 4 }),
    messages: fc.integer({ min: 1, max: 30 }),
    steps,
  });
}

/** Sends a run's messages over one connection to a server that follows its steps, then answers everything. */
class Conversation {
  readonly tally = new Tally();
  /** When each message was sent. */
  readonly sentAt: number[] = [];
  /** The real latency of each answered message. */
  readonly truth: number[] = [];
  now = 1000;
  isBroken = false;
  /** The number of messages that were pushed, and of those that were never answered. */
  pushed = 0;
  skipped = 0;
  readonly #load: LoadConnection;
  readonly #pipeline: number;
  #left: number;
  /** What the server has sent and what has not arrived, with the message that each line answers. */
  #output = '';
  readonly #lines: (number | undefined)[] = [];
  /** The next message that the server will answer. */
  #next = 0;

  constructor({ greeting, isKnown, pipeline, messages, steps }: Run) {
    vi.spyOn(performance, 'now').mockImplementation(() => this.now);
    this.#pipeline = pipeline;
    this.#left = messages;
    this.#load = this.#connection(isKnown ? greeting : 0, !isKnown);
    this.#load.start();
    for (let count = 0; count < greeting; count++) this.#say('hello', undefined);
    for (const size of [3, 4, this.#output.length]) this.#arrive(size);
    if (!isKnown) this.#load.expectGreeting(greeting);
    this.#begin();
    for (const step of steps) this.#follow(step);
    this.#finish();
  }

  /** The recorded latencies that were not taken back, by bucket. */
  get recorded(): Map<number, number> {
    for (const { buckets } of this.tally.retractions) this.tally.latency.remove(buckets);
    const data = this.tally.latency.toJSON().buckets;
    return new Map(
      Array.from({ length: data.length / 2 }, (_, at) => [data[2 * at] as number, data[2 * at + 1] as number]),
    );
  }

  #connection(greeting: number, learnsGreeting: boolean): LoadConnection {
    const settings = settingsOf({ replies: 'count', messages: { given: ['ping'] } });
    const wire = {
      unsent: 0,
      start() {},
      end() {},
      release() {},
      abort() {},
      write: (bytes: Uint8Array) => {
        for (const byte of bytes) if (byte === 0x0a) this.sentAt.push(this.now);
      },
    } as unknown as Connection;
    const traffic: Traffic = {
      tally: this.tally,
      latencies: this.tally.latency,
      inFlight: 0,
      lastReplyAt: 0,
      isActive: false,
      claim: (answered) => this.#claim(answered),
      sendSoon: (connection, count) => connection.send(count, this.now),
      settled() {},
      doubted: (latencies) => this.tally.retract(latencies),
      broken: (connection, error, count = 1) => {
        this.tally.fail(error.code, error.message, count);
        this.isBroken = true;
        connection.lose();
      },
    };
    const log = new LatencyLog(this.tally.latency, () => 0, 1);
    const protocol = resolveWire({ framing: 'lines' });
    const options = {
      number: 1,
      payload: payloadsOf(settings)(1),
      protocol,
      replies: 'count',
      errors: undefined,
    } as const;
    return new LoadConnection({ ...options, greeting, learnsGreeting, log }, wire, traffic);
  }

  #claim(count: number): number {
    const claimed = Math.min(count, this.#left);
    this.#left -= claimed;
    return claimed;
  }

  #begin(): void {
    const count = this.#claim(this.#pipeline);
    if (count > 0) this.#load.send(count, this.now);
  }

  #follow(step: Step): void {
    if (step === 'push') {
      this.pushed++;
      this.#say('news', undefined);
    } else if (step === 'skip') {
      if (this.#next < this.sentAt.length) {
        this.#next++;
        this.skipped++;
      }
    } else if ('wait' in step) this.now += step.wait;
    else if ('answer' in step) this.#answer(step.answer);
    else this.#arrive(step.arrive);
  }

  #answer(count: number): void {
    for (let left = count; left > 0 && this.#next < this.sentAt.length; left--)
      this.#say(`ok ${this.#next}`, this.#next++);
  }

  #say(text: string, message: number | undefined): void {
    this.#output += `${text}\n`;
    this.#lines.push(message);
  }

  /** Delivers a chunk. What is true is noted before the generator sees it. */
  #arrive(length: number): void {
    const chunk = this.#output.slice(0, length);
    if (chunk === '' || this.isBroken) return;
    this.#output = this.#output.slice(length);
    for (const character of chunk) {
      if (character !== '\n') continue;
      const message = this.#lines.shift();
      if (message !== undefined) this.truth.push(this.now - (this.sentAt[message] as number));
    }
    this.#load.onData(Buffer.from(chunk));
  }

  /** Everything is answered and arrives; what is still missing then will never come. */
  #finish(): void {
    while (!this.isBroken && (this.#output !== '' || this.#next < this.sentAt.length)) {
      this.now += 7.3;
      this.#answer(3);
      this.#arrive(11);
    }
    if (!this.isBroken && this.#load.oldest !== Number.POSITIVE_INFINITY) {
      this.tally.fail('YODEL_REPLY_TIMEOUT', 'no reply');
      this.#load.lose();
    }
  }
}

function expectOnlyTruth({ recorded, truth }: Conversation): void {
  const left = new Map<number, number>();
  for (const latency of truth) left.set(bucketOf(latency), (left.get(bucketOf(latency)) ?? 0) + 1);
  for (const [bucket, count] of recorded) expect(left.get(bucket) ?? 0).toBeGreaterThanOrEqual(count);
}

test('a server that greets, delays, and splits or merges its replies: every latency is recorded, and is that of its message', () => {
  fc.assert(
    fc.property(runs(), (run) => {
      const conversation = new Conversation(run);
      expect(conversation.tally.errorCount).toBe(0);
      expect([...conversation.recorded.values()].reduce((sum, count) => sum + count, 0)).toBe(run.messages);
      expectOnlyTruth(conversation);
    }),
    { numRuns: 300 },
  );
});

test('a server that sends more messages than requests: it is an error, and no latency is that of another message', () => {
  fc.assert(
    fc.property(runs('push'), (run) => {
      const conversation = new Conversation(run);
      expect(conversation.tally.errors.has('YODEL_UNEXPECTED_REPLY')).toBe(conversation.pushed > 0);
      expectOnlyTruth(conversation);
    }),
    { numRuns: 300 },
  );
});

test('a server that sends fewer: it is an error, and no latency is that of another message', () => {
  fc.assert(
    fc.property(runs('skip'), (run) => {
      const conversation = new Conversation(run);
      expect(conversation.tally.errors.has('YODEL_REPLY_TIMEOUT')).toBe(conversation.skipped > 0);
      expectOnlyTruth(conversation);
    }),
    { numRuns: 300 },
  );
});

test('what is taken back is counted, with the second of the run from which latencies are in doubt', () => {
  const tally = new Tally();
  let second = 3;
  const log = new LatencyLog(tally.latency, () => second, 1);
  log.record(1, 1);
  log.record(1, 1);
  log.settle();
  second = 4;
  log.record(5, 1);
  log.record(6, 3);
  tally.retract(log.retractUnsettled());
  expect(tally.retractions).toEqual([{ from: 4, buckets: [bucketOf(5), 1, bucketOf(6), 3] }]);
  expect(tally.untimed).toBe(4);
  tally.retract(log.retractAll());
  expect(tally.retractions[1]).toEqual({ from: 3, buckets: [bucketOf(1), 2] });
  expect(log.retractAll()).toBeUndefined();
  expect(tally.untimed).toBe(6);
});

test('when all messages had been answered, a reply that is missing later casts no doubt on the earlier ones', () => {
  const wait = { wait: 5 };
  const exchange = [wait, { answer: 1 }, { arrive: 40 }];
  const steps = [...exchange, ...exchange, ...exchange, 'skip' as const];
  const { recorded, tally } = new Conversation({ greeting: 0, isKnown: true, pipeline: 1, messages: 5, steps });
  expect([...recorded]).toEqual([[bucketOf(5), 3]]);
  expect(tally.untimed).toBe(0);
});

test('latencies in the same bucket are told apart by whether they are certain', () => {
  const tally = new Tally();
  const log = new LatencyLog(tally.latency, () => 0, 1);
  log.record(5);
  log.settle();
  log.record(5);
  expect(log.retractUnsettled()?.buckets).toEqual([bucketOf(5), 1]);
});

test('of very many latencies, none is forgotten', () => {
  const tally = new Tally();
  let second = 2;
  const log = new LatencyLog(tally.latency, () => second, 1_000_000_000);
  for (let index = 0; index < 50_000; index++) log.record(index % 2 === 0 ? 1 : 2);
  log.settle();
  second = 3;
  for (let index = 0; index < 50_001; index++) log.record(index % 2 === 0 ? 3 : 4);
  const countsOf = ({ buckets }: Retraction) => {
    const counts = new Map<number, number>();
    for (let at = 0; at < buckets.length; at += 2)
      counts.set(buckets[at] as number, (counts.get(buckets[at] as number) ?? 0) + (buckets[at + 1] as number));
    return Object.fromEntries(counts);
  };
  const unsettled = log.retractUnsettled() as Retraction;
  expect(unsettled.from).toBe(3);
  expect(countsOf(unsettled)).toEqual({ [bucketOf(3)]: 25_001, [bucketOf(4)]: 25_000 });
  const all = log.retractAll() as Retraction;
  expect(all.from).toBe(2);
  expect(countsOf(all)).toEqual({ [bucketOf(1)]: 25_000, [bucketOf(2)]: 25_000 });
  expect(log.retractAll()).toBeUndefined();
});
