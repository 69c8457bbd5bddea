/** Finds the bytes that the names of an expected message stand for. */
import { asBuffer } from '../../framing/framing.ts';
import type { CallPart, Part } from '../transcript.ts';
import type { Values } from '../values.ts';
import { knownBytes } from './evaluate.ts';
import { shapeOf } from './generators.ts';

/** The bytes in the places of names. */
export type Found = ReadonlyMap<string, Uint8Array>;

/** Bytes, a name without a value, a shape, or a function of names without a value. */
type Piece =
  | { readonly bytes: Buffer }
  | { readonly name: string; readonly width: number | undefined }
  | { readonly shape: RegExp }
  | { readonly call: CallPart };

/**
 * Compares bytes with the parts of an expected message. Returns the bytes in the places of names without a value: each has as
 * few as possible. Undefined if the bytes are different.
 *
 * @throws YodelError `YODEL_INVALID_TRANSCRIPT` if a function cannot be computed
 */
export function placesOf(parts: readonly Part[], bytes: Uint8Array, values: Values): Found | undefined {
  const pieces = piecesOf(parts, values);
  return isSimple(pieces) ? simplePlacesOf(pieces, bytes) : new Search(pieces, bytes, values).run();
}

/** Adjacent known bytes become one piece. */
function piecesOf(parts: readonly Part[], values: Values): Piece[] {
  const pieces: Piece[] = [];
  for (const part of parts) {
    const bytes = knownBytes(part, values);
    const last = pieces.at(-1);
    if (bytes === undefined) pieces.push(openPiece(part));
    else if (last && 'bytes' in last) pieces[pieces.length - 1] = { bytes: Buffer.concat([last.bytes, bytes]) };
    else pieces.push({ bytes: asBuffer(bytes) });
  }
  return pieces;
}

function openPiece(part: Part): Piece {
  if (part instanceof Uint8Array) return { bytes: asBuffer(part) };
  if ('name' in part) return { name: part.name, width: part.width };
  if ('generator' in part && part.generator) return { shape: new RegExp(shapeOf(part.generator), 'y') };
  // A variable that is not set matches nothing, as does a function of names that nothing captures.
  return 'call' in part ? { call: part } : { shape: /(?!)/y };
}

function isSimple(pieces: readonly Piece[]): boolean {
  const names = new Set<string>();
  return pieces.every((piece) => {
    if ('bytes' in piece) return true;
    if (!('name' in piece) || piece.width !== undefined || names.has(piece.name)) return false;
    names.add(piece.name);
    return true;
  });
}

/**
 * Bytes and different names without a width. It is enough to take the first occurrence of the bytes between two names,
 * because what fits after a later occurrence also fits after an earlier one. So the time is linear.
 */
function simplePlacesOf(pieces: readonly Piece[], bytes: Uint8Array): Found | undefined {
  const whole = asBuffer(bytes);
  const found = new Map<string, Uint8Array>();
  let at = 0;
  let open: string | undefined;
  for (const [index, piece] of pieces.entries()) {
    if (!('bytes' in piece)) {
      if (open !== undefined) found.set(open, new Uint8Array());
      open = 'name' in piece ? piece.name : undefined;
      continue;
    }
    const { bytes: literal } = piece;
    const end = whole.length - literal.length;
    const start = open === undefined ? at : index === pieces.length - 1 ? end : whole.indexOf(literal, at);
    if (start < at || !whole.subarray(start, start + literal.length).equals(literal)) return undefined;
    if (open !== undefined) found.set(open, Uint8Array.from(whole.subarray(at, start)));
    open = undefined;
    at = start + literal.length;
  }
  if (open !== undefined) found.set(open, Uint8Array.from(whole.subarray(at)));
  else if (at !== whole.length) return undefined;
  return found;
}

/** The number of attempts after which a search gives up. */
const maxAttempts = 1_000_000;

/** A function in the place of these bytes, to be compared when the names in it have values. */
interface Claim {
  readonly call: CallPart;
  readonly bytes: Uint8Array;
}

