import type { YodelError } from '../errors.ts';
import type { Protocol } from '../framing/protocol.ts';
import type { Connection } from '../transport/transport.ts';
import { LoadConnection, type Traffic } from './connection.ts';
import { LatencyLog, type LatencyRecorder, listenMs, type Retraction } from './latency-log.ts';
import { OpenLoop, timerSlackMs } from './open-loop.ts';
import { type Payload, payloadsOf } from './payload.ts';
import { isAnonymous, type LoadSettings, type LoadShare, protocolOf } from './plan.ts';
import { Pool, type PoolOwner } from './pool.ts';
import { ProcessorTime } from './processor-time.ts';
import { ErrorPattern } from './replies/error-pattern.ts';
import { type Stage, StageRecorder } from './stages.ts';
import { Tally } from './tally.ts';
import { Timers } from './timers.ts';
import { Unheard } from './unheard.ts';

const intervalMs = 1000;
/** If no replies are expected: the time for the server to read everything and end its side. */
const finishMs = 1000;

/** How the run of one process ended. */
export interface GeneratorEnd {
  /** `failed` when no connection was left. */
  readonly ended: 'done' | 'interrupted' | 'failed';
  /** The duration of the run, including the wait for the last replies. */
  readonly elapsedMs: number;
  /** The time during which messages were sent. */
  readonly sendingMs: number;
  /** The used share of one core, without the time spent waiting for the next message to be due. */
  readonly cpu: number;
}

/**
 * Called at the end of each second.
 *
 * @param index the second of the run, from 0
 * @param tally the counts of that second; valid during the call only
 * @param up the number of connections
 * @param isLast whether this is the last call
 */
export type IntervalListener = (index: number, tally: Tally, up: number, isLast: boolean) => void;

/**
 * The load of one process: opens its connections, keeps them busy, and ends in time.
 *
 * | State    | What happens                                              | Ends when                                            |
 * |----------|-----------------------------------------------------------|------------------------------------------------------|
 * | opening  | each connection is tried once                             | all were tried                                       |
 * | sending  | messages are sent; lost connections are opened again      | all are sent, time is up, no connection left, `stop` |
 * | settling | only replies are received                                 | all arrived or timed out, `stop`                     |
 * | over     | everything is closed                                      |                                                      |
 */
export class Generator implements Traffic, PoolOwner {
  readonly tally = new Tally();
  stageAt: ((time: number) => number) | undefined;
  #recorder: LatencyRecorder = this.tally.latency;
  readonly #unheard = new Unheard(this.tally);
  inFlight = 0;
  lastReplyAt = Number.NEGATIVE_INFINITY;
  isActive = false;
  readonly #settings: LoadSettings;
  readonly #share: LoadShare;
  readonly #pool: Pool;
  readonly #protocol: Protocol;
  readonly #errors: ErrorPattern | undefined;
  /** Whether the number of messages that the server sends before any request is not known yet. */
  learnsGreeting: boolean;
  #greeting: number;
  readonly #payloadOf: (connection: number) => Payload;
  readonly #onInterval: IntervalListener;
  #state: 'opening' | 'sending' | 'settling' | 'over' = 'opening';
  #startAt = Number.NaN;
  #stopAt = Number.POSITIVE_INFINITY;
  /** When the last message was sent or time was up. */
  #sentAllAt = Number.NaN;
  #isFinishing = false;
  /** Messages left to claim. */
  #left: number;
  /** The time of the first failure after the last reply. */
  #failingSince = Number.POSITIVE_INFINITY;
  /** The time since which every attempt to connect has failed. */
  #unreachableSince = Number.POSITIVE_INFINITY;
  #openLoop: OpenLoop | undefined;
  /** Messages claimed but not sent yet. */
  #claimed: { readonly connection: LoadConnection; readonly count: number }[] = [];
  #interval = 0;
  readonly #processor = new ProcessorTime();
  #cpu = 0;
  readonly #timers = new Timers();
  readonly #ended = Promise.withResolvers<GeneratorEnd>();

  /** @throws YodelError when the settings contradict each other */
  constructor(share: LoadShare, onInterval: IntervalListener) {
    const { settings } = share;
    this.#settings = settings;
    this.#share = share;
    this.#onInterval = onInterval;
    this.#pool = new Pool(share, this, this.#timers);
    this.#protocol = protocolOf(settings);
    const { replies, greeting = this.#protocol.greeting, errorPattern } = settings;
    this.learnsGreeting = replies === 'count' && greeting === undefined;
    this.#greeting = greeting ?? 0;
    this.#errors = ErrorPattern.of(
      errorPattern === undefined ? this.#protocol : { errorPattern: new RegExp(errorPattern) },
    );
    this.#left = share.count ?? Number.POSITIVE_INFINITY;
    this.#payloadOf = payloadsOf(settings);
  }

  /** Tries to open each connection once. Resolves with the first error when every attempt failed. */
  open(): Promise<YodelError | undefined> {
    return this.#pool.openAll(this.#opensOnDemand ? 1 : undefined);
  }

