/**
 * The framing of WebSocket connections: the data frames of RFC 6455.
 *
 * ```
 * 81 02 68 69              -> text "hi"
 * 82 03 00 ff 0a           -> binary, three bytes
 * 01 01 61 | 80 01 62      -> text "ab", in two fragments
 * ```
 *
 * The frame of a message is the one that a server sends: unmasked and not fragmented. Only to a client may it be sent as it
 * is: what a client sends must be masked. Text is always checked to be UTF-8, binary messages never.
 */
import { isUtf8 } from 'node:buffer';
import type { FrameReader } from './frames.ts';
import { type DecoderOptions, type Encoder, type Framing, type InPlaceEncoder, inPlace } from './framing.ts';
import type { Message } from './message.ts';
import type { MessageKind } from './message-parts.ts';
import { type ControlFrames, type Masking, WebSocketDecoder } from './websocket/decoder.ts';
import { headerSizeFor, headerSizeOf, keySize, maskBit, opcodes, writeHeader } from './websocket/header.ts';
import { applyMask, keyAt } from './websocket/mask.ts';

const id = { name: 'websocket', id: 'websocket' };
/** The shapes of frames: their opcodes. */
const text = Buffer.from([opcodes.text]);
const binary = Buffer.from([opcodes.binary]);

const reader: FrameReader = {
  framing: id,
  headerSize: -1,
  payloadStart: (bytes, start) => start + headerSizeOf(bytes[start + 1] as number),
  payloadEnd: (_bytes, _start, end) => end,
  terminatorSize: () => 0,
  kind: (bytes, start): MessageKind => (((bytes[start] as number) & 0x0f) === opcodes.binary ? 'binary' : 'text'),
};

/** Up to this length a loop is faster than a call of `isUtf8`, which needs a view of the payload. */
const shortText = 128;

/** A text frame must be UTF-8: other bytes are sent as a binary one. */
function opcodeOf(bytes: Buffer, start: number, end: number, shape: Uint8Array | undefined): number {
  if (shape === binary) return opcodes.binary;
  if (end - start <= shortText) {
    let seen = 0;
    for (let at = start; at < end; at++) seen |= bytes[at] as number;
    if (seen < 0x80) return opcodes.text;
  }
  return isUtf8(bytes.subarray(start, end)) ? opcodes.text : opcodes.binary;
}

const unmasked: InPlaceEncoder = {
  headerSize: headerSizeFor,
  trailerSize: 0,
  seal(target, _at, start, end, shape) {
    writeHeader(target, start, opcodeOf(target, start, end, shape), end - start);
    return end;
  },
};

const masked: InPlaceEncoder = {
  headerSize: (size) => headerSizeFor(size) + keySize,
  trailerSize: 0,
  seal(target, _at, start, end, shape) {
    mask(target, start, end, opcodeOf(target, start, end, shape));
    return end;
  },
};

/** Writes the header of a client's frame, and masks its payload. */
function mask(target: Buffer, start: number, end: number, opcode: number): void {
  writeHeader(target, start - keySize, opcode, end - start, maskBit);
  writeKey(target, start - keySize);
  applyMask(target, start, end, keyAt(target, start - keySize), start);
}

/** Random bytes are fetched many at a time: each call costs the runtimes a microsecond. */
const keys = Buffer.alloc(4096);
let keysUsed = keys.length;

/** Keys must not be predictable (RFC 6455, section 5.3). */
function writeKey(target: Buffer, at: number): void {
  if (keysUsed === keys.length) {
    crypto.getRandomValues(keys);
    keysUsed = 0;
  }
  keys.copy(target, at, keysUsed, keysUsed + keySize);
  keysUsed += keySize;
}

function shapeOf({ kind }: Message): Uint8Array | undefined {
  return kind === undefined ? undefined : kind === 'binary' ? binary : text;
}

const serverEncoder: Encoder = { ...inPlace(unmasked), shapeOf };
const clientEncoder: Encoder = { ...inPlace(masked), shapeOf };

/** What a server sends. It decodes what either side sends. */
export const websocket: Framing = {
  ...id,
  defaultEncoding: 'binary',
  encoder: serverEncoder,
  createDecoder: (options) => websocketDecoder('either', options),
};

/**
 * What a client sends: every frame is masked, with a new key. It decodes what either side sends. Its own id, because no frame that
 * arrived is one that it may send.
 */
export const websocketClient: Framing = { ...websocket, id: 'websocket-client', encoder: clientEncoder };

/** Decodes what one side sends, and passes on its control frames. */
export function websocketDecoder(masking: Masking, options: DecoderOptions, control?: ControlFrames): WebSocketDecoder {
  return new WebSocketDecoder(reader, masking, options, control);
}

/** A control frame. @param isClient whether a client sends it */
export function controlFrame(opcode: number, payload: Uint8Array, isClient: boolean): Buffer {
  const start = 2 + (isClient ? keySize : 0);
  const frame = Buffer.alloc(start + payload.length);
  frame.set(payload, start);
  if (isClient) mask(frame, start, frame.length, opcode);
  else writeHeader(frame, start, opcode, payload.length);
  return frame;
}
