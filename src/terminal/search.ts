/** Incremental search of the history (Ctrl-R). Pure: it draws nothing. */

/** Searches from the newest line to older ones. Lower-case letters match upper case too. */
export class ReverseSearch {
  readonly #lines: readonly string[];
  #query = '';
  /** Index of the line found; `#lines.length` while there is none. */
  #at: number;
  #failed = false;

  /** @param lines oldest first */
  constructor(lines: readonly string[]) {
    this.#lines = lines;
    this.#at = lines.length;
  }

  /** The prompt of the search. */
  get prompt(): string {
    return `${this.#failed ? 'not found' : 'search'} "${this.#query}": `;
  }

  /** The line found last, and the offset of the query in it. */
  get found(): { readonly line: string; readonly at: number } | undefined {
    const line = this.#lines[this.#at];
    return line === undefined ? undefined : { line, at: Math.max(0, this.#offsetIn(line)) };
  }

  /** Extends the query. The line found stays if it still matches. */
  type(text: string): void {
    this.#query += text;
    this.#search(Math.min(this.#at, this.#lines.length - 1));
  }

  /** Removes the last character of the query, and searches from the newest line again. */
  erase(): void {
    this.#query = [...this.#query].slice(0, -1).join('');
    this.#at = this.#lines.length;
    if (this.#query === '') this.#failed = false;
    else this.#search(this.#lines.length - 1);
  }

  /** Searches for the next older match. */
  older(): void {
    if (this.#query !== '') this.#search(this.#at - 1);
  }

  /** Searches from a line to older ones. When none matches, the line found stays. */
  #search(from: number): void {
    for (let at = from; at >= 0; at--) {
      if (this.#offsetIn(this.#lines[at] ?? '') === -1) continue;
      this.#at = at;
      this.#failed = false;
      return;
    }
    this.#failed = true;
  }

  #offsetIn(line: string): number {
    const exact = this.#query !== this.#query.toLowerCase();
    return exact ? line.indexOf(this.#query) : line.toLowerCase().indexOf(this.#query);
  }
}
