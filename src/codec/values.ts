/** Applies codecs: a codec is a program's own, so what it throws and returns is checked here. */
import { isYodelError, textOfThrown, YodelError } from '../errors.ts';
import { batchMark, hasMark, messageMark } from '../framing/marks.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { AnyCodec } from './codec.ts';
import { DecodeError } from './decode-error.ts';
import { isSchema } from './standard-schema.ts';

/**
 * The value of a message.
 *
 * @throws DecodeError if the codec refuses the message
 * @throws YodelError as the codec: it says so itself, and the message is not to blame
 */
export function decodeMessage(codec: AnyCodec, message: Message): unknown {
  let value: unknown;
  try {
    value = codec.decode(message);
  } catch (thrown) {
    throw isYodelError(thrown) ? thrown : new DecodeError(message, thrown);
  }
  if (value instanceof Promise) throw new YodelError('YODEL_INVALID_OPTION', asynchronous(codec, value));
  return value;
}

/**
 * What is sent for a value: a message or batch is sent as it is.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if the codec cannot express the value
 */
export function encodeValue(codec: AnyCodec, value: unknown): string | Uint8Array | Message | Batch {
  if (hasMark(value, messageMark) || hasMark(value, batchMark)) return value as Message | Batch;
  let payload: unknown;
  try {
    payload = codec.encode(value);
  } catch (thrown) {
    throw unencodable(codec, textOfThrown(thrown), thrown);
  }
  if (typeof payload === 'string' || payload instanceof Uint8Array || hasMark(payload, messageMark))
    return payload as string | Uint8Array | Message;
  if (payload instanceof Promise) throw unencodable(codec, asynchronous(codec, payload), undefined);
  const what = Object.prototype.toString.call(payload);
  throw unencodable(codec, `it returned ${what}, which is no text, bytes or message`, undefined);
}

/** The promise is refused in any case, so its rejection is ignored. */
function asynchronous({ name }: AnyCodec, promise: Promise<unknown>): string {
  promise.catch(() => undefined);
  return `the codec ${name} returned a promise; codecs are synchronous`;
}

function unencodable({ name }: AnyCodec, reason: string, cause: unknown): YodelError {
  return new YodelError('YODEL_UNENCODABLE_MESSAGE', `the codec ${name} cannot encode the value: ${reason}`, { cause });
}

/** @throws YodelError `YODEL_INVALID_OPTION` for an option `codec` that is none */
export function checkCodec(given: unknown): AnyCodec | undefined {
  if (given === undefined) return undefined;
  if (isSchema(given)) throw refusal('a schema is none; json(schema) makes one of it');
  const codec = given as Partial<AnyCodec> | null;
  const { decode, encode, name, invalid, errorReply } = codec ?? {};
  if (typeof given === 'object' && typeof decode === 'function' && typeof encode === 'function') {
    if (typeof name !== 'string') throw refusal('its "name" is not text');
    if (invalid !== undefined && invalid !== 'close' && typeof invalid !== 'function')
      throw refusal('its "invalid" is neither a function nor "close"');
    if (errorReply !== undefined && typeof errorReply !== 'function')
      throw refusal('its "errorReply" is not a function');
    return codec as AnyCodec;
  }
  if (typeof given === 'function') throw refusal('a function is none; call it, as in json()');
  throw refusal('it needs functions "decode" and "encode"');
}

function refusal(reason: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', `the option "codec" takes a codec, such as json(): ${reason}`);
}
