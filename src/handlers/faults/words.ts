/** The words of a fault's text form, and where they are. */
import { YodelError } from '../../errors.ts';

/** A word. */
export interface Word {
  readonly text: string;
  /** Its offset. */
  readonly at: number;
}

/** Reads words one after another. A pattern, `/…/flags`, is one word even with spaces. */
export class Words {
  readonly #text: string;
  readonly #words: readonly Word[];
  #next = 0;

  constructor(text: string) {
    this.#text = text;
    const found = text.matchAll(/\/(?:\\.|\[(?:\\.|[^\\\]])*\]|[^\\/])*\/\S*|\S+/gs);
    this.#words = [...found].map(({ 0: word, index }) => ({ text: word, at: index }));
  }

  /** The next word, which stays the next one. */
  peek(): Word | undefined {
    return this.#words[this.#next];
  }

  next(): Word | undefined {
    const word = this.#words[this.#next];
    this.#next++;
    return word;
  }

  /** An error at a word; undefined: at the end. */
  error(word: Word | undefined, problem: string): YodelError {
    const column = (word?.at ?? this.#text.length) + 1;
    return new YodelError(
      'YODEL_INVALID_OPTION',
      `the fault "${this.#text.trim()}" is invalid at column ${column}: ${problem}`,
    );
  }
}
