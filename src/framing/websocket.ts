/** The messages of a WebSocket, as frames that the sessions and clients on both sides decode and encode. */
import { isUtf8 } from 'node:buffer';
import type { FrameReader, MessageKind } from './frames.ts';
import { type Encoder, type Framing, inPlace } from './framing.ts';
import type { Message } from './message.ts';
import { type FrameScanner, ScanningDecoder } from './scanning.ts';

const id = { name: 'websocket', id: 'websocket' };
const headerSize = 5;
const text = Buffer.from([1]);
const binary = Buffer.from([2]);

function kindAt(bytes: Uint8Array, at: number): MessageKind {
  return bytes[at] === binary[0] ? 'binary' : 'text';
}

const reader: FrameReader = {
  framing: id,
  headerSize,
  payloadStart: (_bytes, start) => start + headerSize,
  payloadEnd: (_bytes, _start, end) => end,
  terminatorSize: () => 0,
  kind: kindAt,
};

const scanner: FrameScanner = {
  reader,
  maxFrameSize: (limit) => limit + headerSize,
  scan: (bytes, start) => (start + headerSize > bytes.length ? 0 : start + headerSize + bytes.readUInt32BE(start + 1)),
};

/** A text frame must be UTF-8: other bytes are sent as a binary one. */
function kindOf(payload: Uint8Array, shape: Uint8Array | undefined): number {
  return (shape === binary || !isUtf8(payload) ? binary : text)[0] as number;
}

const encoder: Encoder = {
  ...inPlace({
    headerSize: () => headerSize,
    trailerSize: 0,
    seal(target, at, start, end, shape) {
      target[at] = kindOf(target.subarray(start, end), shape);
      target.writeUInt32BE(end - start, at + 1);
      return end;
    },
  }),
  shapeOf: ({ kind }: Message) => (kind === undefined ? undefined : kind === 'binary' ? binary : text),
};

/** The framing of every WebSocket connection. */
export const websocket: Framing = {
  ...id,
  defaultEncoding: 'binary',
  encoder,
  createDecoder: (options) => new ScanningDecoder(scanner, options),
};
