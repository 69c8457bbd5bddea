/** What the keys do to the line that is being typed: editing, older lines, the search for them, pasting. Pure: it shows nothing. */
import type { Key } from './keys.ts';
import { LineEditor } from './line.ts';
import { ReverseSearch } from './search.ts';
import type { InputLine } from './text.ts';

/** What the keys ask for, beside editing. */
export interface InputEvents {
  /** Enter was pressed on this line. What is returned stays in the line: nothing, when the line was taken. */
  readonly enter: (line: string) => string;
  /** A whole line was pasted. */
  readonly paste: (line: string) => void;
  /** Ctrl-C, with what was being typed: it is gone. */
  readonly interrupt: (typed: string) => void;
  /** Ctrl-D on an empty line. */
  readonly end: () => void;
  /** Ctrl-Z. */
  readonly suspend: () => void;
  /** Ctrl-L. */
  readonly clear: () => void;
  /** Tab, with the line up to the cursor. What is returned comes in at the cursor. */
  readonly complete: (before: string) => string;
}

/** One line after another, made by keys. */
export class LineInput {
  readonly #events: InputEvents;
  readonly #editor: LineEditor;
  #search: ReverseSearch | undefined;
  /** Whether a part of a paste has come and its end has not. */
  #inPaste = false;
  /** Whether the line that a paste goes into was begun by hand. */
  #isTyped = false;

  /** @param lines of earlier times, oldest first */
  constructor(lines: readonly string[], events: InputEvents) {
    this.#editor = new LineEditor(lines);
    this.#events = events;
  }

  /** What is typed at the moment. */
  get text(): string {
    return this.#editor.text;
  }

  /** Whether a paste is under way, whose last line nobody needs to see yet. */
  get inPaste(): boolean {
    return this.#inPaste;
  }

  /** The line as it is to be shown: while an older one is looked for, with that in place of the prompt. */
  shown(prompt: string): InputLine {
    if (!this.#search) return { prompt, text: this.#editor.text, cursor: this.#editor.cursor };
    const { prompt: searchPrompt, found } = this.#search;
    return { prompt: searchPrompt, text: found?.line ?? '', cursor: found?.at ?? 0 };
  }

  /** Keeps a line for the arrow keys and the search. */
  remember(line: string): void {
    this.#editor.remember(line);
  }

  /** Does what a key asks for. */
  take(key: Key): void {
    if (key.kind === 'paste') this.#paste(key.text);
    else if (key.kind === 'pasted') this.#inPaste = false;
    else if (this.#search) this.#takeInSearch(this.#search, key);
    else if (key.kind === 'text') this.#editor.insert(key.text);
    else this.#press(key.name);
  }

  #press(name: string): void {
    const editor = this.#editor;
    if (name === 'enter') this.#enter();
    else if (name === 'tab') editor.insert(this.#events.complete(editor.text.slice(0, editor.cursor)));
    else if (name === 'C-r') this.#search = new ReverseSearch(editor.lines);
    else if (name === 'C-c') this.#events.interrupt(editor.take());
    else if (name === 'C-d' && editor.text === '') this.#events.end();
    else if (name === 'C-z') this.#events.suspend();
    else if (name === 'C-l') this.#events.clear();
    else editor.press(name);
  }

  #enter(): void {
    const kept = this.#events.enter(this.#editor.take());
    if (kept !== '') this.#editor.replace(kept);
  }

  /** Each whole line of a paste is on its own; what is behind the last line end stays to be edited. */
  #paste(text: string): void {
    this.#endSearch();
    if (!this.#inPaste) this.#isTyped = this.#editor.text !== '';
    this.#inPaste = true;
    const [first = '', ...others] = text.split('\n');
    this.#editor.insert(first);
    for (const next of others) {
      const line = this.#editor.take();
      if (this.#isTyped) this.#events.enter(line);
      else this.#events.paste(line);
      this.#isTyped = false;
      this.#editor.insert(next);
    }
  }

  #takeInSearch(search: ReverseSearch, key: Key): void {
    if (key.kind === 'text') search.type(key.text);
    else if (key.kind !== 'press') return;
    else if (key.name === 'C-r') search.older();
    else if (key.name === 'backspace') search.erase();
    else if (key.name === 'C-g' || key.name === 'C-c') this.#search = undefined;
    else {
      this.#endSearch();
      // Escape and Right only end the search, with the cursor where it stands.
      if (!['escape', 'right', 'tab'].includes(key.name)) this.#press(key.name);
    }
  }

  /** What was found is the line now. */
  #endSearch(): void {
    const found = this.#search?.found;
    this.#search = undefined;
    if (found) this.#editor.replace(found.line, found.at);
  }
}
