/** Flips a bit of a message. */
import { Message } from '../../framing/message.ts';

/** A message, or bytes. */
export type Content = string | Uint8Array | Message;

/** The maximum number of bits to try. */
const maxTries = 64;

/**
 * The message with one bit flipped: the bit at `position`, or the first one after it that keeps the message encodable. The
 * message itself when there is no such bit, or no bit at all.
 *
 * @param position from 0 to below 1: a share of the message's bits
 * @param canEncode whether bytes can still be sent as a message
 */
export function flipBit(content: Content, position: number, canEncode: (bytes: Uint8Array) => boolean): Content {
  const bytes = Buffer.from(content instanceof Message ? content.bytes : (content as Uint8Array));
  const bits = bytes.length * 8;
  const first = Math.floor(position * bits);
  for (let tries = 0; tries < Math.min(bits, maxTries); tries++) {
    const bit = (first + tries) % bits;
    const at = bit >> 3;
    const original = bytes[at] as number;
    bytes[at] = original ^ (1 << (bit & 7));
    if (canEncode(bytes)) return bytes;
    bytes[at] = original;
  }
  return content;
}
