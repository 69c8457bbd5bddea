import { expect, it } from 'vitest';
import { bytesOf, formatContent, matches, parsePlain } from '../../src/transcript/content.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { Values } from '../../src/transcript/values.ts';
import { fc } from '../support/fast-check.ts';

/** Texts close to the syntax of the format, and arbitrary bytes. */
const messages = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => new Uint8Array(Buffer.from(text))),
  fc
    .array(
      fc.constantFrom(
        '{a}',
        '\\',
        '/',
        'x',
        ' ',
        '\t',
        '\n',
        '\r',
        '\x1b',
        '\u202e',
        'é',
        '你',
        '😀',
        '{',
        '}',
        '#',
        '@',
        '>',
      ),
      {
        maxLength: 12,
      },
    )
    .map((parts) => new Uint8Array(Buffer.from(parts.join('')))),
);

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what the test looks for
const invisible = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/;

it('any message is formatted as one line without invisible characters, and reads back as the same bytes', () => {
  fc.assert(
    fc.property(messages, fc.constantFrom('>', '<'), (bytes, side) => {
      const line = `${side}${formatContent(bytes)}`;
      expect(line).not.toMatch(invisible);
      const [step] = parseTranscript(line).steps;
      expect(step?.kind).toBe('message');
      if (step?.kind !== 'message') return;
      expect(bytesOf(step.content, new Values())?.equals(bytes)).toBe(true);
      expect(matches(step.content, bytes, new Values())).toBe(true);
    }),
  );
});

it('a name captures text, and must match the same text when it occurs again', () => {
  const captures = new Values();
  expect(matches(parsePlain('token={t};'), Buffer.from('token=grüezi;'), captures)).toBe(true);
  expect(Buffer.from(captures.get('t') ?? []).toString()).toBe('grüezi');
  expect(bytesOf(parsePlain('use {t}'), captures)?.toString()).toBe('use grüezi');
  expect(matches(parsePlain('again {t}'), Buffer.from('again grüezi'), captures)).toBe(true);
  expect(matches(parsePlain('again {t}'), Buffer.from('again hello'), captures)).toBe(false);
  expect(matches(parsePlain('{a}-{a}'), Buffer.from('1-2'), captures)).toBe(false);
  expect(matches(parsePlain('{a}-{a}'), Buffer.from('1-1'), captures)).toBe(true);
});

it('a name captures any bytes', () => {
  const captures = new Values();
  expect(matches(parsePlain('{x}'), Uint8Array.of(0xff), captures)).toBe(true);
  expect(matches(parsePlain('{x}'), Uint8Array.of(0xff), captures)).toBe(true);
  expect(bytesOf(parsePlain('{x}'), captures)).toEqual(Buffer.of(0xff));
});

it('names capture what lazy groups of a regular expression would', () => {
  const piece = fc.constantFrom('a', 'b', 'ab', '{x}', '{y}', '{z}');
  const line = fc.array(piece, { maxLength: 6 }).filter((pieces) => {
    const names = pieces.filter((one) => one.startsWith('{'));
    return new Set(names).size === names.length;
  });
  const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 8 }).map((letters) => letters.join(''));
  fc.assert(
    fc.property(line, text, (pieces, received) => {
      const source = pieces.map((one) => one.replace(/\{(.)\}/, '(?<$1>.*?)')).join('');
      const expected = new RegExp(`^${source}$`).exec(received);
      const captures = new Values();
      expect(matches(parsePlain(pieces.join('')), Buffer.from(received), captures)).toBe(expected !== null);
      const found = Object.fromEntries(
        [...captures.captured].map(([name, value]) => [name, Buffer.from(value).toString()]),
      );
      expect(found).toEqual({ ...expected?.groups });
    }),
    { numRuns: 2000 },
  );
});

it('matching many names in a long message takes linear time', () => {
  const content = parsePlain('{a} {b} {c} {d} {e} end');
  expect(matches(content, Buffer.alloc(1_000_000, ' '), new Values())).toBe(false);
});
