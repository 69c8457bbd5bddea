/** A line that is being edited: its text, its cursor, and the lines before it. Pure: it shows nothing. */
import { nextCharacter, previousCharacter } from './text.ts';

/** Lines that are kept for the arrow keys. */
const mostLines = 1000;

/** Edits one line at a time, by the keys that readline and Emacs have made known. */
export class LineEditor {
  #text = '';
  #cursor = 0;
  /** What was cut last, for Ctrl-Y. */
  #cut = '';
  /** Lines entered, oldest first. */
  readonly #lines: string[];
  /** Which of them is shown; as many as there are for the new line. */
  #shown: number;
  /** The new line, while an older one is shown. */
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
    'C-k': () => this.#cutOut(this.#cursor, this.#text.length),
    'C-u': () => this.#cutOut(0, this.#cursor),
    'C-w': () => this.#cutOut(this.#spaceBefore(), this.#cursor),
    'M-backspace': () => this.#cutOut(this.#wordStart(), this.#cursor),
    'M-d': () => this.#cutOut(this.#cursor, this.#wordEnd()),
    'C-y': () => this.insert(this.#cut),
    'C-t': () => this.#transpose(),
    up: () => this.#show(this.#shown - 1),
    'C-p': () => this.#show(this.#shown - 1),
    down: () => this.#show(this.#shown + 1),
    'C-n': () => this.#show(this.#shown + 1),
  };

  /** @param lines entered earlier, oldest first */
  constructor(lines: readonly string[] = []) {
    this.#lines = [...lines];
    this.#shown = this.#lines.length;
  }

  get text(): string {
    return this.#text;
  }

  /** Where the cursor stands, in UTF-16 units. */
  get cursor(): number {
    return this.#cursor;
  }

  /** Lines entered, oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** Does what a key stands for. False when it stands for nothing here. */
  press(name: string): boolean {
    const act = this.#keys[name];
    act?.();
    return act !== undefined;
  }

  /** Puts text where the cursor stands. */
  insert(text: string): void {
    this.#text = this.#text.slice(0, this.#cursor) + text + this.#text.slice(this.#cursor);
    this.#cursor += text.length;
  }

  /** Puts another text in its place. */
  replace(text: string, cursor: number = text.length): void {
    this.#text = text;
    this.#cursor = cursor;
  }

  /** Takes the text out: the line is empty then. */
  take(): string {
    const text = this.#text;
    this.replace('');
    this.#shown = this.#lines.length;
    this.#draft = '';
    return text;
  }

  /** Keeps a line for the arrow keys: once, as the newest. */
  remember(line: string): void {
    if (line === '') return;
    const before = this.#lines.lastIndexOf(line);
    if (before !== -1) this.#lines.splice(before, 1);
    this.#lines.push(line);
    if (this.#lines.length > mostLines) this.#lines.shift();
    this.#shown = this.#lines.length;
  }

  #move(to: number): void {
    this.#cursor = to;
  }

  #remove(from: number, to: number): void {
    this.#text = this.#text.slice(0, from) + this.#text.slice(to);
    this.#cursor = from;
  }

  #cutOut(from: number, to: number): void {
    if (from === to) return;
    this.#cut = this.#text.slice(from, to);
    this.#remove(from, to);
  }

  #show(which: number): void {
    if (which < 0 || which > this.#lines.length) return;
    if (this.#shown === this.#lines.length) this.#draft = this.#text;
    this.#shown = which;
    this.replace(this.#lines[which] ?? this.#draft);
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

  /** Exchanges the characters before and behind the cursor; at the end of the line, the last two. */
  #transpose(): void {
    const end = nextCharacter(this.#text, this.#cursor);
    const middle = this.#cursor === this.#text.length ? previousCharacter(this.#text, end) : this.#cursor;
    const start = previousCharacter(this.#text, middle);
    if (start === middle) return;
    const exchanged = this.#text.slice(middle, end) + this.#text.slice(start, middle);
    this.replace(this.#text.slice(0, start) + exchanged + this.#text.slice(end), end);
  }
}
