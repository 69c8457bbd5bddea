/**
 * Plays recorded clients against a server, with the recorded concurrency, and compares the server's replies.
 *
 *     steps -> (wait until due) -> a queue for each session: one step after another
 *
 * A message waits for the replies that preceded it in its session. So a replay at any speed sends nothing before it has
 * the replies that the recorded client had.
 */
import { Condition } from '../client/condition.ts';
import { Values } from '../transcript/values.ts';
import { type ReplayProgress, type ReplayResult, ReplayTally } from './result.ts';
import { ReplaySession, type SessionOptions } from './session.ts';
import type { ReplayRun, ReplayStep } from './step.ts';

/** Options of a replay. Times are milliseconds. */
export interface ReplayOptions extends SessionOptions {
  /** 1: with the recorded pauses. 10: ten times as fast. Infinity: without pauses. */
  readonly speed: number;
  readonly signal?: AbortSignal | undefined;
}

/** With this many steps queued for their sessions, no more are read. */
const maxQueued = 10_000;

/** Plays steps. It starts when it is created. */
export class Replay implements ReplayRun {
  /** Resolves at the end, or when `signal` is aborted. Rejects with a `YodelError` when the first connection fails. */
  readonly done: Promise<ReplayResult>;
  readonly #options: ReplayOptions;
  readonly #startedAt = performance.now();
  readonly #open = new Map<string | number, ReplaySession>();
  readonly #tally = new ReplayTally();
  readonly #values = new Values();
  readonly #changed = new Condition();
  #sessions = 0;
  #queued = 0;
  /** Open sessions whose last step is queued. */
  #ending = 0;
  #hasConnected = false;
  #failure: unknown;

  constructor(steps: AsyncIterable<ReplayStep>, options: ReplayOptions) {
    this.#options = options;
    this.done = this.#play(steps);
  }

  get progress(): ReplayProgress {
    const { sent, compared, equal, received, differences } = this.#tally;
    const elapsedMs = performance.now() - this.#startedAt;
    return { sessions: this.#sessions, open: this.#open.size, sent, compared, equal, received, differences, elapsedMs };
  }

  async #play(steps: AsyncIterable<ReplayStep>): Promise<ReplayResult> {
    const { signal } = this.#options;
    const stop = () => this.#changed.notify();
    signal?.addEventListener('abort', stop);
    for await (const step of steps) {
      await this.#untilDue(step);
      if (this.#isOver) break;
      if (endsSession(step)) this.#ending++;
      this.#sessionOf(step).add(step);
    }
    await this.#changed.until(() => this.#open.size === 0 || this.#isOver);
    for (const session of this.#open.values()) session.abort();
    signal?.removeEventListener('abort', stop);
    if (this.#failure) throw this.#failure;
    const { found, latency, recordedLatency } = this.#tally;
    return { ...this.progress, found, latency, recordedLatency };
  }

  get #isOver(): boolean {
    return this.#failure !== undefined || this.#options.signal?.aborted === true;
  }

  async #untilDue(step: ReplayStep): Promise<void> {
    const dueAt = this.#startedAt + step.at / this.#options.speed;
    const isOver = () => this.#isOver;
    for (let ms = dueAt - performance.now(); ms > 0 && !isOver(); ms = dueAt - performance.now())
      await this.#changed.until(isOver, ms);
    await this.#changed.until(() => this.#queued < maxQueued || isOver());
    // A session that was recorded after others had ended must not start before they have ended.
    if (step.kind === 'connect') await this.#changed.until(() => this.#ending === 0 || isOver());
  }

  #sessionOf({ session: name }: ReplayStep): ReplaySession {
    const known = this.#open.get(name);
    if (known) return known;
    this.#sessions++;
    const session = new ReplaySession(name, this.#options, this.#tally, this.#values, {
      queued: () => {
        this.#queued++;
      },
      connected: () => {
        this.#hasConnected = true;
      },
      failed: (error) => {
        // Without any connection, further sessions would only fail in the same way.
        if (!this.#hasConnected) this.#failure ??= error;
      },
      done: (step) => {
        this.#queued--;
        if (endsSession(step)) {
          this.#ending--;
          this.#open.delete(name);
        }
        this.#changed.notify();
      },
    });
    this.#open.set(name, session);
    return session;
  }
}

function endsSession({ kind }: ReplayStep): boolean {
  return kind === 'end';
}
