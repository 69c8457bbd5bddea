/**
 * Values of messages that were looked at before their handler gets them, such as replies to the session's own requests. So each
 * message is decoded once.
 */
import type { AnyCodec } from '../../codec/codec.ts';
import { decodeMessage } from '../../codec/values.ts';
import { isYodelError, type YodelError } from '../../errors.ts';
import type { Message } from '../../framing/message.ts';

/** A message's value, or why it has none: a `DecodeError`, unless the codec itself has failed. */
export type Decoded =
  | { readonly value: unknown; readonly error?: undefined }
  | { readonly value?: undefined; readonly error: YodelError };

const decoded = new WeakMap<Message, Decoded>();
/** Whether there ever was one: most servers send no requests, and looking up costs 20 ns per message. */
let isUsed = false;

/** Decodes a message before its handler does, and remembers the result. */
export function decodeEarly(codec: AnyCodec, message: Message): Decoded {
  const result = decode(codec, message);
  isUsed = true;
  decoded.set(message, result);
  return result;
}

/** Decodes a message, unless {@link decodeEarly} has. */
export function decodeOnce(codec: AnyCodec, message: Message): Decoded {
  return (isUsed ? decoded.get(message) : undefined) ?? decode(codec, message);
}

function decode(codec: AnyCodec, message: Message): Decoded {
  try {
    return { value: decodeMessage(codec, message) };
  } catch (thrown) {
    if (isYodelError(thrown)) return { error: thrown };
    throw thrown;
  }
}
