/** JSON values, and JSON with names and functions in it. */
import type { JsonTemplate, Part } from '../transcript.ts';
import { ContentError } from './error.ts';
import { braceAt, type Functions, piecesUntil } from './pieces.ts';

/** How deep arrays and objects may be nested. */
const maxDepth = 500;

/**
 * Reads JSON in which names and functions may stand for values, `{"id":{id}}`, and within strings, `{"id":"{id}"}`.
 *
 * @throws ContentError
 */
export function parseJsonTemplate(text: string, functions: Functions): JsonTemplate {
  return new JsonReader(text, functions).readAll();
}

/** Reads a received JSON value. @throws ContentError if it is not JSON */
export function parseJson(text: string): JsonTemplate {
  return new JsonReader(text, undefined).readAll();
}

class JsonReader {
  readonly #text: string;
  /** Undefined: braces are those of objects only. */
  readonly #functions: Functions | undefined;
  #at = 0;

  constructor(text: string, functions: Functions | undefined) {
    this.#text = text;
    this.#functions = functions;
  }

  readAll(): JsonTemplate {
    const value = this.#readValue(0);
    this.#skipSpaces();
    if (this.#at < this.#text.length) this.#refuse('expected the end of the JSON value');
    return value;
  }

  #readValue(depth: number): JsonTemplate {
    if (depth > maxDepth) this.#refuse(`more than ${maxDepth} arrays and objects in each other`);
    this.#skipSpaces();
    switch (this.#text[this.#at]) {
      case '{':
        return this.#readPart() ?? this.#readObject(depth);
      case '[':
        return this.#readArray(depth);
      case '"':
        return { kind: 'string', parts: this.#readString() };
    }
    const [word] = this.#match(/(?:true|false|null)\b/y) ?? [];
    if (word !== undefined) return { kind: 'word', value: word === 'null' ? null : word === 'true' };
    const [number] = this.#match(/-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y) ?? [];
    if (number !== undefined) return { kind: 'number', text: number };
    return this.#refuse('expected a JSON value');
  }

  #readPart(): JsonTemplate | undefined {
    const brace = this.#functions && braceAt(this.#text, this.#at, 'json', this.#functions);
    if (!brace) return undefined;
    this.#at = brace.end;
    return { kind: 'part', part: brace.part };
  }

  #readObject(depth: number): JsonTemplate {
    const members = new Map<string, JsonTemplate>();
    this.#at++;
    for (let isFirst = true; !this.#take('}'); isFirst = false) {
      if (!isFirst && !this.#take(',')) this.#refuse('expected , or }');
      this.#skipSpaces();
      const at = this.#at;
      if (this.#text[at] !== '"') this.#refuse('expected a key in double quotes');
      const key = this.#readKey();
      if (members.has(key)) {
        this.#at = at;
        this.#refuse(`the key "${key}" occurs twice`);
      }
      if (!this.#take(':')) this.#refuse('expected : after a key');
      members.set(key, this.#readValue(depth + 1));
    }
    return { kind: 'object', members };
  }

  #readArray(depth: number): JsonTemplate {
    const items: JsonTemplate[] = [];
    this.#at++;
    for (let isFirst = true; !this.#take(']'); isFirst = false) {
      if (!isFirst && !this.#take(',')) this.#refuse('expected , or ]');
      items.push(this.#readValue(depth + 1));
    }
    return { kind: 'array', items };
  }

  /** The text of a string without names. */
  #readKey(): string {
    const end = this.#endOfString();
    try {
      const text = JSON.parse(this.#text.slice(this.#at, end)) as string;
      this.#at = end;
      return text;
    } catch {
      // Expected: a missing quote, a control character, or an unknown escape.
      return this.#refuse('not a JSON string');
    }
  }

  /** The index after the string that begins here. A regular expression would overflow in a long string. */
  #endOfString(): number {
    const special = /["\\]/g;
    special.lastIndex = this.#at + 1;
    for (let found = special.exec(this.#text); found; found = special.exec(this.#text)) {
      if (found[0] === '"') return found.index + 1;
      special.lastIndex = found.index + 2;
    }
    return this.#text.length;
  }

  #readString(): readonly Part[] {
    if (!this.#functions) {
      const text = this.#readKey();
      return text === '' ? [] : [Buffer.from(text)];
    }
    const { parts, end } = piecesUntil(this.#text, this.#at + 1, '"', 'json', this.#functions);
    this.#at = end + 1;
    return parts;
  }

  #skipSpaces(): void {
    this.#match(/[ \t\r\n]+/y);
  }

  /** Takes a character if it is next, after any spaces. */
  #take(character: string): boolean {
    this.#skipSpaces();
    if (this.#text[this.#at] !== character) return false;
    this.#at++;
    return true;
  }

  #match(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at = pattern.lastIndex;
    return found;
  }

  #refuse(problem: string): never {
    throw new ContentError(this.#at, problem);
  }
}
