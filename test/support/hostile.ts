/** Text with which a hostile peer would mislead a terminal, a reader of logs or a log collector. */
import { isUtf8 } from 'node:buffer';
import { expect } from 'vitest';
import { fc } from './fast-check.ts';
import type { Running } from './process/command.ts';

const sequences = [
  '\x1b[31m',
  '\x1b[2J',
  '\x1b[5n',
  '\x1b]0;pwned\x07',
  '\x1b]8;;http://example.org\x1b\\',
  '\x1b]52;c;cHduZWQ=\x07',
  '\x1bP$q"p\x1b\\',
  '\x1bc',
  '\u009b31m',
  '\u009d0;pwned\u009c',
  '\r\nFORGED',
  '\nFORGED',
  '\rFORGED',
  '\u0085FORGED',
  '\u2028FORGED',
  '\u2029FORGED',
];
/** Ranges of characters that control, break lines, hide text, look like a space or change the direction of text. */
const ranges: readonly [number, number][] = [
  [0x00, 0x1f],
  [0x7f, 0x9f],
  [0xa0, 0xa0],
  [0xad, 0xad],
  [0x034f, 0x034f],
  [0x061c, 0x061c],
  [0x115f, 0x1160],
  [0x17b4, 0x17b5],
  [0x180b, 0x180f],
  [0x2000, 0x200a],
  [0x200b, 0x200f],
  [0x2028, 0x202e],
  [0x202f, 0x202f],
  [0x205f, 0x206f],
  [0x2800, 0x2800],
  [0x3000, 0x3000],
  [0x3164, 0x3164],
  [0xe000, 0xf8ff],
  [0xfe00, 0xfe0f],
  [0xfeff, 0xfeff],
  [0xffa0, 0xffa0],
  [0xfff0, 0xfffb],
  [0x16fe4, 0x16fe4],
  [0xe0000, 0xe0fff],
  [0x10fffe, 0x10ffff],
];
const characters = ranges.map(([min, max]) => fc.integer({ min, max }).map((point) => String.fromCodePoint(point)));
const ordinary = ['a', ' ', '"', '\\', '\\x1b', '</script>', '$(id)', 'wörld', '你好', '🎉'];

const pieces = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...sequences).map((text) => Buffer.from(text)) },
  { weight: 4, arbitrary: fc.oneof(...characters).map((text) => Buffer.from(text)) },
  { weight: 3, arbitrary: fc.integer({ min: 0x80, max: 0xff }).map((byte) => Buffer.of(byte)) },
  // A surrogate, which is invalid in UTF-8, and truncated characters.
  {
    weight: 1,
    arbitrary: fc.constantFrom([0xed, 0xa0, 0x80], [0xe2, 0x80], [0xc2]).map((bytes) => Buffer.from(bytes)),
  },
  { weight: 2, arbitrary: fc.constantFrom(...ordinary).map((text) => Buffer.from(text)) },
);

/** Bytes of at least one piece. */
export const hostileBytes: fc.Arbitrary<Buffer> = fc
  .array(pieces, { minLength: 1, maxLength: 12 })
  .map((list) => Buffer.concat(list));

const unescaped = new RegExp(
  `[${ranges.map(([min, max]) => `\\u{${min.toString(16)}}-\\u{${max.toString(16)}}`).join('')}]`,
  'u',
);

/** Fails unless the output is valid UTF-8 and each line contains nothing hostile and matches the pattern. */
export function expectEscaped(output: Uint8Array, line: RegExp): void {
  expect(isUtf8(output), `not UTF-8: ${Buffer.from(output).toString('latin1')}`).toBe(true);
  for (const text of Buffer.from(output).toString().split('\n')) {
    expect(unescaped.exec(text)?.[0], text).toBe(undefined);
    if (text !== '') expect(text).toMatch(line);
  }
}

/** The beginning of yodel's lines on stderr, stack traces included. */
export const ownLine = /^(yodel: |\s+at )/;

/** Returns a function that returns the complete lines printed since its last call. */
export function newOutput(running: Running): () => { readonly stdout: Buffer; readonly stderr: Buffer } {
  const seen = { stdout: 0, stderr: 0 };
  return () => {
    const { stdout, stderr } = running.bytes();
    const ends = { stdout: stdout.lastIndexOf('\n') + 1, stderr: stderr.lastIndexOf('\n') + 1 };
    const fresh = {
      stdout: stdout.subarray(seen.stdout, ends.stdout),
      stderr: stderr.subarray(seen.stderr, ends.stderr),
    };
    Object.assign(seen, ends);
    return fresh;
  };
}
