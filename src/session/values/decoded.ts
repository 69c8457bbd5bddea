/**
 * Values of messages that were looked at before their handler gets them, such as replies to the session's own requests. So each
 * message is decoded once.
 */
import type { AnyCodec } from '../../codec/codec.ts';
import { DecodeError } from '../../codec/decode-error.ts';
import { decodeMessage } from '../../codec/values.ts';
import type { Message } from '../../framing/message.ts';

/** A message's value, or why it has none. */
export type Decoded =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: DecodeError };

const decoded = new WeakMap<Message, Decoded>();

/** Decodes a message before its handler does, and remembers the result. @throws YodelError as {@link decodeMessage} */
export function decodeEarly(codec: AnyCodec, message: Message): Decoded {
  const result = decode(codec, message);
  decoded.set(message, result);
  return result;
}

/** Decodes a message, unless {@link decodeEarly} has. @throws YodelError as {@link decodeMessage} */
export function decodeOnce(codec: AnyCodec, message: Message): Decoded {
  return decoded.get(message) ?? decode(codec, message);
}

function decode(codec: AnyCodec, message: Message): Decoded {
  try {
    return { value: decodeMessage(codec, message) };
  } catch (thrown) {
    if (thrown instanceof DecodeError) return { error: thrown };
    throw thrown;
  }
}
