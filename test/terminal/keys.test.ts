import { expect, test } from 'vitest';
import { type Key, KeyReader } from '../../src/terminal/keys.ts';
import { fc } from '../support/fast-check.ts';

function read(...pieces: string[]): string[] {
  const reader = new KeyReader();
  return pieces.flatMap((piece) => reader.read(piece)).map(nameOf);
}

function nameOf(key: Key): string {
  if (key.kind === 'press') return `<${key.name}>`;
  return key.kind === 'text' ? key.text : key.kind === 'paste' ? `paste:${key.text}` : '<pasted>';
}

const presses: readonly [sent: string, ...names: string[]][] = [
  ['\r', '<enter>'],
  ['\n', '<enter>'],
  ['\t', '<tab>'],
  ['\x7f', '<backspace>'],
  ['\b', '<backspace>'],
  ['\x01\x05\x12\x03', '<C-a>', '<C-e>', '<C-r>', '<C-c>'],
  ['\x1b[A\x1b[B\x1b[C\x1b[D', '<up>', '<down>', '<right>', '<left>'],
  ['\x1bOA\x1bOH\x1bOF', '<up>', '<home>', '<end>'],
  ['\x1b[1~\x1b[3~\x1b[4~\x1b[7~\x1b[8~', '<home>', '<delete>', '<end>', '<home>', '<end>'],
  ['\x1b[1;5C\x1b[1;5D\x1b[1;3D', '<C-right>', '<C-left>', '<M-left>'],
  ['\x1bb\x1bf\x1b\x7f', '<M-b>', '<M-f>', '<M-backspace>'],
  ['\x1b[15~\x1b[?1;2c', '<unknown>', '<unknown>'],
  ['a\x1b[Ab', 'a', '<up>', 'b'],
  ['你好👋', '你好👋'],
];

for (const [sent, ...names] of presses) {
  test(`${JSON.stringify(sent)} is ${names.join(' ')}`, () => {
    expect(read(sent)).toEqual(names);
  });
}

test('CRLF is one Enter, also in two chunks; LF LF is two', () => {
  expect(read('a\r\nb\n\nc')).toEqual(['a', '<enter>', 'b', '<enter>', '<enter>', 'c']);
  expect(read('a\r', '\nb')).toEqual(['a', '<enter>', 'b']);
});

test('a paste is distinguished from typing, and has LF line ends', () => {
  expect(read('a\x1b[200~one\rtwo\r\nthree\x03\x1b[A\x1b[201~b')).toEqual([
    'a',
    'paste:one\ntwo\nthree\x03\x1b[A',
    '<pasted>',
    'b',
  ]);
});

test('an ESC that nothing follows is the Escape key', () => {
  const reader = new KeyReader();
  expect(reader.read('\x1b')).toEqual([]);
  expect(reader.isWaiting).toBe(true);
  expect(reader.flush().map(nameOf)).toEqual(['<escape>']);
  expect(reader.isWaiting).toBe(false);
  expect(reader.read('[A').map(nameOf)).toEqual(['[A']);
});

test('keys and pastes do not depend on chunks', () => {
  const part = fc.constantFrom(
    'a',
    '\r',
    '\n',
    '\x1b[A',
    '\x1bb',
    '\x1b[200~',
    '\x1b[201~',
    '\x1b[20',
    '1~',
    '你',
    '\x1b',
    '[',
  );
  fc.assert(
    fc.property(fc.array(part), fc.array(fc.nat(40)), (parts, cuts) => {
      const input = parts.join('');
      const places = [0, ...cuts.filter((cut) => cut < input.length).sort((a, b) => a - b), input.length];
      const pieces = places.slice(1).map((end, index) => input.slice(places[index], end));
      expect(joined(read(...pieces))).toEqual(joined(read(input)));
    }),
  );
});

/** Joins adjacent texts, and adjacent parts of a paste. */
function joined(names: readonly string[]): string[] {
  return names.reduce<string[]>((all, name) => {
    const last = all.at(-1);
    const both = (pattern: RegExp) => pattern.test(name) && last !== undefined && pattern.test(last);
    if (both(/^paste:/)) all[all.length - 1] = last + name.slice('paste:'.length);
    else if (both(/^(?!paste:|<.)/s)) all[all.length - 1] = last + name;
    else all.push(name);
    return all;
  }, []);
}
