/** What a program says of a framing of its own, and the checks that find mistakes in it before the first connection. */
import { YodelError } from '../../errors.ts';
import { hintFor } from '../../suggestion.ts';
import type { Encoding, InPlaceEncoder } from '../framing.ts';

/** A number of bytes: the same in every frame, or read from a frame, which is the bytes from `start` to `end`. */
export type SizeInFrame = number | ((bytes: Buffer, start: number, end: number) => number);

/**
 * How the frames of one direction are found and read.
 *
 * ```
 * ... | header bytes | payload | trailer bytes | next frame ...
 *     ^ start                                  ^ end, which decode returns
 *     |<- headerSize ->|       |<- trailerSize ->|
 * ```
 *
 * `bytes` may contain other frames before `start` and after `end`. The functions read them and never change or keep them. Except
 * `decode` and `next`, which have a state, they depend on nothing but the frame: they are called whenever a program reads the
 * message, as often as it does.
 */
export interface FramingRule<State = undefined> {
  /**
   * Finds the end of the frame at `start`. Called again with more bytes until the frame is complete, so it must not change the
   * state, and more bytes must not change the result.
   *
   * @param seen where the bytes begin that the last call for this frame did not have; `start` in the first call. A search may
   *   begin there, so that a long frame that arrives in small pieces is searched once
   * @returns the offset after the frame; more than `bytes.length` if the length is known and the rest has not arrived; 0 or
   *   undefined if more bytes are needed to tell
   * @throws any Error if this cannot be a frame; `invalidFrame` names the byte
   */
  decode(bytes: Buffer, start: number, state: State, seen: number): number | undefined;
  /** The bytes of a frame before its payload. A function is also called when `decode` has said where the frame ends, and the rest has not arrived. Default 0. */
  readonly headerSize?: SizeInFrame | undefined;
  /** The bytes of a frame after its payload. Default 0. */
  readonly trailerSize?: SizeInFrame | undefined;
  /**
   * The payload of a frame that writes it in another form, such as with escapes. No longer than the frame. Default: the bytes
   * between header and trailer.
   *
   * @throws any Error if this is not a valid frame
   */
  payload?(bytes: Buffer, start: number, end: number): Uint8Array;
  /** The message's header: the bytes outside the payload that a program needs, such as a type or an id. Default: none. */
  header?(bytes: Buffer, start: number, end: number): Uint8Array;
  /** Checks a complete frame, such as its checksum. @throws any Error if it is wrong; `invalidFrame` names the byte */
  check?(bytes: Buffer, start: number, end: number): void;
  /**
   * The size of the longest frame of a message of `limit` bytes. A longer frame is refused before its end has arrived, so this
   * bounds the memory of a connection. Required with `payload`, and where `headerSize` or `trailerSize` is a function. Default:
   * `limit + headerSize + trailerSize`.
   */
  maxFrameSize?(limit: number): number;
  /**
   * The bytes that end every frame and occur nowhere else in one. Where messages that are too long are discarded, the decoder
   * continues behind the next such ending. Without it, it stops at a frame that is too long and does not say its length.
   */
  readonly ending?: string | Uint8Array | undefined;
  /**
   * Called once for each valid frame, in order, and may change the state.
   *
   * @returns the rule of the frames that follow; undefined if it stays the same
   */
  next?(bytes: Buffer, start: number, end: number, state: State): FramingRule<State> | undefined;
}

/** A framing of your own. `encode` or `inPlace` is required. */
export interface FramingDefinition<State = undefined> extends FramingRule<State> {
  /** For logs, errors and recordings: letters, digits, `-`, `_` and `.`, and after a colon anything without spaces. */
  readonly name: string;
  /** Whether messages are checked to be UTF-8 by default. Default `binary`: they are not. */
  readonly defaultEncoding?: Encoding | undefined;
  /**
   * The frame of a message, in new bytes. It should follow from payload and header alone: a message may be sent at any time, on
   * any connection.
   *
   * @param header the message's header; empty if it has none. A reply without one has that of the message that it answers
   * @param state that of the protocol (`Protocol.createState`); undefined if it has none. Not that of `createState` below, which
   *   belongs to what is received
   * @throws any Error if the message has no frame
   */
  encode?(payload: Uint8Array, header: Uint8Array, state: State): Uint8Array;
  /** The same, faster: writes the frame around the payload, where that is already in a buffer. `shape` is the header, if there is one. */
  readonly inPlace?: InPlaceEncoder | undefined;
  /** Creates what `decode` and `next` of one connection and direction remember. Default: undefined, or the state of the protocol. */
  createState?(): State;
}

