/** Which reply belongs to which request: the first to the first, for a server answers in order. */
import { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';
import type { Clock } from '../session/clock.ts';
import { DeadlineTimer } from '../session/deadline-timer.ts';

interface Pending {
  readonly resolve: (reply: Message) => void;
  readonly reject: (error: unknown) => void;
  /** When it times out, on the clock; Infinity for never. */
  readonly deadline: number;
  /** It was given up. Its reply may still come, and must not be taken for the next request's. */
  settled: boolean;
}

/** The requests of one connection that have no reply yet. One timer serves all their deadlines. */
export class Replies {
  readonly #clock: Clock;
  readonly #pending = new Queue<Pending>();
  readonly #alarm: DeadlineTimer;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#alarm = new DeadlineTimer(clock, () => this.#expire());
  }

  /** Requests whose reply is still to come, given up ones included. */
  get due(): number {
    return this.#pending.length;
  }

  /** Expects one more reply, after all others that are expected. */
  expect(timeoutMs: number, signal: AbortSignal | undefined): Promise<Message> {
    const { promise, resolve, reject } = Promise.withResolvers<Message>();
    const deadline = timeoutMs === 0 ? Number.POSITIVE_INFINITY : this.#clock.now() + timeoutMs;
    const giveUp = () => settle(() => reject(signal?.reason));
    const settle = (how: () => void) => {
      pending.settled = true;
      signal?.removeEventListener('abort', giveUp);
      how();
    };
    const pending: Pending = {
      resolve: (reply) => settle(() => resolve(reply)),
      reject: (error) => settle(() => reject(error)),
      deadline,
      settled: false,
    };
    signal?.addEventListener('abort', giveUp);
    this.#pending.push(pending);
    this.#alarm.set(deadline);
    return promise;
  }

  /** Gives a message to the oldest request. False when none is due: then it was not asked for. */
  take(message: Message): boolean {
    const pending = this.#pending.shift();
    if (!pending) return false;
    if (!pending.settled) pending.resolve(message);
    return true;
  }

  /** Rejects all that are due. */
  fail(error: YodelError): void {
    this.#alarm.cancel();
    for (const pending of this.#pending.takeAll()) if (!pending.settled) pending.reject(error);
  }

  #expire(): void {
    const now = this.#clock.now();
    let next = Number.POSITIVE_INFINITY;
    for (const pending of this.#pending) {
      if (pending.settled) continue;
      if (pending.deadline <= now) {
        pending.reject(
          new YodelError('YODEL_REQUEST_TIMEOUT', 'no reply came within the time allowed (requestTimeout)'),
        );
      } else next = Math.min(next, pending.deadline);
    }
    this.#alarm.set(next);
  }
}
