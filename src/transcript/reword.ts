/** A line that keeps its names, with the text of another message between them. */
import { isUtf8 } from 'node:buffer';
import type { Message } from '../framing/message.ts';
import { type Aligned, align, type Expected } from './align.ts';
import { invisible } from './content/format.ts';
import { contentDifference, formatEscaped, parseEscaped, parsePlain } from './content.ts';
import { formatMessage } from './message-line.ts';
import type { Content, MessageContent, NamePart, Part } from './transcript.ts';
import { Values } from './values.ts';

/** What to write where the text is another one: the text received, or a mask for it. */
export type Replacement = (recorded: string, received: string) => string | NamePart;

/** A piece of the new line: text, or a name with its source. */
type Piece = string | NamePart;

/** A token of the expected line. */
interface Token {
  readonly text: string;
  readonly name?: NamePart | undefined;
}

/** Longer messages are replaced as a whole, in characters. */
const longest = 20_000;

/**
 * What follows the arrow of a line for a message that came instead: names whose places can be found stay, and only the text
 * that is different is replaced. Undefined if that is not possible.
 *
 * @param options `needsWord`: also undefined if no word of the line is in the message; `values`: of names, with which the new line
 * must match the message
 */
export function reworded(
  expected: MessageContent,
  message: Message,
  replace: Replacement,
  { needsWord = false, values }: { readonly needsWord?: boolean; readonly values?: Values | undefined } = {},
): string | undefined {
  const { content, header } = expected;
  if (content.kind !== 'parts' || header || !isUtf8(message.bytes) || message.size > longest) return undefined;
  const tokens = tokensOf(content.parts);
  if (!tokens) return undefined;
  const steps = alignWords(tokens, wordsOf(message.text));
  if (!isAlike(tokens, steps) || (needsWord && !sharesWord(steps))) return undefined;
  const pieces = join(replaced(tokens, steps, replace));
  const text = formatPieces(pieces);
  return text === undefined || !fits(text, message, values?.fork() ?? new Values())
    ? undefined
    : `${message.kind === 'binary' ? 'b' : ''}${text}`;
}

/** The line for a message, without names. */
export function literalLine(message: Message): string {
  return formatMessage(message);
}

/**
 * The values of names in a line for which another message came, as far as their places can be found. So the conversation can
 * go on although the text around a name has changed.
 */
export function namesFoundIn({ content }: MessageContent, message: Message, values: Values): Map<string, Uint8Array> {
  const found = new Map<string, string>();
  const tokens = content.kind === 'parts' ? tokensOf(content.parts) : undefined;
  if (!tokens?.some(({ name }) => name && !values.has(name.name)) || !isUtf8(message.bytes) || message.size > longest)
    return new Map();
  const steps = alignWords(tokens, wordsOf(message.text));
  if (!isAlike(tokens, steps)) return new Map();
  for (const step of steps) {
    if (step.kind !== 'absorbed' || !step.item.name) continue;
    const { name } = step.item.name;
    if (!values.has(name)) found.set(name, (found.get(name) ?? '') + step.message);
  }
  return new Map([...found].map(([name, text]) => [name, Buffer.from(text)]));
}

function alignWords(tokens: readonly Token[], words: readonly string[]): Aligned<Token, string>[] {
  const expected = tokens.map(
    (item): Expected<Token> => (item.name ? { kind: 'any', item } : { kind: 'message', item, isOptional: false }),
  );
  // The place of a name is one piece of the text.
  return align(expected, words, { matches: (token, word) => token.text === word, endsWildcards: true });
}

/**
 * Whether the places of all names are certain: each has some text, and a word or mark of the line is still there. In an
 * entirely different message they are not.
 */
function isAlike(tokens: readonly Token[], steps: readonly Aligned<Token, string>[]): boolean {
  const names = tokens.filter(({ name }) => name);
  if (names.length === 0) return true;
  const found = new Set(steps.flatMap((step) => (step.kind === 'absorbed' ? [step.item] : [])));
  const isAnchored = steps.some((step) => step.kind === 'matched' && /\S/.test(step.message));
  return isAnchored && names.every((token) => found.has(token));
}

function sharesWord(steps: readonly Aligned<Token, string>[]): boolean {
  return steps.some((step) => step.kind === 'matched' && /[\p{L}\p{N}]/u.test(step.message));
}

/** Words, spaces and marks. */
function wordsOf(text: string): string[] {
  return text.match(/[\p{L}\p{N}_]+|\s+|[^\p{L}\p{N}_\s]/gu) ?? [];
}

