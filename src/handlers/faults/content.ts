/** What a session sends or receives, as faults see it. */
import type { AnyCodec } from '../../codec/codec.ts';
import { type Batch, isBatch, isMessage, Message } from '../../framing/message.ts';

/** A message as a handler sends it, or a batch of at most one message, with the bytes before it that belong to none. */
export type Content = string | Uint8Array | Message | Batch;

const none = new Uint8Array(0);

/** The same content as a message, which a session takes as it is, if its codec would encode text and bytes again. */
export function withoutCodec(content: Content, codec: AnyCodec | undefined): Content {
  return !codec || isMessage(content) || isBatch(content) ? content : Message.of(content);
}

/** The payload of the message; raw bytes as they are. */
export function payloadOf(content: Content): Uint8Array {
  if (typeof content === 'string') return Buffer.from(content);
  if (isBatch(content)) return content.first?.bytes ?? none;
  return isMessage(content) ? content.bytes : content;
}

/** Its header, if it has one. */
export function headerOf(content: Content): Uint8Array {
  if (isBatch(content)) return content.first?.header ?? none;
  return isMessage(content) ? content.header : none;
}

/** Bytes of the frame, as far as it has one already. */
export function frameSizeOf(content: Content): number {
  if (typeof content === 'string') return Buffer.byteLength(content);
  if (isBatch(content)) return content.byteLength + (content.before?.length ?? 0);
  return isMessage(content) ? content.frame.length : content.length;
}

/** The frame of a batch, with the bytes before it. */
export function bytesOf(batch: Batch): Buffer {
  return Buffer.concat(batch.before ? [batch.before, ...batch.slices] : batch.slices);
}
