/** Escapes in text, and hexadecimal digits. */
import { ContentError } from './error.ts';

/** The characters that escapes stand for. */
export const escapes: Readonly<Record<string, string>> = {
  n: '\n',
  r: '\r',
  t: '\t',
  '0': '\0',
  '\\': '\\',
  '{': '{',
  '}': '}',
  '/': '/',
  '|': '|',
  ' ': ' ',
};

/** The character `\u{POINT}`. @param at its index @throws ContentError */
export function characterOf(point: string, at: number): string {
  const value = Number.parseInt(point, 16);
  const isCharacter = value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
  if (!isCharacter) throw new ContentError(at, `\\u{${point}} is not a character; the highest is \\u{10ffff}`);
  return String.fromCodePoint(value);
}

/** What a backslash and a letter stand for. @param at the index of the backslash @throws ContentError */
export function lookUp(letter: string, at: number): string {
  const value = escapes[letter];
  if (value !== undefined) return value;
  if (letter === 'x') throw new ContentError(at, '\\x takes two hexadecimal digits, such as \\x1b');
  if (letter === 'u') throw new ContentError(at, '\\u takes a number in braces, such as \\u{1f600}');
  throw new ContentError(
    at,
    `unknown escape \\${letter}; known escapes are \\n \\r \\t \\0 \\\\ \\{ \\/ \\| \\xHH and \\u{H…}`,
  );
}

/** The byte of two digits. @throws ContentError */
export function hexByte(text: string, at: number): Uint8Array {
  const [pair] = /^[0-9a-fA-F]{2}/.exec(text.slice(at, at + 2)) ?? [];
  if (pair !== undefined) return Buffer.from(pair, 'hex');
  const wrong = /[^0-9a-fA-F ]/u.exec(text.slice(at, at + 2));
  throw wrong
    ? new ContentError(at + wrong.index, `"${wrong[0]}" is not a hexadecimal digit (0 to 9, a to f)`)
    : new ContentError(at, 'a byte is two hexadecimal digits, such as 0a');
}

/** The text of an escape in a JSON string, which `rest` begins with. @param at its index @throws ContentError */
export function jsonEscape(rest: string, at: number): { readonly text: string; readonly length: number } {
  if (rest[1] === '{' || rest[1] === '}') return { text: rest.slice(1, 2), length: 2 };
  // Two escapes in a row may be one character.
  const [token] = /^(?:(?:\\u[0-9a-fA-F]{4})+|\\["\\/bfnrt])/.exec(rest) ?? [];
  if (token === undefined)
    throw new ContentError(
      at,
      'unknown escape in a JSON string; known are \\" \\\\ \\/ \\b \\f \\n \\r \\t \\uHHHH, and \\{',
    );
  const text = JSON.parse(`"${token}"`) as string;
  if (/\p{Surrogate}/u.test(text)) throw new ContentError(at, `${token} is half of a character`);
  return { text, length: token.length };
}
