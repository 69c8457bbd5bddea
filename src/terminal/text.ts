/**
 * How text lies in the rows of a terminal.
 *
 * How wide a joined emoji or an Indic syllable is, terminals do not agree, and nobody can ask them. So a row is filled by the
 * most that it may take, a row with such a character in it is ended by a line feed of its own, and whoever wants the cursor in
 * the middle of a row prints the row's beginning again.
 */
import { escapeText } from './escape.ts';

/** One row as it is to be printed. */
export interface Row {
  readonly text: string;
  /** Whether the terminal goes on to the next row by itself behind it. */
  readonly wraps: boolean;
}

/** Where everything stands of a prompt and what is typed behind it. */
export interface Rows {
  readonly rows: readonly Row[];
  /** In which of them the cursor stands. */
  readonly cursorRow: number;
  /** What stands before the cursor in its row. */
  readonly beforeCursor: string;
}

/** A prompt, the text behind it, and where in the text the cursor stands, in UTF-16 units. */
export interface InputLine {
  readonly prompt: string;
  readonly text: string;
  readonly cursor: number;
}

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' });

/** Lays a prompt and the text behind it out in rows of `width` columns. */
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

/** Text from outside as it may be shown: as {@link escapeText}, but emoji that are joined of several stay whole. */
export function showableText(text: string): string {
  if (!text.includes('\u200d')) return escapeText(text);
  const parts = text.split(/(\p{RGI_Emoji_ZWJ_Sequence})/v);
  return parts.map((part, index) => (index % 2 === 0 ? escapeText(part) : part)).join('');
}

/** Where the character ends that stands at `at`. */
export function nextCharacter(text: string, at: number): number {
  const found = at < text.length ? segmenter.segment(around(text, at)).containing(at - aroundStart(at)) : undefined;
  return found ? aroundStart(at) + found.index + found.segment.length : text.length;
}

/** Where the character begins that ends at `at`. */
export function previousCharacter(text: string, at: number): number {
  if (at <= 0) return 0;
  const found = segmenter.segment(around(text, at - 1)).containing(at - 1 - aroundStart(at - 1));
  return found ? aroundStart(at - 1) + found.index : 0;
}

// A character of more than a thousand units is nobody's: only the neighbourhood is looked at, for a line may be very long.
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
  #disputed = false;
  #paint: (part: string) => string = String;
  #cursorRow = 0;
  #beforeCursor = '';

  constructor(width: number) {
    this.#width = width;
  }

  putText(text: string, paint: (part: string) => string = String): void {
    this.#paint = paint;
    // ASCII is cut by counting; what is not, and the character before it that may belong to it, is looked at.
    for (const [part] of text.matchAll(/[ -~]+(?![^ -~])|[ -~]?[^ -~]+/g)) {
      if (/^[ -~]*$/.test(part)) this.#putAscii(part);
      else for (const { segment } of segmenter.segment(part)) this.#putCharacter(segment);
    }
  }

  markCursor(): void {
    if (this.#columns >= this.#width) this.#endRow(!this.#disputed);
    this.#cursorRow = this.#rows.length;
    this.#beforeCursor = this.#text;
  }

  finish(): Rows {
    this.#endRow(false);
    return { rows: this.#rows, cursorRow: this.#cursorRow, beforeCursor: this.#beforeCursor };
  }

  #put(text: string, columns: number, disputed: boolean): void {
    if (this.#columns + columns > this.#width && this.#columns > 0) {
      this.#endRow(!this.#disputed && (!disputed || this.#columns === this.#width));
    }
    this.#text += this.#paint(text);
    this.#columns += columns;
    this.#disputed ||= disputed;
  }

  #putAscii(text: string): void {
    for (let at = 0; at < text.length; ) {
      const part = text.slice(at, at + Math.max(1, this.#width - this.#columns));
      this.#put(part, part.length, false);
      at += part.length;
      if (at < text.length) this.#endRow(!this.#disputed);
    }
  }

  #putCharacter(character: string): void {
    const shown = showableText(character);
    if (shown !== character) return this.#putEscaped(shown);
    const points = [...character];
    const disputed = points.slice(1).some((point) => !/^\p{Mn}$/u.test(point) || /^[\ufe0e\ufe0f]$/.test(point));
    const columns = points.reduce((sum, point) => sum + columnsOf(point), 0);
    this.#put(character, disputed ? Math.max(2, columns) : columns, disputed);
  }

  #putEscaped(shown: string): void {
    for (const point of shown) this.#put(point, columnsOf(point), false);
  }

  #endRow(wraps: boolean): void {
    this.#rows.push({ text: this.#text, wraps });
    this.#text = '';
    this.#columns = 0;
    this.#disputed = false;
  }
}

// Unicode's East_Asian_Width W and F, in blocks (UAX 11), without the emoji, which have a property of their own.
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\ua960-\ua97c\uac00-\ud7a3\uf900-\ufaff\ufe10-\ufe19\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{16fe0}-\u{18dff}\u{1b000}-\u{1b2ff}\u{1f200}-\u{1f265}\u{20000}-\u{3fffd}\p{Emoji_Presentation}]$/u;

/** How many columns one code point takes. */
function columnsOf(point: string): number {
  if (point < '\u0300') return 1;
  if (/^(?:[\p{Mn}\p{Me}]|\u200d|[\ufe00-\ufe0f])$/u.test(point)) return 0;
  return wide.test(point) ? 2 : 1;
}
