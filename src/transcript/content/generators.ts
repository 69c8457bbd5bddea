/** Bytes that are generated when they are sent, and their shapes in received messages. */
import type { ValueGenerator } from '../transcript.ts';
import type { Values } from '../values.ts';
import { formatTime, shapeOfTime } from './times.ts';

const letters = '0123456789abcdefghijklmnopqrstuvwxyz';

/** New bytes. */
export function generate(generator: ValueGenerator, values: Values): Uint8Array {
  switch (generator.kind) {
    case 'uuid':
      return Buffer.from(uuidOf(values.random(16)));
    case 'now':
      return Buffer.from(formatTime(values.now(), generator.format));
    case 'random':
      return generator.isHex ? values.random(generator.size) : randomText(generator.size, values);
  }
}

/** A UUID of version 4 from random bytes. */
function uuidOf(random: Uint8Array): string {
  const bytes = Buffer.from(random);
  bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
  bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** Letters and digits, each as likely as the others: bytes above the last multiple of 36 are left out. */
function randomText(size: number, values: Values): Buffer {
  const text = Buffer.alloc(size);
  for (let count = 0; count < size; ) {
    for (const byte of values.random(size - count))
      if (byte < 252) text[count++] = letters.charCodeAt(byte % letters.length);
  }
  return text;
}

/** A regular expression for what a generator makes; each byte is a character. */
export function shapeOf(generator: ValueGenerator): string {
  switch (generator.kind) {
    case 'uuid':
      return '[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}';
    case 'now':
      return shapeOfTime(generator.format);
    case 'random':
      return generator.isHex ? `[\\s\\S]{${generator.size}}` : `[0-9a-z]{${generator.size}}`;
  }
}
