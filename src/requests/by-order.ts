/** Replies are matched by their order. */
import { Queue } from '../queue.ts';
import type { Matching, RequestRefusal } from './matching.ts';
import type { Pending } from './pending.ts';

/** The next message is the reply to the oldest request, also of one that timed out or was cancelled. Nothing is checked. */
export class ByOrder<In, Out> implements Matching<In, Out> {
  refusal: RequestRefusal | undefined;
  protected readonly places = new Queue<Pending<In>>();

  get size(): number {
    return this.places.length;
  }

  get known(): number {
    return this.places.length;
  }

  admit(_value: Out): undefined {}

  add(pending: Pending<In>): void {
    this.places.push(pending);
  }

  sent(): void {}

  abandon(): void {}

  take(_value?: In): Pending<In> | undefined {
    return this.places.shift();
  }

  takeUnreadable(): Pending<In> | undefined {
    return this.take();
  }

  takeAll(): Pending<In>[] {
    return this.places.takeAll();
  }

  reset(): void {}
}

const mismatch: RequestRefusal = {
  code: 'YODEL_REPLY_MISMATCH',
  text:
    'sent a message that answers no request, so the order of messages does not tell which one is the reply: set the option ' +
    "correlate, to ids in the messages, or to 'order' if every message that follows a request is its reply",
};

/**
 * By order, and it notices when that was or may be wrong:
 *
 * - A message that arrives before a request has left this process is not its reply.
 * - A push, or the reply to an earlier message, that is taken for the reply to a request shifts all later replies, so that one message
 *   is left over when all requests are answered. A message that arrives while no request waits is therefore suspicious, once
 *   a request was answered. It is not where `send` has sent something since the last request, which it may answer: one message for
 *   each.
 *
 * After such a message no further request is sent on this connection. Messages before the first reply, such as a greeting, are not
 * suspicious: nothing was matched yet, and a wrong match that follows them is noticed by the rule.
 */
export class ByCheckedOrder<In, Out> extends ByOrder<In, Out> {
  readonly #hasLeft: (position: number) => boolean;
  /** Whether a message was taken for a reply. */
  #hasMatched = false;
  /** Messages sent without a request. */
  #sent = 0;
  /** How many of those no longer explain a message: they preceded the last request that was answered, or were answered. */
  #explained = 0;

  constructor(hasLeft: (position: number) => boolean) {
    super();
    this.#hasLeft = hasLeft;
  }

  override add(pending: Pending<In>): void {
    pending.sentBefore = this.#sent;
    super.add(pending);
  }

  override sent(): void {
    this.#sent++;
  }

  override take(): Pending<In> | undefined {
    const first = this.places.first;
    if (first && this.#hasLeft(first.position)) {
      this.#hasMatched = true;
      this.#explained = first.sentBefore;
      return super.take();
    }
    const sent = first ? first.sentBefore : this.#sent;
    if (sent > this.#explained) this.#explained++;
    else if (this.#hasMatched) this.refusal ??= mismatch;
    return undefined;
  }

  override reset(): void {
    this.refusal = undefined;
    this.#hasMatched = false;
    this.#sent = 0;
    this.#explained = 0;
  }
}
