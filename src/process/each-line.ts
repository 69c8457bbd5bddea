/** Reads what a process prints, line by line. */
import type { Readable } from 'node:stream';

/**
 * Calls `take` with each line of a stream of UTF-8, without the newline.
 *
 * @param maxLength in UTF-16 units; a longer line is split
 * @param options.keepsPartial whether a last line without a newline is a line too. Default: no, because a killed process may
 *   have printed half of it.
 */
export function eachLine(
  stream: Readable,
  take: (line: string) => void,
  maxLength: number,
  { keepsPartial = false }: { readonly keepsPartial?: boolean } = {},
): void {
  const lines = new LineSplitter(take, maxLength);
  stream.setEncoding('utf8').on('data', (text: string) => lines.add(text));
  if (keepsPartial) stream.on('close', () => lines.end());
}

/** Splits text into lines. */
export class LineSplitter {
  readonly #take: (line: string) => void;
  readonly #maxLength: number;
  /** The pieces of the unfinished line. Joined once, because adding to a long string for each chunk costs more. */
  #pieces: string[] = [];
  #length = 0;

  /** @param take receives each line, without the newline. @param maxLength in UTF-16 units; a longer line is split */
  constructor(take: (line: string) => void, maxLength: number) {
    this.#take = take;
    this.#maxLength = maxLength;
  }

  /** The next characters. */
  add(text: string): void {
    let from = 0;
    for (let end = text.indexOf('\n'); end !== -1; end = text.indexOf('\n', from)) {
      this.#extend(text.slice(from, end));
      this.#finish();
      from = end + 1;
    }
    this.#extend(text.slice(from));
  }

  /** A last line without a newline is a line, too. */
  end(): void {
    if (this.#length > 0) this.#finish();
  }

  #extend(text: string): void {
    let from = 0;
    for (; this.#length + text.length - from > this.#maxLength; this.#finish()) {
      const end = from + this.#maxLength - this.#length;
      this.#pieces.push(text.slice(from, end));
      from = end;
    }
    if (from < text.length) this.#pieces.push(text.slice(from));
    this.#length += text.length - from;
  }

  #finish(): void {
    const line = this.#pieces.join('');
    this.#pieces = [];
    this.#length = 0;
    this.#take(line);
  }
}
