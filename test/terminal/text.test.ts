import { expect, test } from 'vitest';
import { layOut, nextCharacter, previousCharacter, showableText } from '../../src/terminal/text.ts';
import { fc } from '../support/fast-check.ts';

function rowsOf(text: string, width: number, cursor = text.length) {
  const { rows, cursorRow, beforeCursor } = layOut({ prompt: '> ', text, cursor }, width, (prompt) => prompt);
  return {
    // A line feed where the terminal does not wrap by itself.
    shown: rows.map((row, index) => row.text + (row.wraps || index === rows.length - 1 ? '|' : '\\n')).join(''),
    cursor: `${cursorRow}:${beforeCursor}`,
  };
}

const layouts: readonly [what: string, text: string, width: number, shown: string][] = [
  ['text that fits', 'hello', 10, '> hello|'],
  ['text that is too long', 'hello world', 6, '> hell|o worl|d|'],
  ['a full row with the cursor after it', 'abcd', 6, '> abcd||'],
  ['wide characters', '你好世界', 6, '> 你好|世界|'],
  ['a wide character that does not fit', 'a你好世', 6, '> a你|好世|'],
  ['combining marks', 'e\u0301e\u0301e\u0301', 4, '> e\u0301e\u0301|e\u0301|'],
  ['a joined emoji, which may be as wide as its parts', '👨‍👩‍👧a', 8, '> 👨‍👩‍👧\\na|'],
  ['a heart that may be narrow or wide', 'abc❤️d', 7, '> abc❤️\\nd|'],
  ['control characters', 'a\x1b[31m\tb', 80, '> a\\x1b[31m\\tb|'],
  ['text that would be reordered', 'a\u202eb', 80, '> a\\u202eb|'],
];

for (const [what, text, width, shown] of layouts) {
  test(`rows of a terminal: ${what}`, () => {
    expect(rowsOf(text, width).shown).toBe(shown);
  });
}

test('gives the text before the cursor in its row', () => {
  expect(rowsOf('hello world', 6, 0).cursor).toBe('0:> ');
  expect(rowsOf('hello world', 6, 4).cursor).toBe('1:');
  expect(rowsOf('hello world', 6, 7).cursor).toBe('1:o w');
  expect(rowsOf('你好世界', 6, 3).cursor).toBe('1:世');
});

test('escapes the prompt too, which may show a query', () => {
  const { rows } = layOut({ prompt: '你好\u202e: ', text: 'x', cursor: 1 }, 6, (part) => `<${part}>`);
  expect(rows.map((row) => row.text)).toEqual(['<你><好><\\><u>', '<2><0><2><e><: >', 'x']);
});

const anyText = fc.array(
  fc.constantFrom('a', 'b ', '你', 'é', 'e\u0301', '👋', '👨‍👩‍👧', '❤️', '🇩🇪', '\x1b', '\u202e', 'नि', 'word '),
);

test('rows contain the whole text in order, and none is too long, wherever the cursor is', () => {
  fc.assert(
    fc.property(anyText, fc.integer({ min: 10, max: 30 }), fc.nat(), (parts, width, at) => {
      const text = parts.join('');
      // Between two parts: the cursor is never inside a character.
      const cursor = parts.slice(0, at % (parts.length + 1)).join('').length;
      const { rows, cursorRow, beforeCursor } = layOut({ prompt: '> ', text, cursor }, width, (prompt) => prompt);
      const whole = rows.map((row) => row.text).join('');
      expect(whole).toBe(`> ${showableText(text)}`);
      const before =
        rows
          .slice(0, cursorRow)
          .map((row) => row.text)
          .join('') + beforeCursor;
      expect(before).toBe(`> ${showableText(text.slice(0, cursor))}`);
      for (const row of rows)
        expect([...row.text.replace(/\p{M}|\u200d|\ufe0f/gu, '')].length).toBeLessThanOrEqual(width);
    }),
  );
});

test('lays out a line of a megabyte quickly', () => {
  const text = 'word '.repeat(200_000);
  expect(layOut({ prompt: '> ', text, cursor: text.length }, 80, String).rows.length).toBe(12_501);
});

test('characters are grapheme clusters', () => {
  const text = 'a👨‍👩‍👧e\u0301🇩🇪';
  const ends: number[] = [];
  for (let at = 0; at < text.length; ends.push(at)) at = nextCharacter(text, at);
  const begins: number[] = [];
  for (let at = text.length; at > 0; begins.push(at)) at = previousCharacter(text, at);
  expect(ends).toEqual([1, 9, 11, 15]);
  expect(begins).toEqual([11, 9, 1, 0]);
});

test('keeps joined emoji, and escapes joiners elsewhere', () => {
  expect(showableText('👨‍👩‍👧 a\u200db')).toBe('👨‍👩‍👧 a\\u200db');
  expect(showableText('❤\ufe0f 1\ufe0f⃣ a\ufe0f')).toBe('❤\ufe0f 1\ufe0f⃣ a\\ufe0f');
});
