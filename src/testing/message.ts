/** Messages and batches for handler functions that a test calls itself. */
import { lines } from '../framing/delimited/lines.ts';
import { encode, type Framing } from '../framing/framing.ts';
import { type Batch, Message, type MessageParts } from '../framing/message.ts';
import { parseFraming } from '../framing/notation.ts';

/** What {@link message} creates. */
export interface MessageOptions extends MessageParts {
  /**
   * The message is one that arrived in this framing, given as for `serve()`: it has a frame, and the line ending or header of its
   * framing. Default: a message that a program created.
   */
  readonly framing?: Framing | string | undefined;
}

/**
 * A message, to call a handler function with: `expect(upper(message('hello'))).toBe('HELLO')`.
 *
 * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if the framing has no frame for it; `YODEL_INVALID_OPTION` for an invalid framing
 */
export function message(payload: string | Uint8Array, { framing, ...parts }: MessageOptions = {}): Message {
  const created = Message.of(payload, parts);
  if (framing === undefined) return created;
  const [received] = [...batch([created], { framing })];
  return received as Message;
}

/**
 * A batch, to call the `batch` function of a handler with: messages that arrived in one chunk.
 *
 * @param options.framing as for `serve()`. Default: `lines`
 * @throws as {@link message}
 */
export function batch(
  messages: readonly (string | Uint8Array | Message)[],
  { framing = lines() }: { readonly framing?: Framing | string | undefined } = {},
): Batch {
  const known = typeof framing === 'string' ? parseFraming(framing) : framing;
  const decoder = known.createDecoder({ maxMessageLength: 67_108_864, onTooLong: 'close', encoding: 'binary' });
  const decoded = decoder.decode(Buffer.concat(messages.map((one) => encode(known, one))));
  if (decoded.fault) throw decoded.fault;
  return decoded;
}
