/**
 * Reads text, text with escapes, hexadecimal digits and the inside of JSON strings: bytes, and what stands in braces.
 *
 *     {id}  {id:2}  {id=none}  {id:2=none}     names
 *     {now:unix}  {random:8}  {env:USER}       generated values, and the environment
 *     {crc32:hello {id}}                       functions, also of your own
 *
 * In a hexadecimal line defaults and arguments are hexadecimal too. Braces around anything else are literal.
 */
import type { CallPart, EnvironmentPart, GeneratedPart, NamePart, OwnFunction, Part } from '../transcript.ts';
import { ContentError } from './error.ts';
import { characterOf, hexByte, jsonEscape, lookUp } from './escapes.ts';
import { isFunction } from './functions.ts';
import { checkTimeFormat } from './times.ts';

/** How text stands for bytes. */
export type Form = 'text' | 'escaped' | 'hex' | 'json';

/** The functions of `@use`, by name. */
export type Functions = ReadonlyMap<string, OwnFunction>;

/** Pieces of a text, and the index after them. */
export interface Pieces {
  readonly parts: readonly Part[];
  readonly end: number;
}

const noFunctions: Functions = new Map();

/** Reads a whole text. @throws ContentError */
export function parsePieces(text: string, form: Form, functions: Functions = noFunctions): readonly Part[] {
  return new PieceReader(text, form, functions).read(0, undefined).parts;
}

/** Reads up to an unescaped character, which must follow. @param at where to begin @throws ContentError */
export function piecesUntil(text: string, at: number, until: '"', form: Form, functions: Functions): Pieces {
  return new PieceReader(text, form, functions).read(at, until);
}

/** Reads what stands in braces at an index; undefined if the brace is literal. @throws ContentError */
export function braceAt(
  text: string,
  at: number,
  form: Form,
  functions: Functions,
): { readonly part: Exclude<Part, Uint8Array>; readonly end: number } | undefined {
  return new PieceReader(text, form, functions).readBrace(at);
}

/** Collects bytes and other parts; adjacent bytes become one part. */
class Parts {
  readonly list: Part[] = [];
  #bytes: Uint8Array[] = [];

  add(bytes: Uint8Array | string): void {
    this.#bytes.push(typeof bytes === 'string' ? Buffer.from(bytes) : bytes);
  }

  addPart(part: Part): void {
    this.seal();
    this.list.push(part);
  }

  seal(): readonly Part[] {
    if (this.#bytes.length > 0) this.list.push(Buffer.concat(this.#bytes));
    this.#bytes = [];
    return this.list;
  }
}

/** How deep braces may be nested. */
const maxDepth = 50;

class PieceReader {
  readonly #text: string;
  /** The last closing brace: no brace after it is closed. */
  readonly #lastClose: number;
  #depth = 0;
  /** Whether the last brace that turned out to be literal has no closing brace: then none around it has one either. */
  #isUnclosed = false;
  readonly #form: Form;
  readonly #functions: Functions;

  constructor(text: string, form: Form, functions: Functions) {
    this.#text = text;
    this.#lastClose = text.lastIndexOf('}');
    this.#form = form;
    this.#functions = functions;
  }

  /** Reads up to `until`, or to the end of the text. */
  read(from: number, until: '"' | undefined): Pieces {
    const pieces = this.#readPieces(from, until);
    if (pieces) return pieces;
    throw new ContentError(this.#text.length, `expected ${until} at the end`);
  }

  /** Undefined if the end of the text comes before `until`. Within braces, pairs of literal braces belong to the text. */
  #readPieces(from: number, until: '"' | '}' | undefined): Pieces | undefined {
    const parts = new Parts();
    let depth = 0;
    let at = from;
    while (at < this.#text.length) {
      const character = this.#text[at] as string;
      if (character === until && depth === 0) return { parts: parts.seal(), end: at };
      if (character === '{') {
        const brace = this.readBrace(at);
        if (brace) {
          parts.addPart(brace.part);
          at = brace.end;
          continue;
        }
        if (until === '}' && this.#isUnclosed) return undefined;
        this.#isUnclosed = false;
        depth++;
      } else if (character === '}' && depth > 0) depth--;
      at = this.#readLiteral(at, parts);
    }
    if (until === undefined) return { parts: parts.seal(), end: at };
    this.#isUnclosed = true;
    return undefined;
  }

  /** Reads an argument or a default up to its closing brace. */
  #readInside(at: number): Pieces | undefined {
    if (this.#depth === maxDepth) throw new ContentError(at, `more than ${maxDepth} braces in each other`);
    this.#depth++;
    const inside = this.#readPieces(at, '}');
    this.#depth--;
    return inside;
  }

  /** Adds the bytes that begin at an index, and returns the index after them. */
  #readLiteral(at: number, parts: Parts): number {
    const text = this.#text;
    if (this.#form === 'hex') {
      if (text[at] === ' ') return at + 1;
      const [run] = /^(?:[0-9a-fA-F]{2} *){1,1000}/.exec(text.slice(at, at + 4000)) ?? [];
      parts.add(run === undefined ? hexByte(text, at) : Buffer.from(run.replaceAll(' ', ''), 'hex'));
      return at + (run?.length ?? 2);
    }
    if (text[at] === '\\' && this.#form !== 'text') return this.#readEscape(at, parts);
    const [run = ''] = /[{}]|[^\\{}"]+|[\\"]/y.exec(text.slice(at)) ?? [];
    parts.add(run);
    return at + run.length;
  }

  #readEscape(at: number, parts: Parts): number {
    const rest = this.#text.slice(at);
    if (this.#form === 'json') {
      const { text, length } = jsonEscape(rest, at);
      parts.add(text);
      return at + length;
    }
    const [token = '', hex, point, letter] = /^\\(?:x([0-9a-fA-F]{2})|u\{([0-9a-fA-F]{1,6})\}|(.))/su.exec(rest) ?? [];
    if (hex !== undefined) parts.add(Buffer.from([Number.parseInt(hex, 16)]));
    else if (point !== undefined) parts.add(characterOf(point, at));
    else if (letter !== undefined) parts.add(lookUp(letter, at));
    else throw new ContentError(at, 'unfinished escape at the end; a backslash is written \\\\');
    return at + token.length;
  }

