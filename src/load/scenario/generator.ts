/**
 * A load test that plays a transcript: each user is a play of its own. What precedes the marked block is played when the user
 * connects, the block over and over, what follows it at the end.
 */
import { YodelError } from '../../errors.ts';
import type { GeneratorEnd, IntervalListener } from '../generator.ts';
import { LatencyLog, type LatencyRecorder, type Retraction } from '../latency-log.ts';
import type { LoadSettings, LoadShare } from '../plan.ts';
import { ProcessorTime } from '../processor-time.ts';
import { StageRecorder } from '../stages.ts';
import { Tally } from '../tally.ts';
import { Timers } from '../timers.ts';
import { Unheard } from '../unheard.ts';
import { Rounds } from './rounds.ts';
import { readScript, type Script } from './script.ts';
import { failureOf, User, type UserEvents, type UserOptions } from './user.ts';

const intervalMs = 1000;
/** The maximum number of users that begin at the same time. */
const maxBeginning = 100;
/** The delay before a user that was lost begins again. */
const beginAgainAfterMs = 100;

/** The users of one process. */
export class ScenarioGenerator implements UserEvents {
  readonly tally = new Tally();
  readonly #settings: LoadSettings;
  readonly #share: LoadShare;
  readonly #onInterval: IntervalListener;
  readonly #timers = new Timers();
  readonly #processor = new ProcessorTime();
  readonly #ended = Promise.withResolvers<GeneratorEnd>();
  readonly #users = new Map<number, User>();
  /** Plays that are ending while their user begins another one. */
  readonly #ending = new Set<Promise<void>>();
  /** Whether a play that has ended is listened to: with a connection for each round, one at a time. */
  #isListening = false;
  readonly #unheard = new Unheard(this.tally);
  #script: Script | undefined;
  #rounds: Rounds | undefined;
  #recorder: LatencyRecorder = this.tally.latency;
  #state: 'opening' | 'running' | 'over' = 'opening';
  #startAt = Number.NaN;
  #sentAllAt = Number.NaN;
  #lastReplyAt = Number.NEGATIVE_INFINITY;
  #failingSince = Number.POSITIVE_INFINITY;
  #interval = 0;

  constructor(share: LoadShare, onInterval: IntervalListener) {
    this.#settings = share.settings;
    this.#share = share;
    this.#onInterval = onInterval;
  }

