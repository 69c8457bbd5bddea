/**
 * Lays text out in the rows of a terminal.
 *
 * Terminals disagree on the width of joined emoji and Indic syllables, and cannot be queried for it. So each such character
 * counts with its maximum width, a row that contains one ends with a line feed, and the cursor is moved to the middle of a row
 * by printing the beginning of the row again.
 */
import { eastAsianWidth } from 'get-east-asian-width';
import { escapeText } from './escape.ts';

/** One row as it is printed. */
export interface Row {
  readonly text: string;
  /** Whether the terminal moves to the next row by itself after this one. */
  readonly wraps: boolean;
}

/** A prompt and the text after it, in rows, and the position of the cursor. */
export interface Rows {
  readonly rows: readonly Row[];
  /** Index of the row that the cursor is in. */
  readonly cursorRow: number;
  /** The part of that row before the cursor. */
  readonly beforeCursor: string;
}

/** A prompt, the text after it, and the cursor's offset in the text in UTF-16 units. */
export interface InputLine {
  readonly prompt: string;
  readonly text: string;
  readonly cursor: number;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Lays out a prompt and the text after it in rows of `width` columns. */
export function layOut(
  { prompt, text, cursor }: InputLine,
  width: number,
  paintPrompt: (text: string) => string,
): Rows {
  const builder = new RowBuilder(Math.max(2, width));
  builder.putText(prompt, paintPrompt);
  builder.putText(text.slice(0, cursor));
  builder.markCursor();
  builder.putText(text.slice(cursor));
  return builder.finish();
}

/** Lays out text without a cursor. */
export function layOutText(
  { prompt, text }: Pick<InputLine, 'prompt' | 'text'>,
  width: number,
  paintPrompt: (text: string) => string,
): readonly Row[] {
  const builder = new RowBuilder(Math.max(2, width));
  builder.putText(prompt, paintPrompt);
  builder.putText(text);
  return builder.finish().rows;
}

/**
 * Escapes text from outside, as {@link escapeText} does, but keeps emoji whole that Unicode recommends (RGI): joiners,
 * variation selectors and tags are visible there, as one picture.
 */
export function showableText(text: string): string {
  if (!/[\u200d\ufe0f\u{e007f}]/u.test(text)) return escapeText(text);
  const parts = text.split(/(\p{RGI_Emoji})/v);
  return parts.map((part, index) => (index % 2 === 0 ? escapeText(part) : part)).join('');
}

/** The end of the grapheme cluster that contains offset `at`. */
export function nextCharacter(text: string, at: number): number {
  const found = at < text.length ? segmenter.segment(around(text, at)).containing(at - aroundStart(at)) : undefined;
  return found ? aroundStart(at) + found.index + found.segment.length : text.length;
}

/** The start of the grapheme cluster that ends at offset `at`. */
export function previousCharacter(text: string, at: number): number {
  if (at <= 0) return 0;
  const found = segmenter.segment(around(text, at - 1)).containing(at - 1 - aroundStart(at - 1));
  return found ? aroundStart(at - 1) + found.index : 0;
}

// Only this many units around the cursor are segmented, because a line may be megabytes long. No real character is longer.
const neighbourhood = 1000;

function aroundStart(at: number): number {
  return Math.max(0, at - neighbourhood);
}

function around(text: string, at: number): string {
  return text.slice(aroundStart(at), at + neighbourhood);
}

class RowBuilder {
  readonly #width: number;
  readonly #rows: Row[] = [];
  #text = '';
  #columns = 0;
  /** Whether the row contains a character whose width terminals disagree on. */
  #isUncertain = false;
  #paint: (part: string) => string = String;
  #cursorRow = 0;
  #beforeCursor = '';

  constructor(width: number) {
    this.#width = width;
  }

  putText(text: string, paint: (part: string) => string = String): void {
    this.#paint = paint;
    // ASCII is cut by counting. The rest is segmented, together with the ASCII character before it, which may be its base.
    for (const [part] of text.matchAll(/[ -~]+(?![^ -~])|[ -~]?[^ -~]+/g)) {
      if (/^[ -~]*$/.test(part)) this.#putAscii(part);
      else for (const { segment } of segmenter.segment(part)) this.#putCharacter(segment);
    }
  }

  markCursor(): void {
    if (this.#columns >= this.#width) this.#endRow(!this.#isUncertain);
    this.#cursorRow = this.#rows.length;
    this.#beforeCursor = this.#text;
  }

  finish(): Rows {
    this.#endRow(false);
    return { rows: this.#rows, cursorRow: this.#cursorRow, beforeCursor: this.#beforeCursor };
  }

  #put(text: string, columns: number, isUncertain: boolean): void {
    if (this.#columns + columns > this.#width && this.#columns > 0) {
      this.#endRow(!this.#isUncertain && (!isUncertain || this.#columns === this.#width));
    }
    this.#text += this.#paint(text);
    this.#columns += columns;
    this.#isUncertain ||= isUncertain;
  }

  #putAscii(text: string): void {
    for (let at = 0; at < text.length; ) {
      const part = text.slice(at, at + Math.max(1, this.#width - this.#columns));
      this.#put(part, part.length, false);
      at += part.length;
      if (at < text.length) this.#endRow(!this.#isUncertain);
    }
  }

  #putCharacter(character: string): void {
    const shown = showableText(character);
    if (shown !== character) return this.#putEscaped(shown);
    const points = [...character];
    const isUncertain = points.slice(1).some((point) => !/^\p{Mn}$/u.test(point) || /^[\ufe0e\ufe0f]$/.test(point));
    const columns = points.reduce((sum, point) => sum + columnsOf(point), 0);
    this.#put(character, isUncertain ? Math.max(2, columns) : columns, isUncertain);
  }

  #putEscaped(shown: string): void {
    for (const point of shown) this.#put(point, columnsOf(point), false);
  }

  #endRow(wraps: boolean): void {
    this.#rows.push({ text: this.#text, wraps });
    this.#text = '';
    this.#columns = 0;
    this.#isUncertain = false;
  }
}

/** How many columns a text takes on a terminal. Its control characters must be escaped. */
export function widthOf(text: string): number {
  let columns = 0;
  for (const point of text) columns += columnsOf(point);
  return columns;
}

/** How many columns one code point takes. */
function columnsOf(point: string): number {
  if (point < '\u0300') return 1;
  if (/^(?:[\p{Mn}\p{Me}]|\u200d|[\ufe00-\ufe0f])$/u.test(point)) return 0;
  // Unicode lists regional indicators as narrow, but terminals that draw flags make each of them as wide as an emoji.
  return /^\p{Regional_Indicator}$/u.test(point) ? 2 : eastAsianWidth(point.codePointAt(0) as number);
}
