/** Looking for an earlier line while typing a part of it (Ctrl-R). Pure: it shows nothing. */

/** A search from the newest line to older ones. Small letters also find capital ones. */
export class ReverseSearch {
  readonly #lines: readonly string[];
  #query = '';
  /** Which line is shown; as many as there are while none is. */
  #at: number;
  #failed = false;

  /** @param lines oldest first */
  constructor(lines: readonly string[]) {
    this.#lines = lines;
    this.#at = lines.length;
  }

  /** What the search shows in place of the prompt. */
  get prompt(): string {
    return `${this.#failed ? 'not found' : 'search'} "${this.#query}": `;
  }

  /** The line that was found last, and where in it the query stands. */
  get found(): { readonly line: string; readonly at: number } | undefined {
    const line = this.#lines[this.#at];
    return line === undefined ? undefined : { line, at: Math.max(0, this.#placeIn(line)) };
  }

  /** More of the query: the line that is shown stays when it has that, too. */
  type(text: string): void {
    this.#query += text;
    this.#look(Math.min(this.#at, this.#lines.length - 1));
  }

  /** One character less: the search begins again at the newest line. */
  erase(): void {
    this.#query = [...this.#query].slice(0, -1).join('');
    this.#at = this.#lines.length;
    if (this.#query === '') this.#failed = false;
    else this.#look(this.#lines.length - 1);
  }

  /** The next older line with the query in it. */
  older(): void {
    if (this.#query !== '') this.#look(this.#at - 1);
  }

  /** Looks from a line to older ones. When there is none, what is shown stays. */
  #look(from: number): void {
    for (let at = from; at >= 0; at--) {
      if (this.#placeIn(this.#lines[at] ?? '') === -1) continue;
      this.#at = at;
      this.#failed = false;
      return;
    }
    this.#failed = true;
  }

  #placeIn(line: string): number {
    const exact = this.#query !== this.#query.toLowerCase();
    return exact ? line.indexOf(this.#query) : line.toLowerCase().indexOf(this.#query);
  }
}
