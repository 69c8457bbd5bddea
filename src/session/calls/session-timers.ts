/** Functions that a handler has called later, as long as the session goes on. */
import type { Timer } from '../../clock.ts';
import { YodelError } from '../../errors.ts';
import { checkOption, longestDuration } from '../../option-values.ts';
import { isPromise } from '../handler.ts';
import type { SessionSettings } from '../settings.ts';
import { isAbort } from './failures.ts';
import type { RunnableSession } from './runnable-session.ts';

const allowedDelay = { kind: 'duration', max: longestDuration } as const;

/** Of a session that is over. */
const never: Timer = { cancel: () => undefined };

/** The timers of one session. Created with the first one. */
export class SessionTimers {
  readonly #session: RunnableSession;
  readonly #settings: SessionSettings;
  readonly #isOver: () => boolean;
  readonly #pending = new Set<Timer>();

  /** @param isOver whether the session handles nothing more */
  constructor(session: RunnableSession, settings: SessionSettings, isOver: () => boolean) {
    this.#session = session;
    this.#settings = settings;
    this.#isOver = isOver;
  }

  /** See `Session.after`. */
  start(delayMs: number, run: () => void): Timer {
    checkOption('delayMs', allowedDelay, delayMs);
    if (typeof run !== 'function')
      throw new YodelError('YODEL_INVALID_OPTION', 'session.after() takes a function to call');
    if (this.#isOver()) return never;
    const deadline = this.#settings.clock.deadline(delayMs, () => {
      this.#pending.delete(timer);
      if (!this.#isOver()) this.#call(run);
    });
    const timer = {
      cancel: () => {
        if (this.#pending.delete(timer)) deadline.cancel();
      },
    };
    this.#pending.add(timer);
    return timer;
  }

  /** The session is closed. */
  close(): void {
    for (const timer of this.#pending) timer.cancel();
  }

  #call(run: () => unknown): void {
    const { running } = this.#settings;
    running[0] = this.#session.id;
    try {
      const done = run();
      if (isPromise(done)) done.then(undefined, (thrown: unknown) => this.#failed(thrown));
    } catch (thrown) {
      this.#failed(thrown);
    }
    running[0] = 0;
    this.#session.turn();
  }

  #failed(thrown: unknown): void {
    const { signal } = this.#session;
    if (signal.aborted && isAbort(this.#session, thrown, signal.reason as YodelError | undefined)) return;
    this.#session.handlerFailed(thrown);
    this.#session.turn();
  }
}