/** Tries the places of names from short to long, with going back. */
class Search {
  readonly #pieces: readonly Piece[];
  readonly #whole: Buffer;
  readonly #values: Values;
  /** Each byte is a character. */
  readonly #text: string;
  /** Whether what follows a place depends on what was found before it. */
  readonly #depends: boolean;
  /**
   * Of each name without a width: the first place from which it and the rest do not match, if nothing depends on what precedes
   * it. Then they match from no later place either, because it could have taken the bytes between.
   */
  readonly #failedFrom: number[] = [];
  readonly #claims: Claim[] = [];
  #attempts = 0;

  constructor(pieces: readonly Piece[], bytes: Uint8Array, values: Values) {
    this.#pieces = pieces;
    this.#whole = asBuffer(bytes);
    this.#text = this.#whole.toString('latin1');
    this.#values = values.fork();
    const names = pieces.flatMap((piece) => ('name' in piece ? [piece.name] : []));
    this.#depends = new Set(names).size < names.length || pieces.some((piece) => 'call' in piece);
  }

  run(): Found | undefined {
    const before = new Set(this.#values.captured.keys());
    if (!this.#match(0, 0)) return undefined;
    const found = [...this.#values.captured].filter(([name]) => !before.has(name));
    return new Map(found.map(([name, bytes]) => [name, Uint8Array.from(bytes)]));
  }

  /** Whether the pieces from an index match the bytes from a place. If so, names have values. */
  #match(index: number, at: number): boolean {
    if (++this.#attempts > maxAttempts) return false;
    const piece = this.#pieces[index];
    if (piece === undefined) return at === this.#whole.length && this.#claims.every((claim) => this.#isTrue(claim));
    if (at >= (this.#failedFrom[index] ?? Number.POSITIVE_INFINITY)) return false;
    const isMatch = this.#matchPiece(piece, index, at);
    if (!isMatch && !this.#depends && 'name' in piece && piece.width === undefined) this.#failedFrom[index] = at;
    return isMatch;
  }

  #matchPiece(piece: Piece, index: number, at: number): boolean {
    if ('bytes' in piece) return this.#matchBytes(piece.bytes, index, at);
    if ('shape' in piece) {
      piece.shape.lastIndex = at;
      return piece.shape.test(this.#text) && this.#match(index + 1, piece.shape.lastIndex);
    }
    if ('name' in piece) {
      const known = this.#values.get(piece.name);
      if (known) return this.#matchBytes(asBuffer(known), index, at);
      return this.#tryAll(index, at, piece.width, (bytes) => {
        this.#values.set(piece.name, bytes);
        return () => this.#values.delete(piece.name);
      });
    }
    const known = knownBytes(piece.call, this.#values);
    if (known) return this.#matchBytes(asBuffer(known), index, at);
    return this.#tryAll(index, at, undefined, (bytes) => {
      this.#claims.push({ call: piece.call, bytes });
      return () => this.#claims.pop();
    });
  }

  #matchBytes(bytes: Buffer, index: number, at: number): boolean {
    const end = at + bytes.length;
    return this.#whole.subarray(at, end).equals(bytes) && this.#match(index + 1, end);
  }

  /** Tries the shortest bytes first. @param take takes them, and returns what undoes that */
  #tryAll(index: number, at: number, width: number | undefined, take: (bytes: Uint8Array) => () => unknown): boolean {
    const { length } = this.#whole;
    const next = this.#pieces[index + 1];
    for (let end = at + (width ?? 0); end <= (width === undefined ? length : at + width); end++) {
      // Places where the rest cannot match are skipped.
      if (width === undefined && next === undefined) end = length;
      else if (width === undefined && next && 'bytes' in next) end = this.#whole.indexOf(next.bytes, end);
      if (end === -1 || end > length) return false;
      const undo = take(this.#whole.subarray(at, end));
      if (this.#match(index + 1, end)) return true;
      undo();
    }
    return false;
  }

  #isTrue({ call, bytes }: Claim): boolean {
    const value = knownBytes(call, this.#values);
    return value !== undefined && asBuffer(value).equals(bytes);
  }
}
