/** All connections of one process: opens them, keeps them busy, and ends in time. */
import type { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Connection } from '../transport/transport.ts';
import { LoadConnection, type Traffic } from './connection.ts';
import { OpenLoop, timerSlackMs } from './open-loop.ts';
import { type Payload, payloadsOf } from './payload.ts';
import { framingOf, type LoadSettings, type LoadShare } from './plan.ts';
import { Pool, type PoolOwner } from './pool.ts';
import { ProcessorTime } from './processor-time.ts';
import { Tally } from './tally.ts';
import { Timers } from './timers.ts';

const intervalMs = 1000;
/** How long a server that sends no replies that anybody awaits may take to read to the end. */
const partingMs = 1000;

/** How the run of one process ended. */
export interface GeneratorEnd {
  /** `failed` when there was no connection any more. */
  readonly ended: 'done' | 'interrupted' | 'failed';
  /** How long was measured, the wait for the last replies included. */
  readonly elapsedMs: number;
  /** How long of it messages were sent. */
  readonly sendingMs: number;
  /** Share of one core that was used, waiting for the next message's time not counted. */
  readonly cpu: number;
}

/**
 * Told of each second that is over.
 *
 * @param index which second of the run, from 0
 * @param tally what was counted in it; lent for the call
 * @param up how many connections there are now
 * @param isLast whether no other will follow
 */
export type IntervalListener = (index: number, tally: Tally, up: number, isLast: boolean) => void;

/**
 * States, in their order:
 *
 * | state     | what happens                                      | ends                                        |
 * |-----------|---------------------------------------------------|---------------------------------------------|
 * | opening   | each connection is tried once                     | when all were tried                         |
 * | sending   | messages go and come; lost connections come again | all sent, time is up, no connection, `stop` |
 * | settling  | only replies come                                 | all came, or their time is up, `stop`       |
 * | over      | everything is let go                              |                                             |
 */
export class Generator implements Traffic, PoolOwner {
  readonly tally = new Tally();
  underWay = 0;
  lastReplyAt = Number.NEGATIVE_INFINITY;
  isActive = false;
  readonly #settings: LoadSettings;
  readonly #share: LoadShare;
  readonly #pool: Pool;
  readonly #framing: Framing;
  readonly #payloadOf: (connection: number) => Payload;
  readonly #onInterval: IntervalListener;
  #state: 'opening' | 'sending' | 'settling' | 'over' = 'opening';
  #startAt = Number.NaN;
  #stopAt = Number.POSITIVE_INFINITY;
  /** When the last message was sent, or the time was up. */
  #sentAllAt = Number.NaN;
  #isParting = false;
  #left: number;
  /** Since when nothing but failures has come. */
  #failingSince = Number.POSITIVE_INFINITY;
  /** Since when no connection could be made. */
  #unreachableSince = Number.POSITIVE_INFINITY;
  #openLoop: OpenLoop | undefined;
  /** Messages that may be sent, and are not yet. */
  #claimed: { readonly connection: LoadConnection; readonly count: number }[] = [];
  #interval = 0;
  readonly #processor = new ProcessorTime();
  #cpu = 0;
  readonly #timers = new Timers();
  readonly #ended = Promise.withResolvers<GeneratorEnd>();

  /** @throws YodelError when the settings do not fit together */
  constructor(share: LoadShare, onInterval: IntervalListener) {
    const { settings } = share;
    this.#settings = settings;
    this.#share = share;
    this.#onInterval = onInterval;
    this.#pool = new Pool(share, this, this.#timers);
    this.#framing = framingOf(settings);
    this.#left = share.count ?? Number.POSITIVE_INFINITY;
    this.#payloadOf = payloadsOf(settings);
  }

  /** Tries to make each connection once. Resolves with the first failure when there is not a single one. */
  open(): Promise<YodelError | undefined> {
    return this.#pool.openAll();
  }

  /** Resolves when all is over. */
  get ended(): Promise<GeneratorEnd> {
    return this.#ended.promise;
  }