  /** Begins all users. Resolves with the first failure when every user failed. */
  async open(): Promise<YodelError | undefined> {
    const { transcript } = this.#settings;
    if (!transcript) throw new Error('there is no transcript');
    this.#script = await readScript(this.#settings, transcript);
    const { connections, firstConnection } = this.#share;
    let first: YodelError | undefined;
    let next = 0;
    // Without a marked block, each round opens its connections.
    if (!this.#script.loop) return undefined;
    const beginNext = async () => {
      while (next < connections && this.#state === 'opening') first ??= await this.#begin(firstConnection + next++);
    };
    await Promise.all(Array.from({ length: Math.min(maxBeginning, connections) }, beginNext));
    return this.#users.size === 0 ? first : undefined;
  }

  get ended(): Promise<GeneratorEnd> {
    return this.#ended.promise;
  }

  /** Plays from `startAt` on, on the clock of `performance.now()`. */
  run(startAt: number): void {
    if (this.#state === 'opening') this.#timers.after(startAt - performance.now(), () => void this.#run(startAt));
  }

  /** Ends at once. */
  stop(): void {
    this.#end('interrupted', performance.now());
  }

  sent(index: number, at: number): void {
    this.tally.sent++;
    this.tally.request(index).sent++;
    if (this.#recorder instanceof StageRecorder) this.tally.stage(this.#recorder.at(at)).sent++;
  }

  answered(arrivedAt: number): void {
    this.tally.answered++;
    this.#lastReplyAt = Math.max(this.#lastReplyAt, arrivedAt);
    this.#failingSince = Number.POSITIVE_INFINITY;
  }

  logOf(index: number): LatencyLog {
    const record = (value: number) => {
      this.#recorder.record(value);
      this.tally.request(index).latency.record(value);
    };
    return new LatencyLog({ record }, () => this.#interval, this.#share.connections);
  }

  doubted(latencies: Retraction): void {
    if (this.#state !== 'over') this.#unheard.doubt(latencies);
  }

  differed(text: string, place: string, index: number | undefined): void {
    if (this.#state === 'over') return;
    this.tally.fail('YODEL_UNEXPECTED_MESSAGE', text, 1, place);
    if (index !== undefined && index >= 0) this.tally.request(index).errors++;
  }

  connected(tookMs: number): void {
    if (this.#settings.reconnectEach || !this.#script?.loop) this.tally.connect.record(tookMs);
  }

  async #run(startAt: number): Promise<void> {
    const { rate, stages, durationMs, threads } = this.#settings;
    const { connections, firstConnection, count, index } = this.#share;
    this.#state = 'running';
    this.#startAt = startAt;
    this.#processor.start();
    const stopAt = startAt + (durationMs ?? Number.POSITIVE_INFINITY);
    const timing = { startAt, stopAt, count, rate, stages };
    this.#rounds = new Rounds({ ...timing, every: threads, offset: index });
    if (stages) {
      const recorder = new StageRecorder(stages, this.tally, startAt);
      this.#recorder = recorder;
      this.tally.stageNow = () => recorder.at(performance.now());
    }
    if (durationMs !== null) this.#timers.after(stopAt - performance.now(), () => this.#timeIsUp());
    this.#nextInterval();
    await Promise.all(Array.from({ length: connections }, (_, user) => this.#live(firstConnection + user)));
    this.#timeIsUp();
    await Promise.all(this.#ending);
    this.#end(this.#isUnreachable(performance.now()) ? 'failed' : 'done', Math.max(this.#sentAllAt, this.#lastReplyAt));
  }

  /** Plays rounds as one user until there are no more. */
  async #live(number: number): Promise<void> {
    const rounds = this.#rounds as Rounds;
    for (;;) {
      const round = await rounds.next();
      if (!round || this.#state === 'over') break;
      if (round.lateness !== undefined) this.tally.lateness.record(round.lateness);
      const isPlayed = await this.#play(number, round.dueAt);
      if (!isPlayed && !(await this.#pause())) break;
    }
    await this.#leave(number);
  }

  /** Plays a round, over a new connection if needed. Resolves with whether that was possible. */
  async #play(number: number, dueAt: number | undefined): Promise<boolean> {
    if (!this.#users.has(number) && (await this.#begin(number))) return false;
    const user = this.#users.get(number) as User;
    try {
      await user.playRound(dueAt);
    } catch (error) {
      this.#failed(failureOf(error));
      this.#lose(number, user);
      return false;
    }
    this.tally.rounds++;
    if (this.#settings.reconnectEach || !this.#script?.loop) void this.#leave(number);
    else if (user.isOver) {
      this.#lose(number, user);
      return false;
    }
    return true;
  }

  /** Connects, and plays what precedes the marked block. Resolves with what went wrong. */
  async #begin(number: number): Promise<YodelError | undefined> {
    const { connectTimeoutMs, timeoutMs, tls, address } = this.#settings;
    const options: UserOptions = { address, tls, timeoutMs, connectTimeoutMs };
    const user = new User(this.#script as Script, number, options, this);
    try {
      const difference = await user.begin();
      if (difference === undefined && !user.isOver) {
        if (this.#state === 'over') user.abort();
        else this.#users.set(number, user);
        this.tally.opened++;
        return undefined;
      }
      user.abort();
      return new YodelError('YODEL_UNEXPECTED_MESSAGE', difference ?? 'the server ended the connection');
    } catch (error) {
      user.abort();
      const failure = failureOf(error);
      this.#failed(failure);
      return failure;
    }
  }

  /** Plays the end of the transcript, without making the user wait. */
  #leave(number: number): Promise<void> {
    const user = this.#users.get(number);
    this.#users.delete(number);
    if (!user) return Promise.resolve();
    const isLast = this.#script?.loop !== undefined && !this.#settings.reconnectEach;
    const listens = isLast || !this.#isListening;
    this.#isListening = true;
    if (!listens) for (const latencies of user.takeLatencies()) this.#unheard.add(latencies);
    const left = user.end(listens).catch((error: unknown) => this.#failed(failureOf(error)));
    this.#ending.add(left);
    return left.finally(() => {
      if (listens) this.#isListening = false;
      this.#ending.delete(left);
    });
  }

  #lose(number: number, user: User): void {
    this.tally.lost++;
    user.abort();
    this.#users.delete(number);
  }

  #failed(error: YodelError): void {
    if (this.#state === 'over') return;
    this.tally.fail(error.code, error.message);
    this.#failingSince = Math.min(this.#failingSince, performance.now());
  }

  /** Waits before another attempt. Resolves with false if there is no point in it. */
  async #pause(): Promise<boolean> {
    await new Promise<void>((resolve) => {
      setTimeout(resolve, beginAgainAfterMs).unref();
    });
    if (!this.#isUnreachable(performance.now())) return this.#state === 'running';
    this.#rounds?.stop();
    return false;
  }

  #isUnreachable(now: number): boolean {
    return now - this.#failingSince >= this.#settings.timeoutMs;
  }

  #timeIsUp(): void {
    if (!Number.isNaN(this.#sentAllAt)) return;
    this.#sentAllAt = performance.now();
    this.#rounds?.stop();
  }

  #nextInterval(): void {
    const at = this.#startAt + (this.#interval + 1) * intervalMs;
    this.#timers.after(at - performance.now(), () => {
      this.#reportInterval();
      this.#nextInterval();
    });
  }

  #reportInterval(): void {
    this.#onInterval(this.#interval++, this.tally, this.#users.size, this.#state === 'over');
    this.tally.clear();
  }

  #end(ended: GeneratorEnd['ended'], now: number): void {
    if (this.#state === 'over') return;
    const since = (time: number) => (Number.isNaN(this.#startAt) ? 0 : Math.max(0, time - this.#startAt));
    const sentAllAt = Number.isNaN(this.#sentAllAt) ? now : this.#sentAllAt;
    const cpu = Number.isNaN(this.#startAt) ? 0 : this.#processor.share(since(performance.now()), 0);
    this.#state = 'over';
    this.#rounds?.stop();
    this.#timers.end();
    for (const user of this.#users.values()) user.abort();
    this.#reportInterval();
    this.#ended.resolve({ ended, elapsedMs: since(now), sendingMs: since(sentAllAt), cpu });
  }
}
