/** How a reply is matched to its request. */
import type { MaybeCodec, Received, Sendable } from '../codec/codec.ts';
import { YodelError } from '../errors.ts';
import { checkShapes, kindOf } from '../option-shapes.ts';

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
  /**
   * The id of a message that `request` sends. `request` rejects with `YODEL_INVALID_REQUEST_ID` if it has none (undefined), if the id
   * is that of another request in flight, or of one that timed out or was cancelled on this connection (the last 10,000 of them are
   * remembered), because its reply may still arrive; and if this function throws. Nothing is sent then.
   */
  requestId(message: Sendable<C>): RequestId | undefined;
  /**
   * The id of the request that a received message answers. Undefined: it is no reply. It is none either if no request has the id. Called
   * only while requests have no reply. If this function throws, the connection is closed with `YODEL_CORRELATION_FAILED`.
   */
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

const shapes = { requestId: 'function', replyId: 'function' } as const;

/**
 * Refuses what is no {@link Correlate}.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function checkCorrelate(correlate: unknown): void {
  if (correlate === undefined || correlate === 'order') return;
  if (typeof correlate !== 'object' || correlate === null) {
    throw refused(`the option "correlate" takes "order" or { requestId, replyId }, not ${kindOf(correlate)}`);
  }
  checkShapes(correlate, shapes, 'correlate');
  for (const name of ['requestId', 'replyId'] as const) {
    if (!(correlate as Partial<CorrelateById>)[name]) throw refused(`the option "correlate" needs a function ${name}`);
  }
}

function refused(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', text);
}
