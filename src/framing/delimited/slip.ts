/** SLIP: packets that end with a byte, which is escaped inside. */
import { YodelError } from '../../errors.ts';
import type { Framing } from '../framing.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, nameByte, ScanningDecoder } from '../scanning.ts';

const END = 0xc0;
const ESC = 0xdb;
/** What follows ESC for an escaped END, and for an escaped ESC. */
const escapedEnd = 0xdc;
const escapedEsc = 0xdd;

/**
 * SLIP (RFC 1055). A message ends with END, 0xc0. In its payload, END and ESC, 0xdb, are replaced by two bytes.
 *
 * ```
 * payload   01 c0    02 db    03
 * frame     01 db dc 02 db dd 03 c0
 *              |ESC|    |ESC|    END
 * ```
 *
 * Many senders also begin each message with END, to end what noise may have left before it. So several END in a row are as
 * one: there are no empty messages, and a frame begins after them. Any other byte after ESC is an error. The limit applies to
 * the payload; the frame may be twice as long. When the input ends, a message without END is unfinished.
 *
 * Sent messages end with END, and do not begin with it. An empty message cannot be sent.
 */
export function slip(): Framing {
  return framing;
}

const id = { name: 'slip', id: 'slip' };

const frames = reader(id, 0, 1, { payload: (bytes, start, end) => unescaped(bytes.subarray(start, end - 1)) });

const scanner: FrameScanner = {
  reader: frames,
  maxFrameSize: (limit) => 2 * limit + 1,
  scan(bytes, start, seen) {
    if (bytes[start] !== END) return bytes.indexOf(END, Math.max(start, seen)) + 1;
    let at = start + 1;
    while (bytes[at] === END) at++;
    return -at;
  },
  check(bytes, start, end) {
    for (let at = bytes.indexOf(ESC, start); at !== -1 && at < end; at = bytes.indexOf(ESC, at + 2)) {
      const byte = bytes[at + 1];
      if (byte === escapedEnd || byte === escapedEsc) continue;
      throw invalidFrame(at + 1 - start, `expected 0xdc or 0xdd after the escape byte 0xdb, not ${nameByte(byte)}`);
    }
  },
  skip: { endSize: 1, find: (bytes, from) => bytes.indexOf(END, from) + 1 },
};

/** The payload. After ESC, a byte that is no escape stands for itself, because the frame need not be checked yet. */
function unescaped(escaped: Buffer): Buffer {
  const payload = Buffer.allocUnsafe(escaped.length);
  let size = 0;
  let from = 0;
  for (let at = escaped.indexOf(ESC); at !== -1; at = escaped.indexOf(ESC, from)) {
    size += escaped.copy(payload, size, from, at);
    const byte = escaped[at + 1];
    if (byte !== undefined) payload[size++] = byte === escapedEnd ? END : byte === escapedEsc ? ESC : byte;
    from = Math.min(at + 2, escaped.length);
  }
  size += escaped.copy(payload, size, from);
  return payload.subarray(0, size);
}

function encode(payload: Uint8Array): Uint8Array {
  if (payload.length === 0) {
    throw new YodelError('YODEL_UNENCODABLE_MESSAGE', 'the framing "slip" has no empty messages');
  }
  let escapes = 0;
  for (const byte of payload) if (byte === END || byte === ESC) escapes++;
  const frame = Buffer.allocUnsafe(payload.length + escapes + 1);
  let at = 0;
  for (const byte of payload) {
    if (byte === END || byte === ESC) {
      frame[at++] = ESC;
      frame[at++] = byte === END ? escapedEnd : escapedEsc;
    } else frame[at++] = byte;
  }
  frame[at] = END;
  return frame;
}

const framing: Framing = {
  ...id,
  defaultEncoding: 'binary',
  encoder: { encode, shapeOf: () => undefined },
  createDecoder: (options) => new ScanningDecoder(scanner, options),
};