  /** Whether a connection is opened only when there is a message to send over it, which is then its only one. */
  get #opensOnDemand(): boolean {
    return this.#settings.reconnectEach === true && this.#settings.rate === null;
  }

  /**
   * What most connections have received so far, without having sent anything, is the greeting. Connections that are opened
   * later wait for as many messages.
   */
  learnGreeting(): void {
    const counts = this.#pool.up.map(({ unasked }) => unasked).sort((a, b) => a - b);
    this.#greeting = counts[Math.floor(counts.length / 2)] ?? 0;
    this.learnsGreeting = false;
    for (const connection of this.#pool.up) connection.expectGreeting(this.#greeting);
  }

  /** Resolves at the end of the run. */
  get ended(): Promise<GeneratorEnd> {
    return this.#ended.promise;
  }

  /** Sends from `startAt` on, on the clock of `performance.now()`. */
  run(startAt: number): void {
    if (this.#state !== 'opening') return;
    // A timer may be late, so it fires early. An open loop waits out the rest precisely; a closed loop starts at once.
    const delayMs = startAt - performance.now() - timerSlackMs;
    this.#timers.after(delayMs, () => this.#begin(this.#settings.rate === null ? performance.now() : startAt));
  }

  /** Ends at once; unanswered messages stay unanswered. */
  stop(): void {
    this.#end('interrupted', performance.now());
  }

  claim(answered: number, now: number, connection?: LoadConnection): number {
    if (this.#settings.reconnectEach && connection) {
      this.#pool.renew(connection);
      this.#openLoop?.connectionsChanged(this.#pool.up);
      return 0;
    }
    if (this.#openLoop || this.#state !== 'sending' || now >= this.#stopAt) return 0;
    const claimed = Math.min(answered, this.#left);
    this.#left -= claimed;
    if (this.#left === 0) this.#settle(now);
    return claimed;
  }

  /**
   * Sends after all sockets that are ready have been read. A write to a sleeping server has to wake it, which costs more
   * than the rest of the write; of several writes in a row, only the first one does. On Node this gives 40 % more messages
   * (64 connections).
   */
  sendSoon(connection: LoadConnection, count: number): void {
    if (this.#share.connections === 1) return connection.send(count, performance.now());
    if (this.#claimed.length === 0) setImmediate(this.#sendClaimed);
    this.#claimed.push({ connection, count });
  }

  settled(): void {
    const isWaiting = this.inFlight > 0 || this.#claimed.length > 0;
    if (this.#state !== 'settling' || isWaiting || this.#isFinishing) return;
    this.#isFinishing = true;
    const endedAt = Math.max(this.#sentAllAt, this.lastReplyAt);
    if (isAnonymous(this.#settings)) return this.#listen(endedAt);
    if (this.#settings.replies !== 'none') return this.#end('done', endedAt);
    // Closing a connection with unread replies would reset it, and discard what the server has not read yet.
    const finished = this.#pool.up.map((connection) => connection.finish());
    void Promise.all(finished).then(() => this.#end('done', endedAt));
    this.#timers.after(finishMs, () => this.#end('done', endedAt));
  }

  /** Waits for replies that are too many: the run would else end before it turns out that the latencies are wrong. */
  #listen(endedAt: number): void {
    this.#timers.after(listenMs(this.#pool.slowest), () => this.#end('done', endedAt));
  }

  doubted(latencies: Retraction | undefined): void {
    this.#unheard.doubt(latencies);
  }

  unheard(connection: LoadConnection): void {
    this.#unheard.add(connection.takeLatencies());
  }

  broken(connection: LoadConnection, error: YodelError, count = 1): void {
    this.tally.fail(error.code, error.message, count);
    this.#lose(connection);
  }

  get needsConnections(): boolean {
    return this.#state === 'opening' || this.#state === 'sending';
  }

  needsAnother(opening: number): boolean {
    return this.needsConnections && (!this.#opensOnDemand || this.#left > opening);
  }

  notConnected(error: YodelError): void {
    this.#unreachableSince = Math.min(this.#unreachableSince, performance.now());
    this.tally.fail(error.code, error.message);
  }

  connected(number: number, opened: Connection): LoadConnection {
    const { replies } = this.#settings;
    const options = {
      ...{ number, payload: this.#payloadOf(number), protocol: this.#protocol, replies, errors: this.#errors },
      ...{ greeting: this.#greeting, learnsGreeting: this.learnsGreeting },
      log: isAnonymous(this.#settings)
        ? new LatencyLog(
            { record: (value, count) => this.#recorder.record(value, count) },
            () => this.#interval,
            this.#share.connections,
          )
        : undefined,
    };
    const connection = new LoadConnection(options, opened, this);
    connection.start();
    return connection;
  }

  ready(connection: LoadConnection, tookMs: number): void {
    if (this.#settings.reconnectEach) this.tally.connect.record(tookMs);
    this.tally.opened++;
    this.#unreachableSince = Number.POSITIVE_INFINITY;
    if (this.#state === 'sending') this.#use(connection);
  }

  #lose(connection: LoadConnection): void {
    this.tally.lost++;
    connection.lose();
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
    if (this.#pool.up.length < this.#share.connections && !this.#opensOnDemand) this.#failingSince = startAt;
    this.#processor.start();
    const { durationMs, rate, threads, timeoutMs, reconnectEach, stages } = this.#settings;
    if (stages) this.#beginStages(stages, startAt);
    if (durationMs !== null) {
      this.#stopAt = startAt + durationMs;
      this.#timers.after(this.#stopAt - performance.now(), () => this.#timeIsUp());
    }
    this.#nextInterval();
    this.#checkDeadlines(Math.min(250, Math.max(5, timeoutMs / 10)));
    if (rate !== null) {
      const options = { start: startAt, rate, every: threads, offset: this.#share.index };
      const { count } = this.#settings;
      // A run with a duration takes that long. A run with a count takes as long as its messages take at this rate.
      this.#openLoop = new OpenLoop(
        { ...options, isOneEach: reconnectEach === true, stages },
        this.#left,
        this,
        (endsAt) => {
          if (count !== null) this.#settle(Math.min(this.#stopAt, Math.max(endsAt, performance.now())));
        },
      );
      this.#openLoop.connectionsChanged(this.#pool.up);
    }
    if (this.#left === 0) this.#settle(startAt);
    for (const connection of this.#pool.up) this.#use(connection);
    if (this.#opensOnDemand) this.#pool.openOthers();
    this.#openLoop?.start();
  }

  #beginStages(stages: readonly Stage[], startAt: number): void {
    const recorder = new StageRecorder(stages, this.tally, startAt);
    this.#recorder = recorder;
    this.stageAt = (time) => recorder.at(time);
    this.tally.stageNow = () => recorder.at(performance.now());
  }

  get latencies(): LatencyRecorder {
    return this.#recorder;
  }

  readonly #sendClaimed = (): void => {
    const claimed = this.#claimed;
    this.#claimed = [];
    if (this.#state === 'over') return;
    for (const { connection, count } of claimed) connection.send(count, performance.now());
    if (this.inFlight === 0) this.settled();
  };

  /** Sends the first messages on a new connection. */
  #use(connection: LoadConnection): void {
    if (this.#openLoop) return this.#openLoop.connectionsChanged(this.#pool.up);
    const now = performance.now();
    const count = this.claim(this.#settings.pipeline ?? 1, now);
    if (count > 0) connection.send(count, now);
  }

  #timeIsUp(): void {
    this.#openLoop?.sendDue(this.#stopAt);
    this.#openLoop?.dropWaiting(this.#stopAt);
    this.#settle(this.#stopAt);
  }

  /** Stops sending; only replies are still received. */
  #settle(now: number): void {
    if (this.#state !== 'sending') return;
    this.#state = 'settling';
    this.#sentAllAt = now;
    this.#openLoop?.stop();
    this.#measureCpu(now);
    // Claimed messages may not have been sent yet.
    setImmediate(() => this.settled());
  }

  #measureCpu(now: number): void {
    this.#cpu = this.#processor.share(now - this.#startAt, this.#openLoop?.spunMs ?? 0);
  }

  #nextInterval(): void {
    const at = this.#startAt + (this.#interval + 1) * intervalMs;
    this.#timers.after(at - performance.now(), () => {
      this.#reportInterval();
      this.#nextInterval();
    });
  }

  #reportInterval(): void {
    this.#onInterval(this.#interval++, this.tally, this.#pool.up.length, this.#state === 'over');
    this.tally.clear();
  }

  #checkDeadlines(everyMs: number): void {
    this.#timers.after(everyMs, () => {
      const now = performance.now();
      const { timeoutMs } = this.#settings;
      for (const connection of this.#pool.up) {
        if (connection.oldest <= now - timeoutMs) this.#timeOut(connection, now - timeoutMs);
      }
      if (this.#isUnreachable(now)) return this.#end('failed', now);
      if (this.#state !== 'over') this.#checkDeadlines(everyMs);
    });
  }

  /**
   * Whether no connection is left, and none could be opened within the time-out of a reply. A server that hangs may still
   * accept connections; the run then continues, unless nothing else would end it.
   */
  #isUnreachable(now: number): boolean {
    if (this.#state !== 'sending' || this.#pool.up.length > 0) return false;
    const hasEnd = this.#stopAt < Number.POSITIVE_INFINITY;
    const since = hasEnd ? this.#unreachableSince : Math.max(this.#failingSince, this.lastReplyAt);
    return now - since >= this.#settings.timeoutMs;
  }

  #timeOut(connection: LoadConnection, sentBefore: number): void {
    const count = connection.countUpTo(sentBefore);
    const problem = this.#settings.replies === 'none' ? 'read no message' : 'sent no reply';
    const text = `the server ${problem} on connection ${connection.number} within ${this.#settings.timeoutMs} ms`;
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
    this.#pool.close();
    this.#reportInterval();
    const since = (time: number) => (hasBegun ? Math.max(0, time - this.#startAt) : 0);
    const sentAllAt = Number.isNaN(this.#sentAllAt) ? now : this.#sentAllAt;
    this.#ended.resolve({ ended, elapsedMs: since(now), sendingMs: since(sentAllAt), cpu: this.#cpu });
  }
}