const ruleMembers = {
  decode: 'function',
  headerSize: 'size',
  trailerSize: 'size',
  payload: 'function',
  header: 'function',
  check: 'function',
  maxFrameSize: 'function',
  ending: 'bytes',
  next: 'function',
} as const;

const definitionMembers = {
  name: 'name',
  ...ruleMembers,
  encode: 'function',
  inPlace: 'encoder',
  defaultEncoding: 'encoding',
  createState: 'function',
} as const;

const kinds: Readonly<Record<string, { readonly form: string; readonly suits: (value: unknown) => boolean }>> = {
  function: { form: 'a function', suits: (value) => typeof value === 'function' },
  size: {
    form: 'a whole number from 0 on, or a function',
    suits: (value) => typeof value === 'function' || isSize(value),
  },
  bytes: { form: 'text or bytes, at least one', suits: (value) => isText(value) || isBytes(value) },
  name: { form: 'text', suits: (value) => typeof value === 'string' },
  encoder: { form: 'an object with headerSize, trailerSize and seal', suits: isEncoder },
  encoding: { form: '"utf8" or "binary"', suits: (value) => value === 'utf8' || value === 'binary' },
};

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isText(value: unknown): boolean {
  return typeof value === 'string' && value !== '';
}

function isBytes(value: unknown): boolean {
  return value instanceof Uint8Array && value.length > 0;
}

function isEncoder(value: unknown): boolean {
  const { headerSize, trailerSize, seal } = (value ?? {}) as Partial<InPlaceEncoder>;
  return typeof headerSize === 'function' && typeof seal === 'function' && isSize(trailerSize);
}

/** @throws YodelError `YODEL_INVALID_OPTION` for the first mistake */
export function checkDefinition(definition: FramingDefinition<never>, builtIn: readonly string[]): void {
  checkObject('a definition of a framing', definition);
  checkName(definition.name, builtIn);
  const what = `the framing "${definition.name}"`;
  checkMembers(what, definition, definitionMembers);
  if (!definition.encode && !definition.inPlace) {
    refuse(`${what} has no encode: a function from the payload and header of a message to its frame`);
  }
  checkRule(what, definition);
}

/** @throws YodelError `YODEL_INVALID_OPTION` for the first mistake in what `next` returned */
export function checkNextRule(name: string, rule: FramingRule<never>): void {
  const what = `the rule that "next" of the framing "${name}" returned`;
  checkObject(what, rule);
  if ('name' in rule) checkMembers(what, rule, definitionMembers);
  else checkMembers(what, rule, ruleMembers);
  checkRule(what, rule);
}

function checkRule(what: string, rule: FramingRule<never>): void {
  if (!rule.decode) refuse(`${what} has no decode: a function that finds the end of a frame`);
  const unbounded = (['headerSize', 'trailerSize', 'payload'] as const).find((one) => typeof rule[one] === 'function');
  if (unbounded !== undefined && !rule.maxFrameSize) {
    const example = 'such as maxFrameSize: (limit) => 2 * limit + 2';
    refuse(
      `${what} has a function "${unbounded}", so it needs the longest frame of a message of "limit" bytes, ${example}`,
    );
  }
  const size: unknown = rule.maxFrameSize?.(65_536);
  if (size !== undefined && !(isSize(size) && size > 0)) {
    refuse(`${what} has a maxFrameSize that returns ${String(size)} for a limit of 65536, not a number of bytes`);
  }
}

function checkObject(what: string, value: unknown): void {
  if (typeof value !== 'object' || value === null)
    refuse(`${what} is an object, not ${value === null ? 'null' : typeof value}`);
}

function checkName(name: unknown, builtIn: readonly string[]): void {
  if (typeof name !== 'string') refuse('a framing needs a name, which is text such as "my-frames"');
  if (!/^[a-z][\w.-]*(:[!-~]+)?$/i.test(name as string)) {
    const form =
      'it begins with a letter and has letters, digits, "-", "_" and ".", and after a colon anything without spaces';
    refuse(`${JSON.stringify(name)} cannot be the name of a framing: ${form}`);
  }
  const kind = (name as string).replace(/:.*/s, '');
  if (builtIn.includes(kind)) refuse(`"${kind}" is a framing of yodel; give your own another name`);
}

function checkMembers(what: string, value: object, members: Readonly<Record<string, string>>): void {
  for (const [name, given] of Object.entries(value)) {
    const kind = members[name];
    if (kind === undefined) refuse(`${what} has an unknown member "${name}". ${hintFor(name, Object.keys(members))}`);
    else if (given !== undefined && !kinds[kind]?.suits(given))
      refuse(`${what} takes ${kinds[kind]?.form} as "${name}"`);
  }
}

function refuse(text: string): never {
  throw new YodelError('YODEL_INVALID_OPTION', text);
}
