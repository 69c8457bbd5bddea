/** How a reply is matched to its request. */
import type { MaybeCodec, Received, Sendable } from '../codec/codec.ts';

/** What identifies a request. Text and numbers are different: `1` is not `'1'`. */
export type RequestId = string | number | bigint;

/**
 * Ids in messages, by which replies are matched to requests, in any order and among messages that are no replies.
 *
 * ```ts
 * // JSON-RPC: a message with a method is a request of the other end
 * correlate: { requestId: (message) => message.id, replyId: (message) => ('method' in message ? undefined : message.id) }
 * ```
 */
export interface CorrelateById<C extends MaybeCodec = undefined> {
  /** The id of a message that `request` sends. Undefined: it has none, and `request` rejects with `YODEL_INVALID_REQUEST_ID`. */
  requestId(message: Sendable<C>): RequestId | undefined;
  /** The id of the request that a received message answers. Undefined: it is no reply. */
  replyId(message: Received<C>): RequestId | undefined;
}

/**
 * How replies are matched to requests:
 *
 * - `order`: the next message is the reply to the oldest request. For peers that answer every request, in order, and send nothing
 *   else meanwhile.
 * - by ids in the messages, see {@link CorrelateById}.
 */
export type Correlate<C extends MaybeCodec = undefined> = 'order' | CorrelateById<C>;
