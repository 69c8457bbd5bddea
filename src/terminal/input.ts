/** Applies keys to the line that is being typed: editing, history, search, pasting. Pure: it draws nothing. */
import type { Key } from './keys.ts';
import { LineEditor } from './line.ts';
import { ReverseSearch } from './search.ts';
import type { InputLine } from './text.ts';

/** What keys trigger besides editing. */
export interface InputEvents {
  /** Enter was pressed. Returns the text that stays in the line: empty when the line was accepted. */
  readonly enter: (line: string) => string;
  /** A whole line was pasted. */
  readonly paste: (line: string) => void;
  /** Ctrl-C was pressed. The line, `typed`, is empty now. */
  readonly interrupt: (typed: string) => void;
  /** Ctrl-D on an empty line. */
  readonly end: () => void;
  /** Ctrl-Z. */
  readonly suspend: () => void;
  /** Ctrl-L. */
  readonly clear: () => void;
  /** Tab was pressed, with the line up to the cursor. Returns the text to insert. */
  readonly complete: (before: string) => string;
}

/** Turns keys into lines. */
export class LineInput {
  readonly #events: InputEvents;
  readonly #editor: LineEditor;
  #search: ReverseSearch | undefined;
  /** Whether a paste has begun and not ended. */
  #inPaste = false;
  /** Whether something was typed before text was pasted into the line. */
  #isTyped = false;

  /** @param lines the history, oldest first */
  constructor(lines: readonly string[], events: InputEvents) {
    this.#editor = new LineEditor(lines);
    this.#events = events;
  }

  /** The text of the line. */
  get text(): string {
    return this.#editor.text;
  }

  /** Whether a paste has begun and not ended: its last line need not be drawn yet. */
  get inPaste(): boolean {
    return this.#inPaste;
  }

  /** The line to draw. During a search, the prompt shows the query. */
  shown(prompt: string): InputLine {
    if (!this.#search) return { prompt, text: this.#editor.text, cursor: this.#editor.cursor };
    const { prompt: searchPrompt, found } = this.#search;
    return { prompt: searchPrompt, text: found?.line ?? '', cursor: found?.at ?? 0 };
  }

  /** Adds a line to the history. */
  remember(line: string): void {
    this.#editor.remember(line);
  }

  /** Applies a key. */
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
    const remaining = this.#events.enter(this.#editor.take());
    if (remaining !== '') this.#editor.replace(remaining);
  }

  /** Reports each complete line of a paste. Text after the last line end stays in the line. */
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
      // These keys only end the search and keep the cursor where it is.
      if (!['escape', 'right', 'tab'].includes(key.name)) this.#press(key.name);
    }
  }

  /** Ends the search. The line found becomes the line to edit. */
  #endSearch(): void {
    const found = this.#search?.found;
    this.#search = undefined;
    if (found) this.#editor.replace(found.line, found.at);
  }
}
