/**
 * Where a text stops being JSON. The runtimes say it differently, and Bun does not say where: a peer that is to mend its message
 * gets the same text from both. Only called for texts that `JSON.parse` has refused.
 */

/** What is wrong with the text, such as `unexpected "x" at character 6`. Undefined: nothing. Characters are counted from 1. */
export function syntaxProblem(text: string): string | undefined {
  const at = new SyntaxScan(text).firstProblem();
  if (at === undefined) return undefined;
  const point = text.codePointAt(at);
  if (point === undefined) return 'it ends too early';
  return `unexpected ${JSON.stringify(String.fromCodePoint(point))} at character ${at + 1}`;
}

/** By their first letter. */
const literals: Readonly<Record<string, string>> = { t: 'true', f: 'false', n: 'null' };
const number = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
/** How far a number that is not complete goes: `-`, `1.`, `2e+`. */
const numberStart = /-?(?:0|[1-9]\d*)?(?:\.\d*)?(?:[eE][+-]?)?/y;

/** One pass over a text. Without recursion: a peer chooses how deep it is. */
class SyntaxScan {
  readonly #text: string;
  #at = 0;
  /** The arrays and objects that are open, by the character that closes them. */
  readonly #open: ('}' | ']')[] = [];

  constructor(text: string) {
    this.#text = text;
  }

  /** The position of the first character that cannot be there; the text's length if it ends too early. */
  firstProblem(): number | undefined {
    while (true) {
      if (!this.#value()) return this.#at;
      // After a value: all that ends with it, then a comma and the next one, or the end of the text.
      while (this.#open.length > 0 && this.#take(this.#open[this.#open.length - 1] as string)) this.#open.pop();
      if (this.#open.length === 0) {
        this.#space();
        return this.#at === this.#text.length ? undefined : this.#at;
      }
      if (!this.#take(',') || (this.#open[this.#open.length - 1] === '}' && !this.#name())) return this.#at;
    }
  }

  /** Passes a value, or opens arrays and objects up to the first value in them. */
  #value(): boolean {
    while (true) {
      if (this.#take('[')) {
        if (this.#take(']')) return true;
        this.#open.push(']');
      } else if (this.#take('{')) {
        if (this.#take('}')) return true;
        this.#open.push('}');
        if (!this.#name()) return false;
      } else return this.#scalar();
    }
  }

  #name(): boolean {
    this.#space();
    return this.#string() && this.#take(':');
  }

  #scalar(): boolean {
    const text = this.#text;
    const first = text[this.#at];
    if (first === '"') return this.#string();
    const literal = literals[first ?? ''];
    if (literal !== undefined) {
      let same = 0;
      while (same < literal.length && text[this.#at + same] === literal[same]) same++;
      this.#at += same;
      return same === literal.length;
    }
    number.lastIndex = this.#at;
    if (number.test(text)) {
      this.#at = number.lastIndex;
      // What continues a number that is complete already, but not well: `1.`, `2e`.
      const next = text[this.#at];
      return !(next === '.' || next === 'e' || next === 'E') || this.#incompleteNumber(this.#at);
    }
    return this.#incompleteNumber(this.#at);
  }

  #incompleteNumber(from: number): boolean {
    numberStart.lastIndex = from;
    numberStart.test(this.#text);
    this.#at = Math.max(from, numberStart.lastIndex);
    return false;
  }

  #string(): boolean {
    const text = this.#text;
    if (text[this.#at] !== '"') return false;
    for (this.#at++; this.#at < text.length; this.#at++) {
      const code = text.charCodeAt(this.#at);
      if (code === 0x22) {
        this.#at++;
        return true;
      }
      if (code < 0x20 || (code === 0x5c && !this.#escape())) return false;
    }
    return false;
  }

  /** Passes an escape but for its last character. */
  #escape(): boolean {
    const text = this.#text;
    const kind = text[++this.#at] ?? '';
    if (kind !== 'u') return /["\\/bfnrt]/.test(kind);
    for (let digits = 0; digits < 4; digits++) if (!/[0-9a-fA-F]/.test(text[++this.#at] ?? '')) return false;
    return true;
  }

  #take(character: string): boolean {
    this.#space();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #space(): void {
    const text = this.#text;
    let code = text.charCodeAt(this.#at);
    while (code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09) code = text.charCodeAt(++this.#at);
  }
}
