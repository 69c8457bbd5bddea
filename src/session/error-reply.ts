/** The error reply: one message in the peer's framing, `error: …`, or as its protocol, the server's codec or the server's program says. */
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

/** Who says what an error reply is, if not the framing. */
export interface ErrorForm {
  /** Encodes the reply. */
  readonly codec: AnyCodec | undefined;
  /** The option of that name. */
  readonly errorReply: ErrorReply | undefined;
}

/** The error reply as a message, or a value of the codec; undefined: none. */
// biome-ignore lint/suspicious/noExplicitAny: values of any codec
export type ErrorReply = (text: string, code: ErrorCode | OwnErrorCode) => any;

/** Passes the reply to `send`, which sends it with this encoder. Sends nothing if the framing cannot carry it because it contains the delimiter. */
export function sendError(
  encoder: Encoder,
  error: ErrorForPeer,
  form: ErrorForm,
  send: (reply: string | Message) => void,
): void {
  const reply = lastReplyOf(encoder, error, form);
  if (reply === undefined) return;
  try {
    send(reply);
  } catch (thrown) {
    if (!(thrown instanceof YodelError) || thrown.code !== 'YODEL_UNENCODABLE_MESSAGE') throw thrown;
  }
}

/** The error reply; undefined: none. @throws what the program's function or codec throws */
export function errorReplyOf(encoder: Encoder, error: ErrorForPeer, form: ErrorForm): string | Message | undefined {
  const { codec, errorReply = codec?.errorReply } = form;
  if (!errorReply) return errorText(encoder, error);
  const value: unknown = errorReply.call(codec, error.text, error.code);
  if (value === undefined) return undefined;
  const reply: unknown = codec ? encodeValue(codec, value) : value;
  if (typeof reply === 'string' || isMessage(reply)) return reply;
  if (reply instanceof Uint8Array) return Message.of(reply);
  throw notAReply(reply);
}

/** The same where nothing may fail: the session is ending. */
function lastReplyOf(encoder: Encoder, error: ErrorForPeer, form: ErrorForm): string | Message | undefined {
  try {
    return errorReplyOf(encoder, error, form);
  } catch {
    // Whatever a program throws. The session's own error is the one to report.
    return errorText(encoder, error);
  }
}

function errorText(encoder: Encoder, { text }: ErrorForPeer): string | undefined {
  return encoder.errorPayload ? encoder.errorPayload(text) : `error: ${text}`;
}

/** The error of a handler whose reply cannot be sent at all. */
export function notAReply(reply: unknown): TypeError {
  const what = `${typeof reply === 'object' ? 'an object' : String(reply)} (${typeof reply})`;
  const forms =
    'it takes text, bytes, a message, a batch, an array of these, or nothing; with codec: json() it takes objects';
  return new TypeError(`a handler cannot reply with ${what}; ${forms}`);
}
