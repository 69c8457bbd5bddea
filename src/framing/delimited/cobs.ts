/** COBS: packets that end with a zero byte, and contain no other. */
import type { Framing } from '../framing.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, ScanningDecoder } from '../scanning.ts';

/** The code of a block of 254 bytes that no zero follows. */
const fullBlock = 0xff;

/**
 * Consistent overhead byte stuffing (Cheshire and Baker, 1999). A frame ends with a zero byte. Before it are blocks: a code,
 * and one byte less than the code says. A zero of the payload follows each block, except after the last one, and after one with the
 * code 0xff.
 *
 * ```
 * payload      11 22 00 33
 * frame     03 11 22 02 33 00
 *           |<block>|<block>| the end
 *
 * payload   (empty)     frame  01 00
 * payload   00          frame  01 01 00
 * ```
 *
 * Zero bytes in a row are as one: a frame begins after them. A code that points beyond the end of its frame is an error. The
 * limit applies to the payload; a frame has at least two bytes more, and one for each 254 bytes. When the input ends, a frame without
 * its zero byte is unfinished. Any bytes can be sent.
 */
export function cobs(): Framing {
  return framing;
}

const id = { name: 'cobs', id: 'cobs' };

const frames = reader(id, 0, 1, { payload: (bytes, start, end) => unstuff(bytes, start, end - 1) });

const scanner: FrameScanner = {
  reader: frames,
  maxFrameSize: (limit) => limit + Math.floor(limit / (fullBlock - 1)) + 2,
  scan(bytes, start, seen) {
    if (bytes[start] !== 0) return bytes.indexOf(0, Math.max(start, seen)) + 1;
    let at = start + 1;
    while (bytes[at] === 0) at++;
    return -at;
  },
  check(bytes, start, end) {
    for (let at = start; at < end - 1; ) {
      const code = bytes[at] as number;
      const next = at + code;
      if (next > end - 1) {
        const left = end - 1 - at;
        throw invalidFrame(at - start, `a block of ${code} bytes, and its frame ends after ${left}`);
      }
      at = next;
    }
  },
  skip: { endSize: 1, find: (bytes, from) => bytes.indexOf(0, from) + 1 },
};

/** The payload. A block ends with its frame at the latest, because the frame need not be checked yet. */
function unstuff(bytes: Buffer, start: number, end: number): Buffer {
  const payload = Buffer.allocUnsafe(end - start);
  let size = 0;
  for (let at = start; at < end; ) {
    const code = bytes[at] as number;
    const next = Math.min(at + code, end);
    size += bytes.copy(payload, size, at + 1, next);
    if (code < fullBlock && next < end) payload[size++] = 0;
    at = next;
  }
  return payload.subarray(0, size);
}

function encode(payload: Uint8Array): Uint8Array {
  const frame = Buffer.alloc(payload.length + Math.floor(payload.length / (fullBlock - 1)) + 2);
  let codeAt = 0;
  let at = 1;
  for (const byte of payload) {
    // A full block begins the next one only if something follows.
    if (at - codeAt === fullBlock) {
      frame[codeAt] = fullBlock;
      codeAt = at++;
    }
    if (byte === 0) {
      frame[codeAt] = at - codeAt;
      codeAt = at++;
    } else frame[at++] = byte;
  }
  frame[codeAt] = at - codeAt;
  return frame.subarray(0, at + 1);
}

const framing: Framing = {
  ...id,
  defaultEncoding: 'binary',
  encoder: { encode, shapeOf: () => undefined },
  createDecoder: (options) => new ScanningDecoder(scanner, options),
};
