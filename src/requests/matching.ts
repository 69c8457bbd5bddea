/** Finds the request that a message answers. */
import type { RequestId } from './correlation.ts';
import type { Pending } from './pending.ts';

/**
 * The requests of one connection that may still be answered, and the rule that says by which message. Those that timed out or were
 * cancelled belong to them: their late reply must not be taken for that of another request.
 *
 * @typeParam In what this end receives
 * @typeParam Out what it sends
 */
export interface Matching<In, Out> {
  /** Requests that count for the limit of requests in flight. */
  readonly size: number;
  /** With those whose late reply is only recognized. */
  readonly known: number;
  /** Why no further request can be matched on this connection, if that is so. */
  readonly refusal: RequestRefusal | undefined;
  /** The id of a request that is about to be sent. Undefined: it needs none. @throws YodelError it cannot be matched */
  admit(value: Out): RequestId | undefined;
  /** The request was sent. */
  add(pending: Pending<In>): void;
  /** A message that is no request was sent. */
  sent(): void;
  /** It timed out or was cancelled. Its reply may still arrive. */
  abandon(pending: Pending<In>): void;
  /** Removes and returns the request that the message answers. Undefined: the message is no reply. */
  take(value: In): Pending<In> | undefined;
  /** As {@link take}, for a message that cannot be read. */
  takeUnreadable(): Pending<In> | undefined;
  /** Removes and returns all of them. */
  takeAll(): Pending<In>[];
  /** The connection is gone: what follows belongs to the next one. */
  reset(): void;
}

/** Why a connection takes no further requests. */
export interface RequestRefusal {
  readonly code: 'YODEL_REPLY_MISMATCH';
  readonly text: string;
}
