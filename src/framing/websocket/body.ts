/** The frames of a chunk that are whole messages, moved together and unmasked. */
import { isUtf8 } from 'node:buffer';
import { headerSizeFor, headerSizeOf, keySize, opcodes, writeHeader } from './header.ts';
import { applyMask, keyAt, maskInto } from './mask.ts';
import { rewriteFrames } from './simd.ts';

/** The frames that were found in a chunk, and the place where they are now. */
export interface Body {
  /** The chunk, or a slab. */
  bytes: Buffer;
  start: number;
  /** Where the next frame is written to. */
  out: number;
  /** Where each frame ends, from `start`. */
  readonly ends: number[];
  isAscii: boolean;
  /** A text that is not UTF-8. It ends the batch. */
  invalid: Buffer | undefined;
}

/** The frames of a batch. */
export interface Found {
  readonly joined?: Buffer | undefined;
  readonly body?: Buffer | undefined;
  /** Where each frame of the body ends. */
  readonly ends?: readonly number[];
  /** Whether all payloads of the body are known to be ASCII. */
  readonly isAscii?: boolean;
}

/** From this many bytes on, frames are rewritten by the WebAssembly module. */
export const manyBytes = 300;

/** Rewrites many frames at once. Returns the offset after them. */
export function takeMany(chunk: Buffer, at: number, limit: number, found: Body): number {
  const done = rewriteFrames(chunk, at, found.ends.length === 0 ? at : found.out, limit);
  if (!done || done.count === 0) return at;
  if (found.ends.length === 0) {
    found.start = at;
    found.out = at;
  }
  const { count, ends } = done;
  const base = found.out - found.start;
  for (let index = 0, begin = found.out; index < count; index++) {
    const end = ends[index] as number;
    if (end >= 0) found.ends.push(base + end);
    else {
      const frameEnd = found.out + (end & 0x7fff_ffff);
      if (!acceptPayload(chunk, begin, frameEnd, found)) return at + done.read;
      found.ends.push(frameEnd - found.start);
    }
    begin = found.start + (found.ends[found.ends.length - 1] as number);
  }
  found.out += done.written;
  return at + done.read;
}

/** Small chunks are rewritten into a slab: a view of a chunk costs Bun half a microsecond, and one of a slab much less. */
const slabSize = 65_536;
let slab = Buffer.alloc(0);
let slabUsed = 0;

/** Makes one frame that of a server. Returns the offset after it. */
export function takeMasked(chunk: Buffer, at: number, payload: number, end: number, found: Body): number {
  const size = end - payload;
  const headerSize = headerSizeFor(size);
  if (found.ends.length === 0) place(chunk, at, payload - headerSize, found);
  const { bytes } = found;
  const begin = found.out;
  const target = begin + headerSize;
  const key = keyAt(chunk, payload - keySize);
  writeHeader(bytes, target, (chunk[at] as number) & 0x0f, size);
  const seen =
    bytes === chunk ? applyMask(chunk, payload, end, key, target) : maskInto(chunk, payload, end, key, bytes, target);
  if (bytes === slab) slabUsed = target + size;
  if (seen & nonAscii && !acceptPayload(bytes, begin, target + size, found)) return end;
  found.out = target + size;
  found.ends.push(found.out - found.start);
  return end;
}

/** Chooses where the frames are rewritten to. In the chunk, the first one stays where it is: only its header moves. */
function place(chunk: Buffer, at: number, inChunk: number, found: Body): void {
  const size = chunk.length - at;
  if (size < manyBytes) {
    if (slabSize - slabUsed < size || slab.length === 0) {
      slab = Buffer.allocUnsafeSlow(slabSize);
      slabUsed = 0;
    }
    found.bytes = slab;
    found.start = slabUsed;
  } else found.start = inChunk;
  found.out = found.start;
}

/** Takes a frame of a server. It is moved only if a control frame preceded it. */
export function takeUnmasked(chunk: Buffer, at: number, end: number, found: Body): number {
  if (found.ends.length === 0) {
    found.start = at;
    found.out = at;
  }
  const { bytes, out: begin } = found;
  const frameEnd = begin + (end - at);
  if (bytes !== chunk || begin !== at) chunk.copy(bytes, begin, at, end);
  if (bytes === slab) slabUsed = frameEnd;
  if (!acceptPayload(bytes, begin, frameEnd, found)) return end;
  found.out = frameEnd;
  found.ends.push(frameEnd - found.start);
  return end;
}

/** Checks a frame that may not be ASCII. Returns false if it is text but not UTF-8. */
function acceptPayload(bytes: Buffer, begin: number, end: number, found: Body): boolean {
  found.isAscii = false;
  if (((bytes[begin] as number) & 0x0f) !== opcodes.text) return true;
  const text = bytes.subarray(begin + headerSizeOf(bytes[begin + 1] as number), end);
  if (isUtf8(text)) return true;
  found.invalid = text;
  found.out = begin;
  return false;
}

/** The highest bit of each byte of a word. */
const nonAscii = 0x8080_8080 | 0;