function tokensOf(parts: readonly Part[]): Token[] | undefined {
  const tokens: Token[] = [];
  for (const part of parts) {
    if (part instanceof Uint8Array) {
      if (!isUtf8(part)) return undefined;
      tokens.push(...wordsOf(Buffer.from(part).toString()).map((text) => ({ text })));
    } else {
      const text = sourceOf(part);
      if (text === undefined) return undefined;
      tokens.push({ text, name: part as NamePart });
    }
  }
  return tokens;
}

/** How a name is written. Undefined for what is not a name, or has a default that is not plain text. */
function sourceOf(part: Part): string | undefined {
  if (part instanceof Uint8Array || !('name' in part)) return undefined;
  const width = part.width === undefined ? '' : `:${part.width}`;
  if (part.default === undefined) return `{${part.name}${width}}`;
  const [only, ...others] = part.default;
  if (others.length > 0 || (only !== undefined && !(only instanceof Uint8Array))) return undefined;
  const text = Buffer.from(only ?? []).toString();
  return /[{}\\\p{C}]/u.test(text) ? undefined : `{${part.name}${width}=${text}}`;
}

/** The new pieces: expected words that are still there, names, and replacements. */
function replaced(tokens: readonly Token[], steps: readonly Aligned<Token, string>[], replace: Replacement): Piece[] {
  const pieces: Piece[] = [];
  let next = 0;
  let change: { recorded: string; received: string } | undefined;
  const seal = () => {
    if (change) pieces.push(replace(change.recorded, change.received));
    change = undefined;
  };
  // Names stay in their places among the words.
  const namesBefore = (index: number) => {
    for (; next < index; next++) {
      const { name } = tokens[next] as Token;
      if (!name) continue;
      seal();
      pieces.push(name);
    }
  };
  for (const [index, step] of steps.entries()) {
    if (step.kind === 'absorbed') {
      namesBefore(tokens.indexOf(step.item) + 1);
      continue;
    }
    if ('item' in step) namesBefore(tokens.indexOf(step.item));
    const isMark = step.kind === 'matched' && change && isMarkBetweenChanges(step.message, steps[index + 1]?.kind);
    if (step.kind === 'matched' && !isMark) {
      seal();
      pieces.push(step.message);
      continue;
    }
    change ??= { recorded: '', received: '' };
    if ('item' in step) change.recorded += step.item.text;
    if ('message' in step) change.received += step.message;
  }
  namesBefore(tokens.length);
  seal();
  return pieces;
}

/** Whether a mark such as a colon joins two changes: a time is one value and not three. */
function isMarkBetweenChanges(word: string, next: string | undefined): boolean {
  return /^[:.\-/]$/.test(word) && (next === 'replaced' || next === 'missing' || next === 'unexpected');
}

/** Adjacent texts are one. */
function join(pieces: readonly Piece[]): Piece[] {
  const joined: Piece[] = [];
  for (const piece of pieces) {
    const last = joined.at(-1);
    if (typeof piece === 'string' && typeof last === 'string') joined[joined.length - 1] = last + piece;
    else if (piece !== '') joined.push(piece);
  }
  return joined;
}

/** The pieces as plain text or as text with escapes, whichever reads as these pieces. */
function formatPieces(pieces: readonly Piece[]): string | undefined {
  const written = (format: (text: string) => string) =>
    pieces.map((piece) => (typeof piece === 'string' ? format(piece) : sourceOf(piece))).join('');
  const plain = written((text) => text);
  if (!invisible.test(plain) && !plain.endsWith(' ') && reads(parsePlain, plain, pieces))
    return plain === '' ? '' : ` ${plain}`;
  const escaped = written(formatEscaped);
  return reads(parseEscaped, escaped, pieces) ? `\\ ${escaped}` : undefined;
}

function reads(parse: (text: string) => Content, text: string, pieces: readonly Piece[]): boolean {
  try {
    const content = parse(text);
    if (content.kind !== 'parts') return false;
    const shown = (piece: Part | string) =>
      typeof piece === 'string' || piece instanceof Uint8Array ? `text ${Buffer.from(piece)}` : sourceOf(piece);
    const [found, wanted] = [content.parts.map(shown), pieces.map(shown)];
    return found.length === wanted.length && found.every((source, index) => source === wanted[index]);
  } catch {
    // The text means something else in this form.
    return false;
  }
}

/** Whether the new line matches the message. */
function fits(text: string, message: Message, values: Values): boolean {
  try {
    const content = text === '' || text.startsWith(' ') ? parsePlain(text.slice(1)) : parseEscaped(text.slice(2));
    return contentDifference(content, message.bytes, values) === undefined;
  } catch {
    // Names that are next to each other.
    return false;
  }
}
