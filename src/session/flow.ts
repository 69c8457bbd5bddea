/** Back-pressure: when a session stops reading its peer, and how many bytes it reports to the memory limit. */
import type { YodelError } from '../errors.ts';
import type { Connection, MemoryKeeper } from '../transport/transport.ts';
import type { Inbound } from './inbound.ts';
import type { MemoryLimit, MemoryUser } from './memory-limit.ts';
import type { Outbox } from './outbox.ts';
import type { Runner } from './runner.ts';

/** The session, as its flow control sees it. */
export interface FlowingSession {
  turnSoon(): void;
  disconnect(error: YodelError): void;
}

/** The parts whose bytes count. */
export interface BufferingParts {
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly outbox: Outbox;
}

/** Pauses and resumes the connection of one session, and reports what the session buffers. */
export class Flow implements MemoryUser, MemoryKeeper {
  buffered = 0;
  /** Bytes that the handler buffers itself. {@link account} adds them. */
  handlerBytes = 0;
  /** Bytes that requests to the peer cost. {@link account} adds them. */
  requestBytes = 0;
  readonly #session: FlowingSession;
  readonly #connection: Connection;
  readonly #memoryLimit: MemoryLimit;
  readonly #inbound: Inbound;
  readonly #runner: Runner;
  readonly #outbox: Outbox;
  /** The part of `buffered` that no other session keeps. */
  #own = 0;
  /** Memory that the connection keeps and others may keep as well: how often, and its size. */
  #shared: Map<object, { times: number; readonly size: number }> | undefined;
  #sharedBytes = 0;
  #isReleased = false;
  #isPaused = false;
  #isThrottled = false;

  constructor(session: FlowingSession, connection: Connection, memoryLimit: MemoryLimit, parts: BufferingParts) {
    this.#session = session;
    this.#connection = connection;
    this.#memoryLimit = memoryLimit;
    this.#inbound = parts.inbound;
    this.#runner = parts.runner;
    this.#outbox = parts.outbox;
  }

  /** Whether the session currently does not read its peer. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Whether the peer may have sent more that is not read yet, because others are read first. */
  get awaitsTurn(): boolean {
    return this.#connection.awaitsTurn ?? false;
  }

  /**
   * Whether messages wait for the handler, or replies for the peer. What the handler buffers itself does not count: perhaps only
   * reading more can complete it.
   */
  get hasPending(): boolean {
    return this.#inbound.bytes + this.#runner.bytes + this.#outbox.unsent > 0;
  }

  /** Whether the handler may be called with the messages that wait. If not, the session continues when it may. */
  get mayHandle(): boolean {
    const { handling } = this.#memoryLimit;
    return handling.bytes === 0 || this.#inbound.isEmpty || handling.admits(this.#session, this.#inbound.memory);
  }

  /**
   * Pauses the connection if the session is behind or throttled, and resumes it if not.
   *
   * @param isOpen whether the session takes input. If not, it keeps reading and drops everything: unread bytes would turn
   *   the close into a reset
   * @returns whether reading has been resumed
   */
  regulate(isBehind: boolean, isOpen: boolean): boolean {
    const pause = (isBehind || this.#isThrottled) && isOpen;
    if (pause === this.#isPaused) return false;
    this.#isPaused = pause;
    if (pause) this.#connection.pause();
    else this.#connection.resume();
    return !pause;
  }

  /** Reports to the memory limit what the session buffers. @param unsent bytes that the connection has not sent */
  account(unsent: number): void {
    if (this.#isReleased) return;
    const output = unsent === 0 ? 0 : (this.#connection.unsentMemory ?? unsent);
    const inbound = this.#inbound;
    const own = this.handlerBytes + this.requestBytes;
    this.#report(inbound.pendingMemory + inbound.memory + this.#runner.memory + output + own);
  }

  /** @param own bytes of memory that the session does not share */
  #report(own: number): void {
    const total = own + this.#sharedBytes;
    const before = this.buffered;
    if (total === before && own === this.#own) return;
    const by = own - this.#own;
    this.#own = own;
    this.buffered = total;
    this.#memoryLimit.changed(this, by, total > before);
  }

  /** {@link account} must follow. */
  kept(memory: object, size: number): void {
    if (this.#isReleased) return;
    this.#shared ??= new Map();
    const known = this.#shared.get(memory);
    if (known) {
      known.times++;
      return;
    }
    this.#shared.set(memory, { times: 1, size });
    this.#sharedBytes += size;
    this.#memoryLimit.share(memory, size);
  }

  /** {@link account} must follow. */
  freed(memory: object): void {
    const known = this.#shared?.get(memory);
    if (!known || --known.times > 0) return;
    this.#shared?.delete(memory);
    this.#sharedBytes -= known.size;
    this.#memoryLimit.unshare(memory, known.size);
  }

  recount(): void {
    this.account(this.#connection.unsent);
  }

  costs(usersOf: (memory: object) => number): number {
    let bytes = this.#own;
    for (const [memory, { size }] of this.#shared ?? []) bytes += size / usersOf(memory);
    return bytes;
  }

  throttle(isThrottled: boolean): void {
    this.#isThrottled = isThrottled;
    // The memory limit calls this during the turn of another session.
    this.#session.turnSoon();
  }

  disconnect(error: YodelError): void {
    this.#session.disconnect(error);
    this.release();
  }

  /** The session buffers nothing any more, and neither does its handler. */
  release(): void {
    for (const [memory, { size }] of this.#shared ?? []) this.#memoryLimit.unshare(memory, size);
    this.#isReleased = true;
    this.#memoryLimit.handling.leave(this.#session);
    this.#shared = undefined;
    this.#sharedBytes = 0;
    this.handlerBytes = 0;
    this.requestBytes = 0;
    this.#report(0);
  }
}
