/** Framings that programs define. They have what the built-in ones have, from the same decoder: limits, chunks, UTF-8. */
import { YodelError } from '../../errors.ts';
import type { FrameReader } from '../frames.ts';
import { asBuffer, type Encoder, type Framing, type InPlaceEncoder, inPlace } from '../framing.ts';
import { rememberFraming } from '../known.ts';
import type { Message } from '../message.ts';
import type { FramingId } from '../message-parts.ts';
import { framingKinds } from '../notation.ts';
import { type FrameScanner, invalidFrame, reasonOf, ScanningDecoder, type SkipRule } from '../scanning.ts';
import {
  checkDefinition,
  checkNextRule,
  type FramingDefinition,
  type FramingRule,
  type SizeInFrame,
} from './definition.ts';

/**
 * Defines a framing of your own. Length limits, time-outs, back-pressure and discarding need nothing of it, and it is used like
 * the built-in ones: in `serve`, `connect` and, from a file that exports it by default, with `--framing ./mine.ts`.
 *
 * ```ts
 * // A type, two bytes of length, the payload:  07 00 02 'h' 'i'
 * export const typed = defineFraming({
 *   name: 'typed',
 *   headerSize: 3,
 *   decode: (bytes, start) => (bytes.length < start + 3 ? 0 : start + 3 + bytes.readUInt16BE(start + 1)),
 *   header: (bytes, start) => bytes.subarray(start, start + 1),
 *   encode: (payload, header) =>
 *     Buffer.concat([Uint8Array.of(header[0] ?? 0, payload.length >> 8, payload.length & 0xff), payload]),
 * });
 * ```
 *
 * Two definitions are two framings, even if they have the same name: between their connections messages are encoded again. In
 * text, such as `@framing typed` of a transcript, the name means the last definition.
 *
 * `checkFraming` of `yodel/testing` tests a definition.
 *
 * @throws YodelError `YODEL_INVALID_OPTION` for a mistake in the definition
 */
export function defineFraming<State = undefined>(definition: FramingDefinition<State>): Framing {
  const builtIn = framingKinds.map((kind) => kind.name);
  checkDefinition(definition as FramingDefinition<never>, builtIn);
  const { name, defaultEncoding = 'binary' } = definition;
  const id = { name, id: newId(name) };
  const rules = new Rules<State>(id);
  const first = rules.get(definition);
  // Without a state, all connections share a scanner, as those of the built-in framings do.
  const shared = definition.next || definition.createState ? undefined : scannerOf(first);
  const encoder = createEncoder(id, definition);
  const framing: Framing = {
    ...id,
    defaultEncoding,
    encoder,
    createEncoder: (state) => (state === undefined ? encoder : createEncoder(id, definition, state as State)),
    createDecoder(options, state) {
      if (shared && state === undefined) return new ScanningDecoder(shared, options);
      const own = state === undefined ? createdState(definition) : { state: state as State };
      const scanner = 'state' in own ? new ChangingScanner(rules, first, own.state) : failingScanner(first, own.thrown);
      return new ScanningDecoder(scanner, options);
    },
  };
  rememberFraming(framing);
  return framing;
}

/** The state of a new connection; what was thrown, if it cannot be created. */
function createdState<State>(
  definition: FramingDefinition<State>,
): { readonly state: State } | { readonly thrown: unknown } {
  try {
    return { state: definition.createState?.() as State };
  } catch (thrown) {
    return { thrown };
  }
}

let definitions = 0;

/** Unique among all copies of yodel in all processes, so that frames are never taken for those of another definition. */
function newId(name: string): string {
  definitions++;
  return `${name}#${definitions}-${Math.random().toString(36).slice(2)}`;
}

/** A rule, in the terms of {@link ScanningDecoder}. */
interface ReadyRule<State> {
  readonly rule: FramingRule<State>;
  readonly reader: FrameReader;
  /** The bytes of the shortest frame. */
  readonly least: number;
  readonly maxFrameSize: (limit: number) => number;
  readonly check: FrameScanner['check'];
  readonly skip: SkipRule | undefined;
}

/** The rules of one framing, each prepared once. */
class Rules<State> {
  readonly #framing: FramingId;
  readonly #ready = new WeakMap<FramingRule<State>, ReadyRule<State>>();

  constructor(framing: FramingId) {
    this.#framing = framing;
  }

