/** The lines of a file, and errors about them. */
import { YodelError } from '../../errors.ts';
import { parseQuantity } from '../../format/units.ts';
import { longestDuration } from '../../options.ts';
import { ContentError } from '../content.ts';
import { type Place, TranscriptError } from '../transcript.ts';

/** A word of a directive, and its index in the line. */
export interface Word {
  readonly text: string;
  readonly at: number;
}

/** A file that is being read. */
export class Source {
  readonly file: string;
  readonly lines: readonly string[];
  /** The number of the current line, from 1. */
  line = 0;
  readonly #isIncluded: boolean;

  constructor(file: string, text: string, isIncluded: boolean) {
    this.file = file;
    this.#isIncluded = isIncluded;
    const lines = text.replace(/^\ufeff/, '').split(/\r?\n/);
    // The empty text after the last line end is not a line.
    if (lines.at(-1) === '') lines.pop();
    this.lines = lines;
  }

  /** The place of a step in the current line. */
  get place(): Place {
    return this.#isIncluded ? { line: this.line, file: this.file } : { line: this.line };
  }

  /** The current line. */
  get text(): string {
    return this.lines[this.line - 1] ?? '';
  }

  /** @param at an index in the line, from 0 @param line default: the current one */
  refuse(at: number, problem: string, line = this.line): never {
    throw new TranscriptError(this.file, line, at + 1, problem, this.lines[line - 1] ?? '');
  }

  /** Parses the current line from an index. */
  parse<Result>(at: number, parse: (text: string) => Result): Result {
    try {
      return parse(this.text.slice(at));
    } catch (error) {
      if (error instanceof ContentError) return this.refuse(at + error.at, error.message);
      throw error;
    }
  }

  /** Calls a function whose errors are about a place in the current line. */
  attempt<Result>(at: number, call: () => Result): Result {
    try {
      return call();
    } catch (error) {
      if (error instanceof YodelError && !(error instanceof TranscriptError)) return this.refuse(at, error.message);
      throw error;
    }
  }
}

/** The line of a directive: `@NAME WORD WORD`. */
export class DirectiveLine {
  readonly source: Source;
  readonly name: string;
  readonly words: readonly Word[];
  /** Where an argument that is missing would begin. */
  readonly end: number;

  constructor(source: Source, name: string) {
    const line = source.text;
    this.source = source;
    this.name = name;
    this.end = name.length + 1;
    this.words = [...line.slice(this.end).matchAll(/\S+/g)].map(({ 0: text, index }) => ({
      text,
      at: this.end + index,
    }));
  }

  /** What follows the name, without spaces at both ends. */
  get rest(): string {
    return this.source.text.slice(this.end).trim();
  }

  refuse(at: number, problem: string): never {
    return this.source.refuse(at, problem);
  }

  /** A word that must be there. */
  word(index: number, expected: string): Word {
    return this.words[index] ?? this.refuse(this.end, `expected ${expected}`);
  }

  /** Refuses further words. */
  expectOnly(count: number): void {
    const more = this.words[count];
    if (more) this.refuse(more.at, `unexpected "${more.text}"`);
  }

  /** A time in milliseconds. */
  duration(index: number): number {
    const word = this.words[index];
    const ms = word && parseQuantity('duration', word.text);
    if (ms === undefined || ms > longestDuration)
      return this.refuse(word?.at ?? this.end, 'expected a time such as 500ms, 10s or 5m');
    return ms;
  }

  /** Parses what follows the name. */
  argument<Value>(expected: string, read: (text: string) => Value): Value {
    const { at } = this.word(0, expected);
    return this.source.attempt(at, () => read(this.rest));
  }
}
