/** Bytes as the payload of a message line. */
import { isUtf8 } from 'node:buffer';
import { countPrintable, spacedHex } from '../../format/hex.ts';
import { escapes } from './escapes.ts';
import { patternForm } from './pattern.ts';

/** A brace that begins a name or a function, of any version of the format: `{id}`, `{id:2}`, `{id=1}`, `{crc32:x}`. */
const special = /\{(?=[A-Za-z_]\w*[}:=])/g;

/** Characters that are invisible in a file that people read, or that control a terminal. */
export const invisible: RegExp = /[\p{C}\p{Default_Ignorable_Code_Point}\p{Variation_Selector}\u2800]|(?! )\p{Z}/u;

/** The shortest form that parses as these bytes. It follows the arrow of a message line. */
export function formatContent(bytes: Uint8Array): string {
  if (bytes.length === 0) return '';
  if (!isUtf8(bytes)) return isMostlyText(bytes) ? `\\ ${escapeBytes(bytes)}` : `x ${spacedHex(bytes)}`;
  const text = Buffer.from(bytes).toString();
  const isPlain = !invisible.test(text) && !patternForm.test(text) && text.search(special) === -1 && !/ $/.test(text);
  return isPlain ? ` ${text}` : `\\ ${formatEscaped(text)}`;
}

function isMostlyText(bytes: Uint8Array): boolean {
  return countPrintable(bytes) >= bytes.length * 0.75;
}

/** Text with escapes. */
export function formatEscaped(text: string): string {
  const escaped = text.replace(/[\\]/g, '\\\\').replace(special, '\\{').replace(/^\//, '\\/').replace(/ $/, '\\ ');
  return Array.from(escaped, (character) => (invisible.test(character) ? escapeCharacter(character) : character)).join(
    '',
  );
}

function escapeCharacter(character: string): string {
  const [letter] = Object.entries(escapes).find(([, value]) => value === character) ?? [];
  if (letter !== undefined) return `\\${letter}`;
  const point = character.codePointAt(0) ?? 0;
  // \x is a byte: above 0x7f a character takes several.
  return point < 0x80 ? `\\x${point.toString(16).padStart(2, '0')}` : `\\u{${point.toString(16)}}`;
}

/** Escapes bytes that are not UTF-8: keeps printable ASCII, escapes every other byte. */
function escapeBytes(bytes: Uint8Array): string {
  return Array.from(bytes, (byte, index) => {
    const character = String.fromCharCode(byte);
    if (byte >= 0x80) return `\\x${byte.toString(16)}`;
    if (character === '\\' || character === '{') return `\\${character}`;
    if (character === ' ' && index === bytes.length - 1) return '\\ ';
    return invisible.test(character) ? escapeCharacter(character) : character;
  }).join('');
}
