/** A line editor: text, cursor and history. Pure: it draws nothing. */
import { nextCharacter, previousCharacter } from './text.ts';

/** The length of the history. */
const maxLines = 1000;

/** Edits one line at a time, with the keys of readline and Emacs. */
export class LineEditor {
  #text = '';
  #cursor = 0;
  /** The text deleted last, for Ctrl-Y. */
  #killed = '';
  /** The history, oldest first. */
  readonly #lines: string[];
  /** Index of the line being edited; `#lines.length` for the new line. */
  #shown: number;
  /** The new line, while a line of the history is edited. */
  #draft = '';
  readonly #keys: Readonly<Record<string, () => void>> = {
    left: () => this.#move(previousCharacter(this.#text, this.#cursor)),
    'C-b': () => this.#move(previousCharacter(this.#text, this.#cursor)),
    right: () => this.#move(nextCharacter(this.#text, this.#cursor)),
    'C-f': () => this.#move(nextCharacter(this.#text, this.#cursor)),
    home: () => this.#move(0),
    'C-a': () => this.#move(0),
    end: () => this.#move(this.#text.length),
    'C-e': () => this.#move(this.#text.length),
    'C-left': () => this.#move(this.#wordStart()),
    'M-left': () => this.#move(this.#wordStart()),
    'M-b': () => this.#move(this.#wordStart()),
    'C-right': () => this.#move(this.#wordEnd()),
    'M-right': () => this.#move(this.#wordEnd()),
    'M-f': () => this.#move(this.#wordEnd()),
    backspace: () => this.#remove(previousCharacter(this.#text, this.#cursor), this.#cursor),
    delete: () => this.#remove(this.#cursor, nextCharacter(this.#text, this.#cursor)),
    'C-d': () => this.#remove(this.#cursor, nextCharacter(this.#text, this.#cursor)),
    'C-k': () => this.#kill(this.#cursor, this.#text.length),
    'C-u': () => this.#kill(0, this.#cursor),
    'C-w': () => this.#kill(this.#spaceBefore(), this.#cursor),
    'M-backspace': () => this.#kill(this.#wordStart(), this.#cursor),
    'M-d': () => this.#kill(this.#cursor, this.#wordEnd()),
    'C-y': () => this.insert(this.#killed),
    'C-t': () => this.#transpose(),
    up: () => this.#show(this.#shown - 1),
    'C-p': () => this.#show(this.#shown - 1),
    down: () => this.#show(this.#shown + 1),
    'C-n': () => this.#show(this.#shown + 1),
  };

  /** @param lines the history, oldest first */
  constructor(lines: readonly string[] = []) {
    this.#lines = [...lines];
    this.#shown = this.#lines.length;
  }

  get text(): string {
    return this.#text;
  }

  /** The offset of the cursor, in UTF-16 units. */
  get cursor(): number {
    return this.#cursor;
  }

  /** The history, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Applies a key. Returns whether the key is known. */
  press(name: string): boolean {
    const action = this.#keys[name];
    action?.();
    return action !== undefined;
  }

  /** Inserts text at the cursor. */
  insert(text: string): void {
    this.#text = this.#text.slice(0, this.#cursor) + text + this.#text.slice(this.#cursor);
    this.#cursor += text.length;
  }

  /** Replaces the text. @param cursor default: the end */
  replace(text: string, cursor: number = text.length): void {
    this.#text = text;
    this.#cursor = cursor;
  }

  /** Returns the text and clears the line. */
  take(): string {
    const text = this.#text;
    this.replace('');
    this.#shown = this.#lines.length;
    this.#draft = '';
    return text;
  }

  /** Adds a line to the history, and removes an equal older one. */
  remember(line: string): void {
    if (line === '') return;
    const before = this.#lines.lastIndexOf(line);
    if (before !== -1) this.#lines.splice(before, 1);
    this.#lines.push(line);
    if (this.#lines.length > maxLines) this.#lines.shift();
    this.#shown = this.#lines.length;
  }

  #move(to: number): void {
    this.#cursor = to;
  }

  #remove(from: number, to: number): void {
    this.#text = this.#text.slice(0, from) + this.#text.slice(to);
    this.#cursor = from;
  }

  #kill(from: number, to: number): void {
    if (from === to) return;
    this.#killed = this.#text.slice(from, to);
    this.#remove(from, to);
  }

  #show(index: number): void {
    if (index < 0 || index > this.#lines.length) return;
    if (this.#shown === this.#lines.length) this.#draft = this.#text;
    this.#shown = index;
    this.replace(this.#lines[index] ?? this.#draft);
  }

  #wordStart(): number {
    const before = this.#text.slice(0, this.#cursor);
    return before.search(/[\p{L}\p{N}\p{M}_]*[^\p{L}\p{N}\p{M}_]*$/u);
  }

  #wordEnd(): number {
    const [skipped = ''] = /^[^\p{L}\p{N}_]*[\p{L}\p{N}\p{M}_]*/u.exec(this.#text.slice(this.#cursor)) ?? [];
    return this.#cursor + skipped.length;
  }

  #spaceBefore(): number {
    return this.#text.slice(0, this.#cursor).search(/\S*\s*$/u);
  }

  /** Swaps the characters before and after the cursor; at the end of the line, the last two. */
  #transpose(): void {
    const end = nextCharacter(this.#text, this.#cursor);
    const middle = this.#cursor === this.#text.length ? previousCharacter(this.#text, end) : this.#cursor;
    const start = previousCharacter(this.#text, middle);
    if (start === middle) return;
    const swapped = this.#text.slice(middle, end) + this.#text.slice(start, middle);
    this.replace(this.#text.slice(0, start) + swapped + this.#text.slice(end), end);
  }
}
