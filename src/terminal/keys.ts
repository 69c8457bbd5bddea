/** Parses what a terminal sends into keys and pastes. Pure: no stream, no clock. */

/** A key, or a part of a paste. */
export type Key =
  /** One or more characters were typed. */
  | { readonly kind: 'text'; readonly text: string }
  /** A part of a paste, with LF line ends. */
  | { readonly kind: 'paste'; readonly text: string }
  /** The paste ended. */
  | { readonly kind: 'pasted' }
  /** A key by its name: `enter`, `left`, `C-a` for Ctrl-A, `M-b` for Alt-B, `C-left`. */
  | { readonly kind: 'press'; readonly name: string };

const pasteStart = '\x1b[200~';
const pasteEnd = '\x1b[201~';

const controls: Record<string, string> = {
  '\r': 'enter',
  '\n': 'enter',
  '\t': 'tab',
  '\b': 'backspace',
  '\x7f': 'backspace',
  '\x1f': 'C-_',
};
const letters: Record<string, string> = { A: 'up', B: 'down', C: 'right', D: 'left', H: 'home', F: 'end' };
const numbers: Record<string, string> = { 1: 'home', 3: 'delete', 4: 'end', 7: 'home', 8: 'end' };

// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what keys send
const printable = /[^\x00-\x1f\x7f]+/y;
// A control sequence (CSI), a key in application mode (SS3), or Alt with one character.
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what keys send
const escapeSequence = /\x1b(?:\[([0-?]*)[ -/]*([@-~])|O([0-9;]*)([A-Za-z~])|([^[O\x1b]))/uy;
// biome-ignore lint/suspicious/noControlCharactersInRegex: this is what keys send
const unfinishedSequence = /\x1b(?:\[[0-?]*[ -/]*|O[0-9;]*)?$/y;

/** Parses input into keys, however it is split into chunks. */
export class KeyReader {
  /** Input that is not complete: the start of an escape sequence, or of the end of a paste. */
  #pending = '';
  #inPaste = false;
  #afterReturn = false;

  /** Whether the input may be the start of an escape sequence. If nothing follows soon, it was the Escape key: call {@link flush}. */
  get isWaiting(): boolean {
    return this.#pending !== '' && !this.#inPaste;
  }

  /** Returns the keys in a chunk of input. */
  read(input: string): Key[] {
    const keys: Key[] = [];
    let text = this.#pending + input;
    this.#pending = '';
    while (text !== '') text = this.#inPaste ? this.#readPaste(text, keys) : this.#readKeys(text, keys);
    return keys;
  }

  /** Returns the keys in incomplete input that nothing followed. */
  flush(): Key[] {
    if (!this.isWaiting) return [];
    const [, ...rest] = this.#pending;
    this.#pending = '';
    const keys: Key[] = [{ kind: 'press', name: 'escape' }];
    if (rest.length > 0) keys.push({ kind: 'text', text: rest.join('') });
    return keys;
  }

  /** Reads up to the end of the paste. Returns the rest. */
  #readPaste(text: string, keys: Key[]): string {
    const end = text.indexOf(pasteEnd);
    if (end === -1) {
      const whole = text.length - incompleteLength(text);
      this.#pending = text.slice(whole);
      addPaste(keys, text.slice(0, whole));
      return '';
    }
    addPaste(keys, text.slice(0, end));
    keys.push({ kind: 'pasted' });
    this.#inPaste = false;
    return text.slice(end + pasteEnd.length);
  }

  /** Reads keys up to the start of a paste. Returns the rest. */
  #readKeys(text: string, keys: Key[]): string {
    for (let at = 0; at < text.length; ) {
      const afterReturn = this.#afterReturn;
      this.#afterReturn = false;
      const run = matchAt(printable, text, at);
      if (run) {
        keys.push({ kind: 'text', text: run[0] });
        at += run[0].length;
      } else if (text[at] !== '\x1b') {
        const control = text[at] as string;
        // CRLF is one Enter.
        if (control !== '\n' || !afterReturn) keys.push({ kind: 'press', name: nameOfControl(control) });
        this.#afterReturn = control === '\r';
        at++;
      } else if (text.startsWith(pasteStart, at)) {
        this.#inPaste = true;
        return text.slice(at + pasteStart.length);
      } else if (matchAt(unfinishedSequence, text, at)) {
        this.#pending = text.slice(at);
        return '';
      } else {
        const sequence = matchAt(escapeSequence, text, at);
        keys.push({ kind: 'press', name: sequence ? nameOfSequence(sequence) : 'escape' });
        at += sequence ? sequence[0].length : 1;
      }
    }
    return '';
  }
}

function matchAt(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** The length of an incomplete paste end, or CR of a CRLF, at the end of the text. */
function incompleteLength(text: string): number {
  if (text.endsWith('\r')) return 1;
  for (let length = Math.min(text.length, pasteEnd.length - 1); length > 0; length--) {
    if (!text.endsWith(pasteEnd.slice(0, length))) continue;
    return length + (text.at(-length - 1) === '\r' ? 1 : 0);
  }
  return 0;
}

function addPaste(keys: Key[], text: string): void {
  // Terminals send each line feed in a paste as a carriage return.
  if (text !== '') keys.push({ kind: 'paste', text: text.replace(/\r\n?/g, '\n') });
}

function nameOfControl(character: string): string {
  return controls[character] ?? `C-${String.fromCharCode(character.charCodeAt(0) + 0x40).toLowerCase()}`;
}

function nameOfSequence([, csi = '', csiEnd, ss3 = '', ss3End, meta]: RegExpExecArray): string {
  if (meta !== undefined) return `M-${meta < ' ' || meta === '\x7f' ? nameOfControl(meta) : meta}`;
  const parameters = (csiEnd ? csi : ss3).split(';');
  const end = csiEnd ?? ss3End ?? '';
  const name = end === '~' ? numbers[parameters[0] ?? ''] : letters[end];
  if (name === undefined) return 'unknown';
  const modifiers = Number(parameters[1] ?? '1') - 1;
  return `${modifiers & 4 ? 'C-' : ''}${modifiers & 2 ? 'M-' : ''}${name}`;
}
