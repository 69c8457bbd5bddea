/** Runs a decoder over a whole input and records what a session would see. */
import { type DecoderOptions, decodeChunk, type Framing } from '../../src/framing/framing.ts';
import type { Batch } from '../../src/framing/message.ts';

export interface Outcome {
  /** `message: …`, `fault: …` and `end`, in order. */
  readonly events: readonly string[];
  /** The frames of all messages, end to end. */
  readonly frames: string;
  /** The header of each message. */
  readonly headers: readonly string[];
  /** How many bytes the decoder had buffered when the input ended. */
  readonly pending: number;
}

/**
 * Feeds the chunks like a socket that reads into one buffer again and again: as soon as a chunk is decoded, its
 * bytes are overwritten.
 */
export function decodeAll(framing: Framing, options: DecoderOptions, chunks: readonly Uint8Array[]): Outcome {
  const decoder = framing.createDecoder(options);
  const socketBuffer = Buffer.alloc(Math.max(0, ...chunks.map((chunk) => chunk.length)));
  const events: string[] = [];
  const headers: string[] = [];
  let frames = '';
  const write = (batch: Batch) => {
    for (const message of batch) {
      events.push(`message: ${show(message.bytes)}`);
      headers.push(show(message.header));
    }
    for (const slice of batch.slices) frames += show(slice);
    if (batch.fault) events.push(`fault: ${batch.fault.code}: ${batch.fault.message}`);
  };
  for (const chunk of chunks) {
    socketBuffer.set(chunk);
    for (const batch of decodeChunk(decoder, socketBuffer.subarray(0, chunk.length))) {
      write(batch);
    }
    socketBuffer.fill(0xee);
  }
  const { pending } = decoder;
  events.push('end');
  write(decoder.end());
  return { events, frames, headers, pending };
}

/** The events of valid messages. */
export function messageEvents(messages: readonly Uint8Array[]): string[] {
  return messages.map((message) => `message: ${show(message)}`);
}

/** Bytes as text: what is not printable ASCII, and the backslash, as `\xHH`. */
export function show(bytes: Uint8Array): string {
  return Buffer.from(bytes)
    .toString('latin1')
    .replace(/[^ -[\]-~]/g, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** The events with faults without what follows the number of the wrong byte. */
export function withoutReasons(events: readonly string[]): string[] {
  return events.map((event) => event.replace(/( at byte \d+): .*$/s, '$1'));
}
