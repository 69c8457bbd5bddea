/** Calls a session's handler, and awaits it: one callback at a time. */

import type { Reply } from '../codec/reply.ts';
import type { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import { concurrencyOf } from './calls/concurrency.ts';
import { ConcurrentCalls } from './calls/concurrent-calls.ts';
import { isAbort, reportLate } from './calls/failures.ts';
import type { RunnableSession } from './calls/runnable-session.ts';
import type { Fault } from './fault.ts';
import { type HandlerCallbacks, isPromise, nameOfHandler } from './handler.ts';
import type { InFlight } from './handling.ts';
import type { Outbox } from './outbox.ts';
import type { MessageSource } from './requests/message-list.ts';
import type { SessionSettings } from './settings.ts';
import { isSliceOver, nextTurn } from './time-slice.ts';

/** How long it counts what a handler keeps after its session has ended, where there is no `handlerTimeout`. In milliseconds. */
const abandonedMs = 30_000;

/** Runs the handler of one session. */
export class Runner {
  readonly #session: RunnableSession;
  readonly #settings: SessionSettings;
  readonly #outbox: Outbox;
  /** The batch whose messages a `message` handler receives one at a time. */
  #current: MessageSource | undefined;
  /** The message whose reply is awaited. */
  #awaited: Message | undefined;
  /** The batch whose memory is in use: it waits, or the handler works on it. */
  #inUse: MessageSource | undefined;
  /** What {@link Handling} counts while a promise is pending. */
  #inFlight: InFlight | undefined;
  /** When the handler was last called, if a subscriber measures its duration; -1 if none did when it returned a promise. */
  #calledAt = 0;
  /** The batch that was handled last. Its memory can be reused once the replies are sent. */
  #handled: Batch | undefined;
  #isWaiting = false;
  #awaitedPromises = 0;
  /** The callback whose promise is awaited. */
  #callback: keyof HandlerCallbacks = 'message';
  /** `end` was called. */
  #hasEnded = false;
  /** The calls of `message`, where several may be made at a time. */
  readonly #calls: ConcurrentCalls | undefined;
  /** Set once the session is closed, or the handler is abandoned. */
  #closed: { readonly error: YodelError | undefined } | undefined;

  constructor(session: RunnableSession, outbox: Outbox, settings: SessionSettings) {
    this.#session = session;
    this.#outbox = outbox;
    this.#settings = settings;
    this.#calls = concurrencyOf(settings) > 1 ? new ConcurrentCalls(session, outbox, settings) : undefined;
  }

  /** Counts the promises of the handler that were awaited. */
  get awaited(): number {
    return this.#calls ? this.#awaitedPromises + this.#calls.awaited : this.#awaitedPromises;
  }

  /** Whether promises of the handler are pending, so that nothing else can be handled now. */
  get isWaiting(): boolean {
    return this.#isWaiting || (this.#calls?.isFull ?? false);
  }

  /** Whether a promise of the handler is pending. */
  get isBusy(): boolean {
    return this.#isWaiting || (this.#calls?.isBusy ?? false);
  }

  /** When the oldest of several calls began, in the time of {@link Clock.ran}; undefined where there is only one at a time. */
  get oldestCall(): number | undefined {
    return this.#calls?.oldest;
  }

  /** See {@link ConcurrentCalls.precede}. */
  precede(effect: Fault['effect']): boolean {
    return this.#calls?.precede(effect) ?? false;
  }

  /** See {@link ConcurrentCalls.postpone}. */
  postpone(thrown: unknown): boolean {
    return this.#calls?.postpone(thrown) ?? false;
  }

  /** Whether messages wait for {@link continue}. */
  get hasMessages(): boolean {
    return this.#current !== undefined || (this.#calls?.hasMessages ?? false);
  }

  /** Whether the handler has nothing to do. */
  get isIdle(): boolean {
    return !this.isBusy && !this.hasMessages;
  }

  /** Bytes of the messages that wait for {@link continue}. */
  get bytes(): number {
    return this.#current?.byteLength ?? this.#calls?.bytes ?? 0;
  }

  /** Bytes of memory that the messages keep which wait for {@link continue}. Those that are being handled count in `Handling`. */
  get memory(): number {
    if (this.#calls) return this.#calls.memory;
    return this.#inUse && !this.#isWaiting ? this.#inUse.memory : 0;
  }

  /** The callback whose promise is awaited, for the log: `message() of reverse.mjs`. */
  get waitsFor(): string {
    const name = nameOfHandler(this.#settings.handler);
    const callback = this.#isWaiting ? this.#callback : 'message';
    return `${String(callback)}() of ${name === undefined || name === '' ? 'the handler' : name}`;
  }

  /** What `authorizeUpgrade` gave the session as its data, or what the option `data` creates for it. */
  createData(): unknown {
    const given = this.#session.upgrade?.data;
    if (given !== undefined) return given;
    try {
      return this.#settings.data?.(this.#session);
    } catch (thrown) {
      this.#session.handlerFailed(thrown);
      // For `close`.
      return {};
    }
  }

  /** Calls `open`, unless the data could not be created. */
  open(): void {
    if (!this.#session.ended) this.#call('open');
  }

  /** Passes a batch to a `batch` handler, or keeps its messages for {@link continue}. */
  handle(batch: MessageSource): void {
    if (this.#calls) return this.#calls.handle(batch);
    const { handler } = this.#settings;
    if (handler.message) {
      this.#current = batch;
      this.#inUse = batch;
      return;
    }
    if (handler.batch) this.#handleBatch(batch as Batch);
    this.#session.checkMessageLimit();
  }

  /** Returns the waiting messages, for requests of the session. They come back by {@link handle}. */
  giveBack(): MessageSource | undefined {
    if (this.#calls) return this.#calls.giveBack();
    const current = this.#current;
    if (!current || current.count === 0) return undefined;
    this.#current = undefined;
    if (!this.#isWaiting) this.#inUse = undefined;
    return current;
  }

  /** Time in which requests to the peer were pending does not count for `handlerTimeout`. */
  extend(since: number, until: number): void {
    this.#calls?.extend(since, until);
  }

  /** Handles the waiting messages one after another, until none is left or the handler or the peer makes them wait. */
  continue(): void {
    if (this.#calls) return this.#calls.continue();
    const pending = this.#handleMessages();
    if (pending) void this.#await('message', pending, this.#awaited ? 1 : 0);
  }

  /** Calls `end`, once. Returns whether its promise is pending. */
  end(): boolean {
    if (this.#hasEnded) return false;
    this.#hasEnded = true;
    if (this.#settings.telemetry.watched && this.#session.endedBy === 'peer') this.#reportInputEnd();
    this.#call('end');
    return this.#isWaiting;
  }

  #reportInputEnd(): void {
    const { telemetry } = this.#settings;
    // Replies to the last messages precede the end.
    if (telemetry.observesSent) this.#session.flush();
    telemetry.emit('inputEnded', this.#session);
  }

  /** Calls `close`: the session is over. The promise, if any, resolves when the handler needs its place no more. */
  close(error: YodelError | undefined): Promise<void> | undefined {
    this.#closed = { error };
    const { handler, running, limits, memoryLimit } = this.#settings;
    const keptMs = limits.handlerTimeout || abandonedMs;
    if (this.#inFlight) memoryLimit.handling.abandon(this.#inFlight, keptMs);
    this.#calls?.close(error, keptMs);
    running[0] = this.#session.id;
    try {
      const done = handler.close?.(this.#session, error);
      if (!isPromise(done)) return undefined;
      const settled = done.then(undefined, (thrown: unknown) => this.#failedLate(thrown));
      return handler.awaitsClose ? settled : undefined;
    } catch (thrown) {
      this.#failedLate(thrown);
      return undefined;
    } finally {
      running[0] = 0;
    }
  }

  /** Calls `missed`. Returns whether the handler has it. */
  missed(room: string, messages: number): boolean {
    const { handler } = this.#settings;
    return this.#tells(handler.missed && (() => handler.missed?.(this.#session, room, messages)));
  }

  /** Calls `taken`. Returns whether the handler has it. */
  taken(room: string): boolean {
    const { handler } = this.#settings;
    return this.#tells(handler.taken && (() => handler.taken?.(this.#session, room)));
  }

  #tells(call: (() => Reply) | undefined): boolean {
    if (!call) return false;
    try {
      this.#reply(call());
    } catch (thrown) {
      this.#session.handlerFailed(thrown);
    }
    return true;
  }

  /** The handler took too long: the session ends with `error`, and what the handler still does is ignored. */
  abandon(error: YodelError): void {
    this.#closed = { error };
    this.#calls?.abandon(error);
  }

  /** Discards the waiting messages. */
  drop(): void {
    this.#current = undefined;
    if (!this.#isWaiting) this.#inUse = undefined;
    this.#calls?.drop();
  }

  /** All replies so far were passed to the connection. @param isSent whether the operating system has taken them */
  flushed(isSent: boolean): void {
    if (this.#handled && isSent) this.#handled.release();
    this.#handled = undefined;
  }

  #call(callback: 'open' | 'end'): void {
    const { handler } = this.#settings;
    if (!handler[callback]) return;
    this.#settings.running[0] = this.#session.id;
    try {
      const reply = handler[callback]?.(this.#session);
      if (isPromise(reply)) void this.#await(callback, reply, 0);
      else this.#reply(reply);
    } catch (thrown) {
      this.#session.handlerFailed(thrown);
    }
    this.#settings.running[0] = 0;
  }

  #handleBatch(batch: Batch): void {
    const { handler, telemetry, clock } = this.#settings;
    this.#calledAt = telemetry.timed ? clock.now() : -1;
    const { count } = batch;
    this.#settings.running[0] = this.#session.id;
    try {
      const reply = handler.batch?.(batch, this.#session);
      if (isPromise(reply)) {
        // The handler may send the batch back long after the call that its bytes are borrowed for.
        batch.endBorrow();
        this.#inUse = batch;
        void this.#await('batch', reply, count);
      } else {
        if (telemetry.timed) this.#emitHandled(count);
        this.#reply(reply);
        this.#handled = batch;
      }
    } catch (thrown) {
      this.#session.handlerFailed(thrown);
    }
    this.#settings.running[0] = 0;
  }

  /** Returns the first promise of the handler; its message is in `#awaited`. Without one, it is the turn of other sessions. */
  #handleMessages(): Promise<Reply> | undefined {
    const { handler, telemetry, clock } = this.#settings;
    // Read once: whether a channel has subscribers is not free to look up.
    const isTimed = telemetry.timed;
    const outbox = this.#outbox;
    const current = this.#current;
    let pending: Promise<Reply> | undefined;
    this.#settings.running[0] = this.#session.id;
    // `drop` clears `#current` when the session or its input ends.
    while (current && this.#current === current) {
      const message = current.shift();
      if (!message) break;
      if (isTimed) this.#calledAt = clock.now();
      try {
        const reply = handler.message?.(message, this.#session);
        if (isPromise(reply)) {
          if (!isTimed) this.#calledAt = -1;
          this.#awaited = message;
          pending = reply;
          break;
        }
        if (isTimed) this.#emitHandled(1);
        this.#reply(reply, message);
      } catch (thrown) {
        this.#session.handlerFailed(thrown);
      }
      // A handler may answer a few bytes with megabytes: send these before it produces more.
      if (outbox.isFull) this.#session.flush();
      if (outbox.blocked) break;
      if (current.count > 0 && isSliceOver(clock)) {
        pending = nextTurn(clock);
        break;
      }
    }
    this.#settings.running[0] = 0;
    // A handler may keep its messages.
    current?.endBorrow();
    if (this.#current?.count === 0) this.#current = undefined;
    if (!pending && !this.#current) {
      this.#inUse = undefined;
      this.#session.checkMessageLimit();
    }
    return pending;
  }

  /**
   * Awaits a promise of the handler, and those for the messages that follow. All in one function, so that promises that are
   * already resolved do not form a chain, and their replies are sent in one write.
   *
   * @param messages the number of messages that the first reply answers; 0 for one that `open` or `end` returned, or for none
   */
  async #await(callback: keyof HandlerCallbacks, first: Promise<Reply>, messages: number): Promise<void> {
    this.#isWaiting = true;
    this.#beginHandling();
    this.#callback = callback;
    let answered = messages;
    let pending: Promise<Reply> | undefined = first;
    while (pending) {
      this.#awaitedPromises++;
      // Earlier replies do not wait for a slow one.
      this.#session.turnSoon();
      try {
        const reply: Reply = await pending;
        if (this.#settings.telemetry.timed && answered > 0) this.#emitHandled(answered);
        if (this.#closed) return this.#endHandling();
        this.#reply(reply, this.#awaited);
      } catch (thrown) {
        if (this.#closed) {
          this.#endHandling();
          return isAbort(this.#session, thrown, this.#closed.error) ? undefined : this.#failedLate(thrown);
        }
        this.#session.handlerFailed(thrown);
      }
      const isOver = this.#awaited && this.#current && isSliceOver(this.#settings.clock);
      this.#awaited = undefined;
      if (this.#outbox.isFull) this.#session.flush();
      if (this.#outbox.blocked) break;
      pending = isOver ? nextTurn(this.#settings.clock) : this.#handleMessages();
      answered = this.#awaited ? 1 : 0;
    }
    this.#isWaiting = false;
    this.#endHandling();
    if (!this.#current) {
      this.#inUse = undefined;
      this.#session.checkMessageLimit();
    }
    this.#session.handlerSettled();
  }

  /** The messages of this batch are kept until its promises are settled, with the text that the handler has read. */
  #beginHandling(): void {
    if (!this.#inUse) return;
    this.#inFlight ??= { bytes: 0, isAbandoned: false };
    const bytes = this.#inUse.memory + (this.#awaited?.textMemory ?? 0);
    this.#settings.memoryLimit.handling.begin(this.#inFlight, bytes);
  }

  #endHandling(): void {
    if (this.#inFlight) this.#settings.memoryLimit.handling.end(this.#inFlight);
  }

  #reply(reply: Reply, to?: Message): void {
    if (!this.#session.ended) this.#outbox.reply(reply, to);
  }

  #emitHandled(messages: number): void {
    // It has subscribed meanwhile.
    if (this.#calledAt === -1) return;
    const { telemetry, clock } = this.#settings;
    telemetry.emit('handled', this.#session, messages, clock.now() - this.#calledAt);
  }

  /** The session is closed and its end was reported. */
  #failedLate(thrown: unknown): void {
    reportLate(thrown, this.#session, this.#settings.telemetry);
  }
}
