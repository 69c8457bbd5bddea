/** What is missing of a sequence of messages of which it is not known yet where it begins for this process. */

interface Gap {
  first: number;
  last: number;
  /** When `last` was sent, in milliseconds since 1970. 0: not known. */
  sentAt: number;
}

/** Where it begins is known after a moment. Until then there are hardly ever more. */
const mostGaps = 64;

/** See the top of the file. */
export class Gaps {
  readonly #gaps: Gap[] = [];

  /** These messages have not come, but later ones have. */
  add(first: number, last: number, sentAt: number): void {
    if (first > last) return;
    const previous = this.#gaps.at(-1);
    if (previous && this.#gaps.length === mostGaps) {
      // As if all of them had been sent last.
      Object.assign(previous, { first: first - (previous.last - previous.first + 1), last, sentAt });
    } else this.#gaps.push({ first, last, sentAt });
  }

  /** What of it is missed by one that does not need those up to `start`. */
  *after(start: number): Generator<{ readonly messages: number; readonly sentAt: number }> {
    for (const { first, last, sentAt } of this.#gaps)
      if (last > start) yield { messages: last - Math.max(first - 1, start), sentAt };
  }
}
