/** Replies are matched by ids in the messages. */
import { textOfThrown, YodelError } from '../errors.ts';
import { LinkedSet } from '../linked-set.ts';
import type { CorrelateById, RequestId } from './correlation.ts';
import type { Matching } from './matching.ts';
import type { Pending } from './pending.ts';

/**
 * The ids of this many requests that timed out or were cancelled are remembered, those that did so last: their replies are
 * recognized, and their ids refused for new requests. Older ones are forgotten, or a server that answers nothing would fill the memory.
 */
export const rememberedIds = 10_000;

/** See `Correlate`. */
export class ById<In, Out> implements Matching<In, Out> {
  readonly refusal = undefined;
  // biome-ignore lint/suspicious/noExplicitAny: the values are whatever the codec makes of them
  readonly #ids: CorrelateById<any>;
  readonly #pending = new Map<RequestId, Pending<In>>();
  /** Those of them that timed out or were cancelled, the oldest first. */
  readonly #late = new LinkedSet<Pending<In>>();

  // biome-ignore lint/suspicious/noExplicitAny: as above
  constructor(ids: CorrelateById<any>) {
    this.#ids = ids;
  }

  get size(): number {
    return this.#pending.size - this.#late.size;
  }

  get known(): number {
    return this.#pending.size;
  }

  admit(value: Out): RequestId {
    const id = this.#requestId(value);
    if (id === undefined || id === null) throw invalidId('the request has no id: requestId returned none');
    if (!isId(id)) throw invalidId(`an id is text, a number or a bigint, and requestId returned ${typeof id}`);
    const known = this.#pending.get(id);
    if (known?.isSettled) {
      throw invalidId(
        `the id ${shown(id)} is that of an earlier request whose late reply may still arrive: use another id`,
      );
    }
    if (known) throw invalidId(`the id ${shown(id)} is that of another request in flight: use another id`);
    return id;
  }

  add(pending: Pending<In>): void {
    this.#pending.set(pending.id as RequestId, pending);
  }

  sent(): void {}

  abandon(pending: Pending<In>): void {
    this.#late.add(pending);
    const oldest = this.#late.first;
    if (this.#late.size > rememberedIds && oldest) this.#forget(oldest);
  }

  take(value: In): Pending<In> | undefined {
    if (this.#pending.size === 0) return undefined;
    const id = this.#replyId(value);
    const pending = isId(id) ? this.#pending.get(id) : undefined;
    if (pending) this.#forget(pending);
    return pending;
  }

  takeUnreadable(): undefined {
    return undefined;
  }

  takeAll(): Pending<In>[] {
    const all = [...this.#pending.values()];
    for (const pending of all) this.#forget(pending);
    return all;
  }

  reset(): void {}

  #forget(pending: Pending<In>): void {
    this.#late.delete(pending);
    this.#pending.delete(pending.id as RequestId);
  }

  #requestId(value: Out): unknown {
    try {
      return this.#ids.requestId(value);
    } catch (cause) {
      throw new YodelError(
        'YODEL_INVALID_REQUEST_ID',
        `the request was not sent: requestId threw: ${textOfThrown(cause)}`,
        {
          cause,
        },
      );
    }
  }

  #replyId(value: In): unknown {
    try {
      return this.#ids.replyId(value);
    } catch (cause) {
      throw new YodelError('YODEL_CORRELATION_FAILED', `replyId threw for a message: ${textOfThrown(cause)}`, {
        cause,
      });
    }
  }
}

function isId(id: unknown): id is RequestId {
  return typeof id === 'string' || (typeof id === 'number' && !Number.isNaN(id)) || typeof id === 'bigint';
}

function invalidId(why: string): YodelError {
  return new YodelError('YODEL_INVALID_REQUEST_ID', `the request was not sent: ${why}`);
}

function shown(id: RequestId): string {
  return typeof id === 'string' ? `"${id}"` : String(id);
}
