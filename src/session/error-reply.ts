/** The error reply: one message in the peer's framing, `error: …`, or as its protocol or the server's codec reports errors. */
import type { AnyCodec } from '../codec/codec.ts';
import { encodeValue } from '../codec/values.ts';
import { type ErrorCode, type OwnErrorCode, YodelError } from '../errors.ts';
import type { Encoder } from '../framing/framing.ts';
import { isMessage, Message } from '../framing/message.ts';

/** What a peer learns of an error. */
export interface ErrorForPeer {
  readonly text: string;
  readonly code: ErrorCode | OwnErrorCode;
}

/** Passes the reply to `send`, which sends it with this encoder. Sends nothing if the framing cannot carry it because it contains the delimiter. */
export function sendError(
  encoder: Encoder,
  error: ErrorForPeer,
  codec: AnyCodec | undefined,
  send: (reply: string | Message) => void,
): void {
  const reply = codec ? lastReplyOf(encoder, error, codec) : errorText(encoder, error);
  if (reply === undefined) return;
  try {
    send(reply);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}

/** The error reply of a server with a codec; undefined: none. @throws what the codec throws */
export function errorReplyOf(encoder: Encoder, error: ErrorForPeer, codec: AnyCodec): Message | undefined {
  const { errorReply } = codec;
  if (!errorReply) return toMessage(errorText(encoder, error));
  const value: unknown = errorReply.call(codec, error.text, error.code);
  return value === undefined ? undefined : toMessage(encodeValue(codec, value) as string | Uint8Array | Message);
}

/** The same where nothing may fail: the session is ending. */
function lastReplyOf(encoder: Encoder, error: ErrorForPeer, codec: AnyCodec): string | Message | undefined {
  try {
    return errorReplyOf(encoder, error, codec);
  } catch {
    // Whatever a program's codec throws. The session's own error is the one to report.
    return errorText(encoder, error);
  }
}

function errorText(encoder: Encoder, { text }: ErrorForPeer): string | undefined {
  return encoder.errorPayload ? encoder.errorPayload(text) : `error: ${text}`;
}

function toMessage(payload: string | Uint8Array | Message | undefined): Message | undefined {
  return payload === undefined || isMessage(payload) ? payload : Message.of(payload);
}

/** The error of a handler whose reply cannot be sent at all. */
export function notAReply(reply: unknown): TypeError {
  const what = `${typeof reply === 'object' ? 'an object' : String(reply)} (${typeof reply})`;
  const forms =
    'it takes text, bytes, a message, a batch, an array of these, or nothing; with codec: json() it takes objects';
  return new TypeError(`a handler cannot reply with ${what}; ${forms}`);
}
