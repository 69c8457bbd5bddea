/**
 * A handler of values as one of messages:
 *
 * ```
 * message ─▶ decode ─▶ value ─▶ the program's handler ─▶ value ─▶ encode ─▶ text or bytes
 *              └─▶ not valid: an error reply by the codec's rule
 * ```
 */
import type { AnyCodec } from '../../codec/codec.ts';
import { DecodeError } from '../../codec/decode-error.ts';
import type { Reply } from '../../codec/reply.ts';
import { encodeValue } from '../../codec/values.ts';
import { textForPeer } from '../../error-for-peer.ts';
import { YodelError } from '../../errors.ts';
import { Message } from '../../framing/message.ts';
import type { Telemetry } from '../../telemetry/telemetry.ts';
import { type ErrorForm, errorReplyOf } from '../error-reply.ts';
import { type HandlerCallbacks, type HandlerObject, isPromise, withCodec } from '../handler.ts';
import type { Session } from '../public-session.ts';
import { wrapHandler } from '../wrapped-handler.ts';
import { decodeOnce } from './decoded.ts';

/** The handler as its program wrote it. */
type ValueCallbacks = Pick<HandlerCallbacks, 'open' | 'end' | 'missed' | 'taken'> & {
  readonly message?: ((value: unknown, session: Session) => unknown) | undefined;
};

/** What the messages of all sessions of a server pass. */
interface Conversion extends ErrorForm {
  readonly codec: AnyCodec;
  readonly telemetry: Telemetry;
}

/**
 * Made once for a server, so that nothing changes where there is no codec.
 *
 * @throws YodelError `YODEL_INVALID_HANDLER` for one of batches, whose messages have no values
 */
export function valueHandler(handler: HandlerObject, conversion: Conversion): HandlerObject {
  const { codec } = conversion;
  const own = handler[withCodec];
  if (own) return own.call(handler, (inner) => valueHandler(inner, conversion), codec);
  if (handler.batch) throw refusal();
  const inner: ValueCallbacks = handler as object;
  const { message, open, end, missed, taken } = inner;
  return wrapHandler(handler, {
    ...(message && { message: (one, session) => handle(inner, conversion, one, session) }),
    ...(open && { open: (session) => encoded(codec, open.call(inner, session)) }),
    ...(end && { end: (session) => encoded(codec, end.call(inner, session)) }),
    ...(missed && {
      missed: (session, room, messages) => encodeReply(codec, missed.call(inner, session, room, messages)),
    }),
    ...(taken && { taken: (session, room) => encodeReply(codec, taken.call(inner, session, room)) }),
  });
}

/** Sends back what it receives: the default, as `echo` is without a codec. */
export const echoValues: HandlerObject = { message: (value) => value };

function handle(
  inner: ValueCallbacks,
  conversion: Conversion,
  message: Message,
  session: Session,
): Reply | Promise<Reply> {
  const { codec } = conversion;
  const { value, error } = decodeOnce(codec, message);
  if (!error) return encoded(codec, inner.message?.(value, session));
  if (error instanceof DecodeError) return refuse(conversion, error, session);
  // The codec has failed, as if the handler had.
  throw error;
}

function encoded(codec: AnyCodec, reply: unknown): Reply | Promise<Reply> {
  return isPromise(reply)
    ? Promise.resolve(reply).then((value) => encodeReply(codec, value))
    : encodeReply(codec, reply);
}

function encodeReply(codec: AnyCodec, value: unknown): Reply {
  return value === undefined ? undefined : encodeValue(codec, value);
}

function refuse(conversion: Conversion, error: DecodeError, session: Session): Reply {
  const { codec, telemetry } = conversion;
  const { invalid } = codec;
  if (invalid === 'close') {
    session.close(error);
    return undefined;
  }
  telemetry.countError(error);
  if (telemetry.watched) telemetry.emit('discarded', session, error);
  if (invalid) return encodeReply(codec, invalid.call(codec, error, error.received));
  const reason = { text: textForPeer(error), code: error.code };
  const reply = errorReplyOf(session.replyFraming.encoder, reason, conversion);
  // As a message, it only is not delivered where the framing cannot express it.
  return typeof reply === 'string' ? Message.of(reply) : reply;
}

function refusal(): YodelError {
  const text = 'with the option "codec" a handler needs "message", which gets values; "batch" gets messages';
  return new YodelError('YODEL_INVALID_HANDLER', text);
}
