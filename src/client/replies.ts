import type { Clock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';
import { DeadlineTimer } from '../session/deadline-timer.ts';

interface Pending {
  readonly resolve: (reply: Message) => void;
  readonly reject: (error: unknown) => void;
  /** When it times out, in the time of {@link Clock.ran}; Infinity for never. */
  readonly deadline: number;
  /** The request timed out or was aborted. Its reply may still arrive, and must not be matched to the next request. */
  settled: boolean;
}

/**
 * The requests of one connection that have no reply yet. A server answers in order, so the next message is the reply to the
 * oldest request. One timer serves all their deadlines.
 */
export class Replies {
  readonly #clock: Clock;
  readonly #pending = new Queue<Pending>();
  readonly #timer: DeadlineTimer;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#timer = new DeadlineTimer(clock, { onDeadline: () => this.#expire() });
  }

  /** Requests whose reply has not arrived, including those that timed out or were aborted. */
  get due(): number {
    return this.#pending.length;
  }

  /**
   * Adds a request. Resolves with its reply.
   *
   * @param timeoutMs 0 for no limit
   */
  expect(timeoutMs: number, signal: AbortSignal | undefined): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const deadline = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#clock.ran() + timeoutMs;
    const abort = () => settle(() => reject(signal?.reason));
    const settle = (resolveOrReject: () => void) => {
      pending.settled = true;
      signal?.removeEventListener('abort', abort);
      resolveOrReject();
    };
    const pending: Pending = {
      resolve: (reply) => settle(() => resolve(reply)),
      reject: (error) => settle(() => reject(error)),
      deadline,
      settled: false,
    };
    signal?.addEventListener('abort', abort);
    this.#pending.push(pending);
    this.#timer.set(deadline);
    return promise;
  }

  /** Passes a message to the oldest request. Returns false if there is none, so the message is not a reply. */
  take(message: Message): boolean {
    const pending = this.#pending.shift();
    if (!pending) return false;
    if (!pending.settled) pending.resolve(message);
    return true;
  }

  /** Rejects all requests. */
  fail(error: YodelError): void {
    this.#timer.cancel();
    for (const pending of this.#pending.takeAll()) if (!pending.settled) pending.reject(error);
  }

  #expire(): void {
    const now = this.#clock.ran();
    let next = Number.POSITIVE_INFINITY;
    for (const pending of this.#pending) {
      if (pending.settled) continue;
      if (pending.deadline <= now) {
        pending.reject(new YodelError('YODEL_REQUEST_TIMEOUT', 'no reply within the time limit (requestTimeout)'));
      } else next = Math.min(next, pending.deadline);
    }
    this.#timer.set(next);
  }
}
