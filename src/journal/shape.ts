/** The shape of a recorded frame: its difference from the frame that the framing itself would encode. */
import { encode, encodeLike, type Framing } from '../framing/framing.ts';
import type { Message } from '../framing/message.ts';
import { parseFraming } from '../framing/notation.ts';
import type { Entry } from './journal.ts';

const none = new Uint8Array();

/**
 * The shape of a frame if it is unusual, else undefined. Unusual are a line ending other than LF, no ending at the end of
 * the input (an empty shape), and bytes before a length field that are not 0.
 */
export function unusualShape(framing: Framing, message: Message): Uint8Array | undefined {
  const { encoder } = framing;
  if (isLastWithoutEnding(framing, message)) return none;
  const shape = encoder.shapeOf(message);
  return shape && !isUsual(framing.name, shape) ? shape : undefined;
}

/** Whether messages have an ending that the last one of an input may lack. */
function hasEnding({ encoder }: Framing): boolean {
  return (encoder.inPlace?.trailerSize ?? 0) > 0;
}

function isLastWithoutEnding(framing: Framing, message: Message): boolean {
  return hasEnding(framing) && message.terminatorSize === 0;
}

const lineFeed = 0x0a;

function isUsual(framing: string, shape: Uint8Array): boolean {
  if (framing === 'lines') return shape.length === 1 && shape[0] === lineFeed;
  return shape.every((byte) => byte === 0);
}

/** Whether the end of input ended the message. */
export function isUnfinished({ shape, framing }: Pick<Entry, 'shape' | 'framing'>): boolean {
  return shape?.length === 0 && framing !== 'websocket';
}

/** The frame of an entry, as it was on the wire. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` when it is truncated */
export function frameOf({ framing, bytes, shape }: Pick<Entry, 'framing' | 'bytes' | 'shape'>): Uint8Array {
  // A WebSocket connection encodes frames itself.
  if (framing === 'websocket') return bytes;
  const rule = parseFraming(framing);
  if (!shape) return encode(rule, bytes);
  return shape.length === 0 && hasEnding(rule) ? bytes : encodeLike(rule, bytes, shape);
}
