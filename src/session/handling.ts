/**
 * The memory of the messages that asynchronous handlers work on.
 *
 * Only the handlers can free it: a session that ends does not end what its handler does. So this memory is bounded before it is
 * used: while handlers work on too much, others are not called, and their messages wait, where they can be dropped.
 *
 * | Messages                       | The handler is called while handlers work on less than |
 * |--------------------------------|--------------------------------------------------------|
 * | few and short: up to 16 KiB    | three quarters of maxPendingBytes                      |
 * | others                         | half of it                                             |
 */
import type { Clock, Timer } from '../clock.ts';
import { Queue } from '../queue.ts';

/** Sessions with less than this are let through while others already wait. */
const few = 16_384;
const mostWithFew = 3 / 4;
const most = 1 / 2;

/** A session whose messages wait because other handlers work on too much. */
export interface DeferredSession {
  turnSoon(): void;
}

/** What one handler works on, in bytes. */
export interface InFlight {
  bytes: number;
  /** Whether its session has ended. */
  isAbandoned: boolean;
}

/** See the top of the file. */
export class Handling {
  #bytes = 0;
  #abandonedBytes = 0;
  #limit: number;
  readonly #clock: Clock;
  /** Deferred sessions in order, and how many bytes wait in each: those with few, and the others. */
  readonly #deferred = [new Map<DeferredSession, number>(), new Map<DeferredSession, number>()] as const;
  #isWakeDue = false;
  /** What handlers still work on after their sessions have ended, and until when that counts. */
  readonly #abandoned = new Queue<{ readonly inFlight: InFlight; readonly until: number }>();
  /** Set while sessions wait for what was abandoned to count no more. */
  #timer: Timer | undefined;

  /** @param limit maxPendingBytes */
  constructor(limit: number, clock: Clock) {
    this.#limit = limit;
    this.#clock = clock;
  }

  /** Bytes that handlers work on. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The part of them whose sessions have ended. */
  get abandonedBytes(): number {
    return this.#abandonedBytes;
  }

  setLimit(limit: number): void {
    this.#limit = limit;
    this.#wake();
  }

  /** Whether a handler may be called with messages of this many bytes. If not, the session is called again when it may. */
  admits(session: DeferredSession, bytes: number): boolean {
    if (this.#abandoned.length > 0) this.#forget();
    if (this.#hasSpace(this.#bytes, bytes)) return true;
    this.#deferred[bytes > few ? 1 : 0].set(session, bytes);
    this.#checkTimer();
    return false;
  }

  /** Whether there is space for another call of a handler that already works on something. */
  hasSpaceFor(bytes: number): boolean {
    return this.#hasSpace(this.#bytes, bytes);
  }

  /** The session is over, so that nothing of it waits any more. */
  leave(session: DeferredSession): void {
    for (const waiting of this.#deferred) waiting.delete(session);
    this.#checkTimer();
  }

  /** A handler works on so much. {@link end} must follow. */
  begin(inFlight: InFlight, bytes: number): void {
    inFlight.bytes = bytes;
    this.#bytes += bytes;
  }

  /** It is done. */
  end(inFlight: InFlight): void {
    this.#bytes -= inFlight.bytes;
    if (inFlight.isAbandoned) this.#abandonedBytes -= inFlight.bytes;
    inFlight.bytes = 0;
    this.#wake();
  }

  /** It works on so much now; 0: it is done. For several calls at a time, instead of {@link begin} and {@link end}. */
  set(inFlight: InFlight, bytes: number): void {
    // What was abandoned long ago counts no more.
    if (inFlight.isAbandoned && inFlight.bytes === 0) return;
    const by = bytes - inFlight.bytes;
    inFlight.bytes = bytes;
    this.#bytes += by;
    if (inFlight.isAbandoned) this.#abandonedBytes += by;
    if (by < 0 && this.#hasDeferred) this.#wake();
  }

  /** The session has ended and the handler has not. It may never do so: what it keeps counts only for so long. */
  abandon(inFlight: InFlight, forMs: number): void {
    if (inFlight.bytes === 0) return;
    inFlight.isAbandoned = true;
    this.#abandonedBytes += inFlight.bytes;
    this.#abandoned.push({ inFlight, until: this.#clock.now() + forMs });
  }

  #hasSpace(used: number, bytes: number): boolean {
    return used === 0 || used + bytes <= this.#limit * (bytes > few ? most : mostWithFew);
  }

  /** Wakes as many as there is space for. They may turn out to need none, so that it looks again in the next turn. */
  #wake(): void {
    let used = this.#bytes;
    let woken = 0;
    for (const waiting of this.#deferred) {
      for (const [session, bytes] of waiting) {
        if (!this.#hasSpace(used, bytes)) break;
        waiting.delete(session);
        session.turnSoon();
        used += bytes;
        woken++;
      }
    }
    this.#checkTimer();
    if (woken === 0 || this.#isWakeDue || !this.#hasDeferred) return;
    this.#isWakeDue = true;
    this.#clock.soon(() => {
      this.#isWakeDue = false;
      this.#wake();
    });
  }

  get #hasDeferred(): boolean {
    return this.#deferred.some(({ size }) => size > 0);
  }

  /** What was abandoned long ago counts no more. */
  #forget(): void {
    const now = this.#clock.now();
    for (let first = this.#abandoned.first; first && first.until <= now; first = this.#abandoned.first) {
      this.#abandoned.shift();
      this.end(first.inFlight);
    }
  }

  #checkTimer(): void {
    const { first } = this.#abandoned;
    if (!first || !this.#hasDeferred) {
      this.#timer?.cancel();
      this.#timer = undefined;
    } else
      this.#timer ??= this.#clock.after(Math.max(1, first.until - this.#clock.now()), () => {
        this.#timer = undefined;
        this.#forget();
        this.#checkTimer();
      });
  }
}