  /** Sends from `startAt` on, as `performance.now()` counts. */
  run(startAt: number): void {
    if (this.#state !== 'opening') return;
    // An open loop waits more exactly than a timer does, and a closed loop need not.
    const untilThen = startAt - performance.now() - timerSlackMs;
    this.#timers.after(untilThen, () => this.#begin(this.#settings.rate === null ? performance.now() : startAt));
  }

  /** Ends at once. What is unanswered stays so. */
  stop(): void {
    this.#end('interrupted', performance.now());
  }

  claim(wanted: number, now: number): number {
    if (this.#openLoop || this.#state !== 'sending' || now >= this.#stopAt) return 0;
    const claimed = Math.min(wanted, this.#left);
    this.#left -= claimed;
    if (this.#left === 0) this.#settle(now);
    return claimed;
  }

  /**
   * When all that is ready has been read. A write that finds the server asleep has to wake it, which costs more than the
   * rest of the write; of many in a row only the first one does. On Node that is 40 % more messages (64 connections).
   */
  sendSoon(connection: LoadConnection, count: number): void {
    if (this.#share.connections === 1) return connection.send(count, performance.now());
    if (this.#claimed.length === 0) setImmediate(this.#sendClaimed);
    this.#claimed.push({ connection, count });
  }

  settled(): void {
    const isWaiting = this.underWay > 0 || this.#claimed.length > 0;
    if (this.#state !== 'settling' || isWaiting || this.#isParting) return;
    this.#isParting = true;
    const endedAt = Math.max(this.#sentAllAt, this.lastReplyAt);
    if (this.#settings.replies !== 'none') return this.#end('done', endedAt);
    // To close a connection with replies unread would reset it, and destroy what the server has not read yet.
    const parted = this.#pool.up.map((connection) => connection.part());
    void Promise.all(parted).then(() => this.#end('done', endedAt));
    this.#timers.after(partingMs, () => this.#end('done', endedAt));
  }

  broken(connection: LoadConnection, error: YodelError): void {
    this.tally.fail(error.code, error.message);
    this.#lose(connection);
  }

  get wantsConnections(): boolean {
    return this.#state === 'opening' || this.#state === 'sending';
  }

  notConnected(error: YodelError): void {
    this.#unreachableSince = Math.min(this.#unreachableSince, performance.now());
    this.tally.fail(error.code, error.message);
  }

  connected(number: number, opened: Connection): LoadConnection {
    this.tally.opened++;
    this.#unreachableSince = Number.POSITIVE_INFINITY;
    const { replies } = this.#settings;
    const options = { number, payload: this.#payloadOf(number), framing: this.#framing, replies };
    const connection = new LoadConnection(options, opened, this);
    connection.start();
    return connection;
  }

  ready(connection: LoadConnection): void {
    if (this.#state === 'sending') this.#use(connection);
  }

  #lose(connection: LoadConnection): void {
    this.tally.lost++;
    connection.close();
    this.#pool.replace(connection);
    const now = performance.now();
    if (this.#failingSince === Number.POSITIVE_INFINITY || this.lastReplyAt > this.#failingSince)
      this.#failingSince = now;
    this.#openLoop?.connectionsChanged(this.#pool.up);
    this.settled();
  }

  #begin(startAt: number): void {
    this.#state = 'sending';
    this.#startAt = startAt;
    if (this.#pool.up.length < this.#share.connections) this.#failingSince = startAt;
    this.#processor.start();
    const { durationMs, rate, threads, timeoutMs } = this.#settings;
    if (durationMs !== null) {
      this.#stopAt = startAt + durationMs;
      this.#timers.after(this.#stopAt - performance.now(), () => this.#timeIsUp());
    }
    this.#nextInterval();
    this.#lookAfterDeadlines(Math.min(250, Math.max(5, timeoutMs / 10)));
    if (rate !== null) {
      const options = { start: startAt, rate, every: threads, offset: this.#share.index };
      const { count } = this.#settings;
      // A run that was given a time takes that time, and a count as long as so many messages take.
      this.#openLoop = new OpenLoop(options, this.#left, this, (endsAt) => {
        if (count !== null) this.#settle(Math.min(this.#stopAt, Math.max(endsAt, performance.now())));
      });
      this.#openLoop.connectionsChanged(this.#pool.up);
    }
    if (this.#left === 0) this.#settle(startAt);
    for (const connection of this.#pool.up) this.#use(connection);
    this.#openLoop?.start();
  }

  readonly #sendClaimed = (): void => {
    const claimed = this.#claimed;
    this.#claimed = [];
    if (this.#state === 'over') return;
    for (const { connection, count } of claimed) connection.send(count, performance.now());
    if (this.underWay === 0) this.settled();
  };

  /** Gives a connection that has just come its first messages. */
  #use(connection: LoadConnection): void {
    if (this.#openLoop) return this.#openLoop.connectionsChanged(this.#pool.up);
    const now = performance.now();
    const count = this.claim(this.#settings.pipeline ?? 1, now);
    if (count > 0) connection.send(count, now);
  }

  #timeIsUp(): void {
    this.#openLoop?.sendDue(this.#stopAt);
    this.#settle(this.#stopAt);
  }

  /** No more is sent. */
  #settle(now: number): void {
    if (this.#state !== 'sending') return;
    this.#state = 'settling';
    this.#sentAllAt = now;
    this.#openLoop?.stop();
    this.#measureCpu(now);
    // A message may have been claimed that is not sent yet.
    setImmediate(() => this.settled());
  }

  #measureCpu(now: number): void {
    this.#cpu = this.#processor.share(now - this.#startAt, this.#openLoop?.waitedMs ?? 0);
  }

  #nextInterval(): void {
    const at = this.#startAt + (this.#interval + 1) * intervalMs;
    this.#timers.after(at - performance.now(), () => {
      this.#tellInterval();
      this.#nextInterval();
    });
  }

  #tellInterval(): void {
    this.#onInterval(this.#interval++, this.tally, this.#pool.up.length, this.#state === 'over');
    this.tally.clear();
  }

  #lookAfterDeadlines(everyMs: number): void {
    this.#timers.after(everyMs, () => {
      const now = performance.now();
      const { timeoutMs } = this.#settings;
      for (const connection of this.#pool.up) {
        if (connection.oldest <= now - timeoutMs) this.#giveUp(connection, now - timeoutMs);
      }
      if (this.#isHopeless(now)) return this.#end('failed', now);
      if (this.#state !== 'over') this.#lookAfterDeadlines(everyMs);
    });
  }

  /**
   * No connection is left, and for as long as a reply may take none could be made. A server that stands still takes
   * connections all the same: then the run goes on, unless nothing else would ever end it.
   */
  #isHopeless(now: number): boolean {
    if (this.#state !== 'sending' || this.#pool.up.length > 0) return false;
    const hasEnd = this.#stopAt < Number.POSITIVE_INFINITY;
    const since = hasEnd ? this.#unreachableSince : Math.max(this.#failingSince, this.lastReplyAt);
    return now - since >= this.#settings.timeoutMs;
  }

  #giveUp(connection: LoadConnection, sentBefore: number): void {
    const count = connection.countUpTo(sentBefore);
    const what = this.#settings.replies === 'none' ? 'took no message' : 'sent no reply';
    const text = `the server ${what} on connection ${connection.number} within ${this.#settings.timeoutMs} ms`;
    this.tally.fail('YODEL_REPLY_TIMEOUT', text, count);
    this.#lose(connection);
  }

  #end(ended: GeneratorEnd['ended'], now: number): void {
    if (this.#state === 'over') return;
    if (this.#state === 'sending') this.#measureCpu(now);
    const hasBegun = this.#state !== 'opening';
    this.#state = 'over';
    this.#openLoop?.stop();
    this.#timers.end();
    for (const connection of this.#pool.up) connection.close();
    this.#tellInterval();
    const since = (time: number) => (hasBegun ? Math.max(0, time - this.#startAt) : 0);
    const sentAllAt = Number.isNaN(this.#sentAllAt) ? now : this.#sentAllAt;
    this.#ended.resolve({ ended, elapsedMs: since(now), sendingMs: since(sentAllAt), cpu: this.#cpu });
  }
}
