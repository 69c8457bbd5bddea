/** The handlers of a server from their `start` to their `stop`: the one of new sessions, and those of older ones. */
import type { Clock, Timer } from '../clock.ts';
import { isOwnError, YodelError } from '../errors.ts';
import { formatDuration } from '../format/figures.ts';
import { type HandlerCallbacks, isPromise } from '../session/handler.ts';
import type { SessionServer } from '../session/public-session.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';

/** How long a `stop` may take even if the time of the shutdown is over. In milliseconds. */
const leastStopMs = 1000;

/** What the handlers of a server share. */
export interface StartedHandlersSettings {
  readonly server: SessionServer;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  /** As it is now: a reload may change it. */
  readonly shutdownTimeout: () => number;
}

/**
 * Starts and stops the handlers of one server.
 *
 * | A handler is | Its sessions      | Continues when                                         |
 * |--------------|-------------------|--------------------------------------------------------|
 * | starting     | none              | its `start` has settled (1)                            |
 * | started      | begin and end     | another one is used, or all stop                       |
 * | retired      | end               | the last one is closed, or it is used again            |
 * | stopping     | none              | its `stop` has settled, or takes too long              |
 *
 * (1) If it took too long, so that the server has given up waiting for it, it is stopped as soon as it has started.
 */
export class StartedHandlers {
  readonly #settings: StartedHandlersSettings;
  readonly #starting = new Map<HandlerCallbacks, StartingHandler>();
  readonly #all = new Map<HandlerCallbacks, StartedHandler>();
  #current: StartedHandler | undefined;
  /** All stop: none is started any more. */
  #isOver = false;
  #isTimeOver = false;

  constructor(settings: StartedHandlersSettings) {
    this.#settings = settings;
  }

