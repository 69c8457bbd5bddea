/** The handlers of a server from their `start` to their `stop`: the one of new sessions, and those of older ones. */
import type { Clock, Timer } from '../clock.ts';
import { isOwnError, YodelError } from '../errors.ts';
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
}

/**
 * Starts and stops the handlers of one server.
 *
 * | A handler is | Its sessions      | Continues when                                         |
 * |--------------|-------------------|--------------------------------------------------------|
 * | started      | begin and end     | another one is used, or all stop                       |
 * | retired      | end               | the last one is closed, or it is used again            |
 * | stopping     | none              | its `stop` has settled, or takes too long              |
 */
export class StartedHandlers {
  readonly #settings: StartedHandlersSettings;
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
   * @throws what its `start` throws, or rejects with
   */
  start(handler: HandlerCallbacks): Promise<void> | undefined {
    const known = this.#all.get(handler);
    if (known?.stopped) return known.stopped.then(() => this.start(handler));
    if (known || this.#isOver || !(handler.start || handler.stop)) return undefined;
    const done = handler.start?.(this.#settings.server);
    if (isPromise(done)) return done.then(() => this.#add(handler));
    this.#add(handler);
    return undefined;
  }

  #add(handler: HandlerCallbacks): void {
    const added = new StartedHandler(handler, (one) => void this.#stop(one));
    this.#all.set(handler, added);
    // The server was closed meanwhile.
    if (this.#isOver) void this.#stop(added);
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

  /** All sessions are closed: stops all handlers. Resolves when that is done, or takes too long. */
  async stop(): Promise<void> {
    this.#isOver = true;
    await Promise.all([...this.#all.values()].map((one) => this.#stop(one)));
  }

  /** The time of the shutdown is over: what stops, or will, gets a second. */
  timeIsOver(): void {
    this.#isTimeOver = true;
    for (const one of this.#all.values()) one.limit?.();
  }

  #stop(one: StartedHandler): Promise<void> {
    one.stopped ??= this.#callStop(one);
    return one.stopped;
  }

  async #callStop(one: StartedHandler): Promise<void> {
    const { server, telemetry, clock } = this.#settings;
    const late = Promise.withResolvers<never>();
    let timer: Timer | undefined;
    const began = clock.now();
    one.limit = () => {
      const text = 'the stop() of the handler has not finished within the time of the shutdown';
      const giveUp = () => late.reject(new YodelError('YODEL_HANDLER_TIMEOUT', text));
      timer ??= clock.after(Math.max(0, leastStopMs - (clock.now() - began)), giveUp);
    };
    if (this.#isTimeOver) one.limit();
    const work = (async () => one.handler.stop?.(server))();
    // What it still does has nobody to report to.
    await Promise.race([work, late.promise]).catch((thrown: unknown) => telemetry.stopFailed(stopFailure(thrown)));
    timer?.cancel();
    this.#all.delete(one.handler);
  }
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
