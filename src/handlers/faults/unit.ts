/** What passes a link at once: a message, or a write of raw bytes. */
import { YodelError } from '../../errors.ts';
import { encodeLike, type Framing } from '../../framing/framing.ts';
import { type Batch, isBatch, isMessage, type Message } from '../../framing/message.ts';
import { keptMessages, reframed, singles } from '../../framing/singles.ts';
import { ownCopy } from '../../framing/slices.ts';
import { type Content, frameSizeOf, payloadOf } from './content.ts';
import { flipBits } from './corruption.ts';

/** What is passed on at once. */
export interface Unit {
  readonly content: Content;
  /** For raw bytes: the number of messages that end in them. Undefined for messages. */
  readonly written: number | undefined;
  /** The message that it answers. */
  readonly to: Message | undefined;
}

/** The size of what has a frame already. */
export function plainSize({ content }: Unit): number {
  return frameSizeOf(content);
}

/** A request. */
export function unitOf(content: Message | Batch): Unit {
  return { content, to: undefined, written: undefined };
}

/** Makes the messages of a batch units that may be kept. See {@link keptMessages}. */
export type UnitsOf = (batch: Batch, isTaken: boolean) => Iterable<Unit>;

/** The same of requests. */
export function* requestsOf(batch: Batch, isTaken: boolean): Generator<Unit, void, undefined> {
  for (const single of singles(batch, isTaken)) yield unitOf(single);
}

/** The same of a reply whose frames are sent exactly as they are, with the bytes between them. */
export function exactRepliesTo(to: Message | undefined): UnitsOf {
  return function* (batch, isTaken) {
    for (const content of singles(batch, isTaken)) yield { content, to, written: undefined };
  };
}

/** The same of a reply whose messages get the frames of the connection. */
export function* repliesOf(batch: Batch, isTaken: boolean): Generator<Unit, void, undefined> {
  for (const message of keptMessages(batch, isTaken)) yield { content: message, to: message, written: undefined };
}

/** Bytes that pass a link without stopping there, as far as they have a frame. */
export function sizeOf(content: string | Uint8Array | Message | Batch): number {
  if (typeof content === 'string') return Buffer.byteLength(content);
  if (isBatch(content)) return content.byteLength + (content.before?.length ?? 0);
  return isMessage(content) ? content.size : content.length;
}

/** What `encode` returns; undefined if that cannot be a message. */
export function encodable<Value>(encode: () => Value): Value | undefined {
  try {
    return encode();
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_UNENCODABLE_MESSAGE') return undefined;
    throw error;
  }
}

/** Cuts a chunk without frames in two. */
export function splitBatch(unit: Unit, at: number): [Unit, Unit] {
  const message = (unit.content as Batch).first as Message;
  const bytes = ownCopy(message.frame);
  return [unitOf(reframed(message, bytes.subarray(0, at))), unitOf(reframed(message, bytes.subarray(at)))];
}

/** The same of a reply. */
export function splitBytes(unit: Unit, at: number): [Unit, Unit] {
  const bytes = ownCopy(payloadOf(unit.content));
  const { to, written } = unit;
  return [
    { content: bytes.subarray(0, at), to, written: written === undefined ? undefined : 0 },
    { content: bytes.subarray(at), to, written },
  ];
}

/** A copy of a request with bits of its payload flipped, in a frame that is still one; the request itself if there is none. */
export function corruptedRequest(unit: Unit, positions: readonly number[], framing: Framing): Unit {
  const { content } = unit;
  const message = isBatch(content) ? content.first : (content as Message);
  const frame = message && corruptedFrame(message, positions, framing);
  if (!message || !frame) return unit;
  const changed = reframed(message, frame);
  if (isBatch(content)) changed.before = content.before;
  return { ...unit, content: isBatch(content) ? changed : (changed.first as Message) };
}

function corruptedFrame(message: Message, positions: readonly number[], framing: Framing): Buffer | undefined {
  const shape = framing.encoder.shapeOf(message);
  let frame: Uint8Array | undefined;
  flipBits(message.bytes, positions, (bytes) => {
    const fresh = encodable(() => encodeLike(framing, bytes, shape));
    frame = fresh ?? frame;
    return fresh !== undefined;
  });
  return frame && Buffer.from(frame);
}