  /**
   * Starts a handler, unless it is started already. If it returns a promise, that resolves when it is started.
   *
   * @param startTimeout how long that may take, in milliseconds; 0: as long as it likes
   * @throws what its `start` throws, or rejects with; YodelError `YODEL_HANDLER_TIMEOUT`, `YODEL_SHUTTING_DOWN`
   */
  start(handler: HandlerCallbacks, startTimeout: number): Promise<void> | undefined {
    const known = this.#all.get(handler);
    if (known?.stopped) return known.stopped.then(() => this.start(handler, startTimeout));
    if (known || this.#isOver || !(handler.start || handler.stop)) return undefined;
    const late = this.#starting.get(handler);
    if (late) return this.#wait(late, startTimeout);
    const done = handler.start?.(this.#settings.server);
    if (isPromise(done)) return this.#wait(this.#follow(handler, done), startTimeout);
    this.#add(handler);
    return undefined;
  }

  #follow(handler: HandlerCallbacks, done: Promise<void>): StartingHandler {
    const started = () => {
      this.#starting.delete(handler);
      const added = this.#add(handler);
      if (!starting.giveUp) void this.#stop(added);
    };
    const failed = (thrown: unknown) => {
      this.#starting.delete(handler);
      throw thrown;
    };
    const starting: StartingHandler = { done: done.then(started, failed) };
    this.#starting.set(handler, starting);
    return starting;
  }

  #wait(starting: StartingHandler, startTimeout: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    starting.giveUp = (error) => {
      starting.giveUp = undefined;
      late.reject(error);
    };
    const text = `the start() of the handler has not finished within startTimeout (${formatDuration(startTimeout)})`;
    const giveUp = () => starting.giveUp?.(new YodelError('YODEL_HANDLER_TIMEOUT', text));
    const timer = startTimeout > 0 ? this.#settings.clock.deadline(startTimeout, giveUp) : undefined;
    // The race also handles a rejection that comes too late: the caller has its error already.
    starting.outcome = Promise.race([starting.done, late.promise]).finally(() => timer?.cancel());
    return starting.outcome;
  }

  #add(handler: HandlerCallbacks): StartedHandler {
    const added = new StartedHandler(handler, (one) => void this.#stop(one));
    this.#all.set(handler, added);
    return added;
  }

  /** New sessions use this handler. The one before stops when its last session has ended. Undefined: nobody need count sessions. */
  use(handler: HandlerCallbacks): StartedHandler | undefined {
    const before = this.#current;
    this.#current = this.#all.get(handler);
    if (this.#current) this.#current.isRetired = false;
    if (before !== this.#current) before?.retire();
    return this.#current;
  }

  /** A handler that was started is not used after all. */
  refuse(handler: HandlerCallbacks): void {
    if (handler !== this.#current?.handler) this.#all.get(handler)?.retire();
  }

  /** All sessions are closed: stops all handlers, also those that still start. Resolves when that is done, or takes too long. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.allSettled([...this.#starting.values()].map(({ outcome }) => outcome));
    await Promise.all([...this.#all.values()].map((one) => this.#stop(one)));
  }

  /** The time of the shutdown is over: what stops, or will, gets a second, and what starts is not waited for. */
  timeIsOver(): void {
    this.#isTimeOver = true;
    const text = 'the server was closed while its handler started';
    for (const one of this.#starting.values()) one.giveUp?.(new YodelError('YODEL_SHUTTING_DOWN', text));
    for (const one of this.#all.values()) one.limit?.();
  }

  #stop(one: StartedHandler): Promise<void> {
    one.stopped ??= this.#callStop(one);
    return one.stopped;
  }

  async #callStop(one: StartedHandler): Promise<void> {
    const { server, telemetry, clock, shutdownTimeout } = this.#settings;
    const late = Promise.withResolvers<never>();
    let timer: Timer | undefined;
    const began = clock.now();
    const limitTo = (milliseconds: number, limit: string) => {
      timer?.cancel();
      const text = `the stop() of the handler has not finished within ${limit}`;
      const giveUp = () => late.reject(new YodelError('YODEL_HANDLER_TIMEOUT', text));
      timer = clock.after(Math.max(0, milliseconds - (clock.now() - began)), giveUp);
    };
    one.limit = () => limitTo(leastStopMs, 'the time of the shutdown');
    if (this.#isTimeOver) one.limit();
    // Of an open server: it goes on, and may start the same handler again.
    else if (!this.#isOver) limitTo(Math.max(leastStopMs, shutdownTimeout()), 'shutdownTimeout');
    const work = (async () => one.handler.stop?.(server))();
    // What it still does has nobody to report to.
    await Promise.race([work, late.promise]).catch((thrown: unknown) => telemetry.stopFailed(stopFailure(thrown)));
    timer?.cancel();
    this.#all.delete(one.handler);
  }
}

/** A handler whose `start` has returned a promise. */
interface StartingHandler {
  /** Settles as its `start`. */
  readonly done: Promise<void>;
  /** Settles for those who wait: as `done`, or before it when the time is over. */
  outcome?: Promise<void>;
  /** Ends that wait. Undefined: nobody waits. */
  giveUp?: ((error: YodelError) => void) | undefined;
}

/** A handler with `start` or `stop`, and how many sessions use it. */
export class StartedHandler {
  readonly handler: HandlerCallbacks;
  /** No new session uses it. */
  isRetired = false;
  /** Resolves when its `stop` is done; undefined before it is called. */
  stopped: Promise<void> | undefined;
  /** The time for its `stop` is limited from now on. */
  limit: (() => void) | undefined;
  readonly #onUnused: (handler: StartedHandler) => void;
  #sessions = 0;

  constructor(handler: HandlerCallbacks, onUnused: (handler: StartedHandler) => void) {
    this.handler = handler;
    this.#onUnused = onUnused;
  }

  sessionBegan(): void {
    this.#sessions++;
  }

  /** A session is closed, and the handler has ended what it had started for it. */
  sessionEnded(): void {
    this.#sessions--;
    this.#check();
  }

  retire(): void {
    this.isRetired = true;
    this.#check();
  }

  #check(): void {
    if (this.isRetired && this.#sessions === 0) this.#onUnused(this);
  }
}

function stopFailure(thrown: unknown): YodelError {
  if (isOwnError(thrown)) return thrown;
  const isLate = thrown instanceof YodelError && thrown.code === 'YODEL_HANDLER_TIMEOUT';
  return isLate
    ? thrown
    : new YodelError('YODEL_HANDLER_FAILED', 'the stop() of the handler failed', { cause: thrown });
}