  get(rule: FramingRule<State>): ReadyRule<State> {
    const known = this.#ready.get(rule);
    if (known) return known;
    const ready = prepare(this.#framing, rule);
    this.#ready.set(rule, ready);
    return ready;
  }

  /** A rule that `next` returned. @throws YodelError `YODEL_INVALID_OPTION` */
  next(rule: FramingRule<State>): ReadyRule<State> {
    if (!this.#ready.has(rule)) checkNextRule(this.#framing.name, rule as FramingRule<never>);
    return this.get(rule);
  }
}

function prepare<State>(framing: FramingId, rule: FramingRule<State>): ReadyRule<State> {
  const { headerSize = 0, trailerSize = 0, ending } = rule;
  const fixed = fixedSize(headerSize) + fixedSize(trailerSize);
  return {
    rule,
    reader: readerOf(framing, rule),
    least: Math.max(1, fixed),
    maxFrameSize: (limit) => rule.maxFrameSize?.(limit) ?? limit + fixed,
    check: checkOf(rule),
    skip: ending === undefined ? undefined : skipTo(Buffer.from(ending as string)),
  };
}

function fixedSize(size: SizeInFrame): number {
  return typeof size === 'number' ? size : 0;
}

function readerOf<State>(framing: FramingId, rule: FramingRule<State>): FrameReader {
  const { headerSize = 0, trailerSize = 0 } = rule;
  // A trailer of any size is known when all of the frame has arrived; a header before that, because `decode` has read it.
  const read = (size: SizeInFrame, bytes: Buffer, start: number, end: number) =>
    typeof size === 'number' ? size : size.call(rule, bytes, start, end);
  const isKnown = (bytes: Buffer, end: number) => end <= bytes.length || typeof trailerSize === 'number';
  return {
    framing,
    headerSize: typeof headerSize === 'number' ? headerSize : -1,
    payloadStart: (bytes, start, end) => start + (isKnown(bytes, end) ? read(headerSize, bytes, start, end) : 0),
    payloadEnd: (bytes, start, end) => (isKnown(bytes, end) ? end - read(trailerSize, bytes, start, end) : start),
    terminatorSize: () => (typeof trailerSize === 'number' ? trailerSize : -1),
    ...(rule.payload && { payload: (bytes, start, end) => payloadOf(rule, bytes, start, end) }),
    ...(rule.header && { header: (bytes, start, end) => rule.header?.(bytes, start, end) as Uint8Array }),
  };
}

/** The payload that `rule.payload` returns, in memory of its own: a frame without escapes may be returned as a part of the chunk. */
function payloadOf<State>(rule: FramingRule<State>, bytes: Buffer, start: number, end: number): Buffer {
  const payload: unknown = rule.payload?.(bytes, start, end);
  if (!(payload instanceof Uint8Array)) throw new TypeError(`its "payload" returned ${describe(payload)}, not bytes`);
  return payload.buffer === bytes.buffer ? Buffer.from(payload) : asBuffer(payload);
}

/** What is checked in every complete frame. */
function checkOf<State>(rule: FramingRule<State>): FrameScanner['check'] {
  const { headerSize = 0, trailerSize = 0 } = rule;
  const isFixed = typeof headerSize === 'number' && typeof trailerSize === 'number';
  if (isFixed && !rule.payload && !rule.check) return undefined;
  return (bytes, start, end) => {
    if (!isFixed) checkParts(rule, bytes, start, end);
    rule.check?.(bytes, start, end);
    // Now, while an error is still that of this frame, and not of the program that reads the message.
    if (rule.payload && payloadOf(rule, bytes, start, end).length > end - start) {
      throw new RangeError('its payload is longer than its frame');
    }
  };
}

function checkParts<State>(rule: FramingRule<State>, bytes: Buffer, start: number, end: number): void {
  const { headerSize = 0, trailerSize = 0 } = rule;
  const sizes = [headerSize, trailerSize].map((size) => (typeof size === 'number' ? size : size(bytes, start, end)));
  const [header, trailer] = sizes as [number, number];
  if (sizes.every((size) => Number.isInteger(size) && size >= 0) && header + trailer <= end - start) return;
  throw new RangeError(`a header of ${header} and a trailer of ${trailer} bytes do not fit its ${end - start} bytes`);
}

function skipTo(ending: Buffer): SkipRule {
  return {
    endSize: ending.length,
    find(bytes, from) {
      const at = bytes.indexOf(ending, from);
      return at === -1 ? 0 : at + ending.length;
    },
  };
}

/** A scanner for a rule that never changes. */
function scannerOf<State>({ rule, reader, least, maxFrameSize, check, skip }: ReadyRule<State>): FrameScanner {
  return {
    reader,
    maxFrameSize,
    scan: (bytes, start, seen) => endOf(rule, least, bytes, start, undefined as State, seen),
    ...(check && { check }),
    ...(skip && { skip }),
  };
}

/** The scanner of a connection without a state: none of its bytes are a frame. */
function failingScanner<State>({ reader, maxFrameSize }: ReadyRule<State>, thrown: unknown): FrameScanner {
  const scan = () => {
    throw new Error(`its "createState" failed: ${reasonOf(thrown)}`, { cause: thrown });
  };
  return { reader, maxFrameSize, scan };
}

/** The scanner of one connection, whose rule may change after any frame. */
class ChangingScanner<State> implements FrameScanner {
  readonly #rules: Rules<State>;
  readonly #state: State;
  #current: ReadyRule<State>;

  constructor(rules: Rules<State>, first: ReadyRule<State>, state: State) {
    this.#rules = rules;
    this.#current = first;
    this.#state = state;
  }

  get reader(): FrameReader {
    return this.#current.reader;
  }

  get skip(): SkipRule | undefined {
    return this.#current.skip;
  }

  maxFrameSize(limit: number): number {
    return this.#current.maxFrameSize(limit);
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    const { rule, least } = this.#current;
    return endOf(rule, least, bytes, start, this.#state, seen);
  }

  check(bytes: Buffer, start: number, end: number): void {
    this.#current.check?.(bytes, start, end);
  }

  found(bytes: Buffer, start: number, end: number): void {
    const next = this.#current.rule.next?.(bytes, start, end, this.#state);
    if (next !== undefined) this.#current = this.#rules.next(next);
  }
}

/** Where the frame at `start` ends, as {@link FrameScanner.scan}. */
function endOf<State>(
  rule: FramingRule<State>,
  least: number,
  bytes: Buffer,
  start: number,
  state: State,
  seen: number,
): number {
  let end: number | undefined;
  try {
    end = rule.decode(bytes, start, state, seen);
  } catch (error) {
    throw explained(error);
  }
  if (end === undefined || end === 0) return 0;
  return Number.isInteger(end) && end >= start + least ? end : refuseEnd(end, start, least);
}

const mayBeEarly = '; it may have read a byte that has not arrived yet';

/** Adds what is probably wrong with a `decode` that reads outside of its bytes. */
function explained(error: unknown): unknown {
  const { code } = (error ?? {}) as { readonly code?: unknown };
  if (code !== 'ERR_OUT_OF_RANGE' && code !== 'ERR_BUFFER_OUT_OF_BOUNDS') return error;
  return new RangeError(`its "decode" failed: ${(error as Error).message}${mayBeEarly}`, { cause: error });
}

/** An end that is no end: the frame is too short, or `decode` has a fault. */
function refuseEnd(end: unknown, start: number, least: number): never {
  if (Number.isInteger(end) && (end as number) > start) {
    const size = (end as number) - start;
    throw invalidFrame(0, `a frame of ${size} bytes is shorter than its header and trailer, which have ${least}`);
  }
  const text = `its "decode" returned ${describe(end)} for a frame at ${start}, which is not an offset behind it`;
  throw new TypeError(text + (Number.isNaN(end) ? mayBeEarly : ''));
}

function describe(value: unknown): string {
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

const none = new Uint8Array(0);

/** @param state that of the protocol, if it has one */
function createEncoder<State>(framing: FramingId, definition: FramingDefinition<State>, state?: State): Encoder {
  // A rule that follows may have headers where the first one has none.
  const hasHeaders = definition.header !== undefined || definition.next !== undefined;
  const shapeOf = (message: Message) => (hasHeaders ? headerFor(message, framing) : undefined);
  const { inPlace: own } = definition;
  // What a frame means may depend on the state, so that only `encode` knows whether another connection can read it.
  const suits = state === undefined ? undefined : () => false;
  const parts = { shapeOf, ...(suits && { suits }) };
  if (!own) return { encode: (payload, header) => encodeWith(definition, payload, header, state), ...parts };
  const guarded: InPlaceEncoder = {
    headerSize(size, header) {
      try {
        const before = own.headerSize(size, header);
        if (Number.isSafeInteger(before) && before >= 0) return before;
        throw new TypeError(`its "headerSize" returned ${describe(before)}, not a number of bytes`);
      } catch (error) {
        throw unencodable(framing.name, error);
      }
    },
    trailerSize: own.trailerSize,
    seal(target, at, start, end, header) {
      try {
        const frameEnd = own.seal(target, at, start, end, header);
        if (Number.isInteger(frameEnd) && frameEnd >= end && frameEnd <= end + own.trailerSize) return frameEnd;
        throw new TypeError(`its "seal" returned ${describe(frameEnd)}, which is no end of a frame after ${end}`);
      } catch (error) {
        throw unencodable(framing.name, error);
      }
    },
  };
  return { ...inPlace(guarded), ...parts };
}

function encodeWith<State>(
  definition: FramingDefinition<State>,
  payload: Uint8Array,
  header: Uint8Array = none,
  state?: State,
): Uint8Array {
  try {
    const frame: unknown = definition.encode?.(payload, header, state as State);
    if (frame instanceof Uint8Array) return frame;
    throw new TypeError(`its "encode" returned ${describe(frame)}, not bytes`);
  } catch (error) {
    throw unencodable(definition.name, error);
  }
}

function unencodable(name: string, error: unknown): YodelError {
  if (error instanceof YodelError) return error;
  return new YodelError('YODEL_UNENCODABLE_MESSAGE', `the framing "${name}" cannot send it: ${reasonOf(error)}`, {
    cause: error,
  });
}

/** A copy of the message's header, if it has one that means something in this framing. */
function headerFor({ header, framing }: Message, { id }: FramingId): Uint8Array | undefined {
  if (header.length === 0 || (framing && framing.id !== id)) return undefined;
  return Uint8Array.from(header);
}