  /** What stands in braces. Undefined: the brace is literal. */
  readBrace(at: number): { readonly part: Exclude<Part, Uint8Array>; readonly end: number } | undefined {
    if (at > this.#lastClose) return undefined;
    const rest = this.#text.slice(at);
    const [called, call] = /^\{([A-Za-z_]\w*):/.exec(rest) ?? [];
    if (called !== undefined && call !== undefined && this.#isCall(call, rest.slice(called.length))) {
      const inside = at + called.length;
      if (call === 'now' || call === 'random') return this.#readGenerated(call, inside);
      return call === 'env' ? this.#readVariable(inside) : this.#readCall(call, inside);
    }
    const [named, name, width, next] = /^\{([A-Za-z_]\w*)(?::(\d{1,3}))?([=}])/.exec(rest) ?? [];
    if (named === undefined || name === undefined) return undefined;
    const end = at + named.length;
    if (width !== undefined && Number(width) === 0)
      throw new ContentError(at, `{${name}:0} captures nothing; a width is 1 to 999 bytes`);
    const widthOf = width === undefined ? {} : { width: Number(width) };
    if (next === '}') return { part: { name, ...widthOf, ...generatorOf(name, width) } as NamePart, end };
    const inside = this.#readInside(end);
    return inside && { part: { name, ...widthOf, default: inside.parts } as NamePart, end: inside.end + 1 };
  }

  /** Whether `{name:` begins a function. `{length:2}` is a name with a width, because it is of no use as a function. */
  #isCall(name: string, rest: string): boolean {
    if (name === 'random' || this.#functions.has(name)) return true;
    if (/^\d{1,3}[=}]/.test(rest)) return false;
    return name === 'now' || name === 'env' || isFunction(name);
  }

  #readCall(call: string, at: number): { readonly part: CallPart; readonly end: number } | undefined {
    const isHex = this.#form === 'hex';
    const own = this.#functions.get(call);
    const [sized, size] = (isHex && call === 'length' && /^([1-6]):/.exec(this.#text.slice(at))) || [''];
    const inside = this.#readInside(at + sized.length);
    if (!inside) return undefined;
    const part = {
      call,
      argument: inside.parts,
      isHex,
      ...(size ? { size: Number(size) } : {}),
      ...(own ? { own } : {}),
    };
    return { part, end: inside.end + 1 };
  }

  #readGenerated(
    call: 'now' | 'random',
    at: number,
  ): { readonly part: GeneratedPart; readonly end: number } | undefined {
    const length = this.#text.slice(at).indexOf('}');
    if (length === -1) return undefined;
    const text = this.#text.slice(at, at + length);
    const end = at + length + 1;
    if (call === 'random') {
      const size = /^\d{1,4}$/.test(text) ? Number(text) : 0;
      if (size === 0) throw new ContentError(at, '{random:…} takes a number of characters, such as {random:8}');
      return { part: { generator: { kind: 'random', size, isHex: this.#form === 'hex' } }, end };
    }
    try {
      checkTimeFormat(text);
    } catch (error) {
      if (error instanceof ContentError) throw new ContentError(at + error.at, error.message);
      throw error;
    }
    return { part: { generator: { kind: 'now', format: text } }, end };
  }

  #readVariable(at: number): { readonly part: EnvironmentPart; readonly end: number } | undefined {
    const [named = '', variable, next] = /^([A-Za-z_]\w*)([=}])/.exec(this.#text.slice(at)) ?? [];
    if (variable === undefined)
      throw new ContentError(at, '{env:…} takes the name of an environment variable, such as {env:USER}');
    const end = at + named.length;
    if (next === '}') return { part: { variable }, end };
    const inside = this.#readInside(end);
    return inside && { part: { variable, default: inside.parts }, end: inside.end + 1 };
  }
}

/** `{uuid}` and `{now}` are names: they stand for what was received in their place, else for new values. */
function generatorOf(name: string, width: string | undefined): Pick<NamePart, 'generator'> {
  if (width !== undefined) return {};
  if (name === 'uuid') return { generator: { kind: 'uuid' } };
  return name === 'now' ? { generator: { kind: 'now', format: 'iso' } } : {};
}
