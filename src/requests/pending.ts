/** One request that was sent. */
import { LinkedMember } from '../linked-set.ts';
import type { RequestId } from './correlation.ts';

/** What a request is when its place is taken. */
interface Sent {
  /** By ids: its id. */
  readonly id: RequestId | undefined;
  /** Where its frame begins in all bytes that were sent. */
  readonly position: number;
  /** Its time limit in milliseconds; 0 for none. */
  readonly timeoutMs: number;
  /** When that ends, in the time of `Clock.ran`; Infinity for never. */
  readonly deadline: number;
}

/**
 * A request whose reply has not arrived. It settles once: by its reply, its time limit, its signal or the loss of the connection. After
 * a time-out or a cancellation it remains known, because its reply may still arrive.
 */
export class Pending<In> extends LinkedMember<Pending<In>> {
  readonly id: RequestId | undefined;
  readonly position: number;
  readonly timeoutMs: number;
  readonly deadline: number;
  readonly reply: Promise<In>;
  /** For the correlation by order: the messages without a reply of their own that were sent before it. */
  sentBefore = 0;
  isSettled = false;
  readonly #resolve: (reply: In) => void;
  readonly #reject: (error: unknown) => void;
  #signal: AbortSignal | undefined;
  #onAbort: (() => void) | undefined;

  constructor({ id, position, timeoutMs, deadline }: Sent) {
    super();
    this.id = id;
    this.position = position;
    this.timeoutMs = timeoutMs;
    this.deadline = deadline;
    const { promise, resolve, reject } = Promise.withResolvers<In>();
    this.reply = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Calls `cancel` once the signal is aborted, unless the request is settled before. */
  cancelBy(signal: AbortSignal, cancel: (pending: Pending<In>) => void): void {
    this.#signal = signal;
    this.#onAbort = () => cancel(this);
    signal.addEventListener('abort', this.#onAbort, { once: true });
  }

  resolve(reply: In): void {
    this.#settle();
    this.#resolve(reply);
  }

  reject(error: unknown): void {
    this.#settle();
    this.#reject(error);
  }

  #settle(): void {
    this.isSettled = true;
    if (this.#onAbort) this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#onAbort = undefined;
    this.#signal = undefined;
  }
}
