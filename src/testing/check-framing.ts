/** Checks a framing with messages and bytes that it generates. */
import type { Framing } from '../framing/framing.ts';
import { Message } from '../framing/message.ts';
import { refuseUnknown } from '../option-values.ts';
import { checkIsFraming } from './decode-all.ts';
import { between, oneOf, randomFrom } from './random.ts';
import { smallest } from './smaller.ts';
import {
  arrivesAsSent,
  asMessage,
  type Failure,
  hex,
  ignoresChunks,
  isEncodable,
  keepsLimits,
  type Property,
  refusalOf,
  streamOf,
  type Trial,
  type TriedMessage,
} from './trial.ts';

/** What {@link checkFraming} tries. */
export interface CheckFramingOptions {
  /**
   * Messages of the framing. They are tried as they are, and their headers also with other payloads. Needed where messages have
   * headers, or their payloads a form of their own.
   */
  readonly messages?: readonly TriedMessage[];
  /**
   * Messages in the order in which they occur in a conversation, for a framing whose rule depends on what came before. Then only
   * this conversation and its beginnings are tried.
   */
  readonly conversation?: readonly TriedMessage[];
  /** Creates a message from random numbers from 0 to below 1. Default: bytes, many of them special in common framings. */
  readonly generate?: (random: () => number) => TriedMessage;
  /** Creates what the decoders of a protocol share (`Protocol.createState`). Default: nothing. */
  readonly createState?: () => unknown;
  /** The number of trials. Default 300. */
  readonly runs?: number;
  /** Repeats the trials of an earlier check: a failure names its seed. Default: others each time. */
  readonly seed?: number;
}

/** A framing does not keep its promise. The message shows the smallest case that was found, and the seed. */
export class FramingCheckError extends Error {
  override readonly name = 'FramingCheckError';
  /** For `CheckFramingOptions.seed`. */
  readonly seed: number;

  constructor(message: string, seed: number) {
    super(message);
    this.seed = seed;
  }
}

/**
 * Checks that a framing keeps what every framing promises:
 *
 * - Messages arrive as they were encoded, with their headers, however their frames are cut into chunks.
 * - A message as long as `maxMessageLength` is accepted, one byte more is refused, in any chunks.
 * - Any other bytes give the same messages and the same error in any chunks, and the decoder never throws.
 *
 * Messages that `encode` refuses are not tried.
 *
 * @returns the number of trials and the seed
 * @throws FramingCheckError for the first failure, with the smallest case that was found; YodelError `YODEL_INVALID_OPTION` if this
 *   is no framing
 */
export function checkFraming(
  framing: Framing,
  options: CheckFramingOptions = {},
): { readonly runs: number; readonly seed: number } {
  checkIsFraming(framing);
  refuseUnknown(options, ['messages', 'conversation', 'generate', 'createState', 'runs', 'seed'], 'checkFraming()');
  const { runs = 300, seed = Math.floor(Math.random() * 4_294_967_296), createState = () => undefined } = options;
  const random = randomFrom(seed);
  const usable = (message: TriedMessage) => isEncodable(framing, message);
  const conversation = options.conversation;
  const given = conversation ?? options.messages ?? [];
  for (const message of given) {
    const refusal = refusalOf(framing, message);
    if (refusal === undefined) continue;
    throw new FramingCheckError(
      `the framing "${framing.name}" refuses the given message ${nameOf(message)}: ${refusal}`,
      seed,
    );
  }
  let tried = 0;
  for (let run = 0; run < runs; run++) {
    const messages = conversation ? beginning(random, conversation) : someMessages(random, options, usable);
    if (messages.length > 0) tried++;
    const trial = { messages, chunks: anyChunks(random) };
    const damaged = { ...trial, bytes: damage(random, streamOf(framing, messages)) };
    const context = { framing, createState, keepsOrder: conversation !== undefined, seed };
    check(arrivesAsSent, trial, context);
    check(keepsLimits, trial, context);
    check(ignoresChunks, trial, context);
    check(ignoresChunks, damaged, context);
  }
  if (tried > 0 || runs === 0) return { runs, seed };
  const text = `the framing "${framing.name}" refuses all generated messages; give it some: checkFraming(framing, { messages: [...] })`;
  throw new FramingCheckError(text, seed);
}

interface Context {
  readonly framing: Framing;
  readonly createState: () => unknown;
  readonly keepsOrder: boolean;
  readonly seed: number;
}

function check(property: Property, trial: Trial, { framing, createState, keepsOrder, seed }: Context): void {
  const failureOf = (one: Trial) => {
    if (!one.messages.every((message) => isEncodable(framing, message))) return undefined;
    return property(framing, one, createState);
  };
  const failure = failureOf(trial);
  if (!failure) return;
  const least = smallest(trial, keepsOrder, (one) => failureOf(one)?.rule === failure.rule);
  throw new FramingCheckError(describe(framing, least, failureOf(least) ?? failure, seed), seed);
}

/** A beginning of the conversation, most often all of it. */
function beginning(random: () => number, conversation: readonly TriedMessage[]): readonly TriedMessage[] {
  return random() < 0.5 ? conversation : conversation.slice(0, between(random, 1, conversation.length));
}

function someMessages(
  random: () => number,
  { messages = [], generate }: CheckFramingOptions,
  usable: (message: TriedMessage) => boolean,
): TriedMessage[] {
  const create = () => {
    if (generate) return generate(random);
    if (messages.length === 0) return anyBytes(random);
    const like = asMessage(oneOf(random, messages));
    if (random() < 0.4) return like;
    return Message.of(anyBytes(random), { header: like.header, kind: like.kind });
  };
  return Array.from({ length: between(random, 1, 5) }, create).filter(usable);
}

/** Bytes that end, begin, escape or count something in common framings, and letters. */
const special = [0, 1, 2, 3, 10, 13, 16, 32, 35, 44, 58, 126, 127, 128, 0xc0, 0xdb, 0xdc, 0xdd, 0xff];

function anyBytes(random: () => number): Uint8Array {
  const size = random() < 0.1 ? between(random, 100, 700) : between(random, 0, 12);
  const isPlain = random() < 0.3;
  const byte = () => (isPlain || random() < 0.4 ? between(random, 0x61, 0x7a) : anyByte(random));
  return Uint8Array.from({ length: size }, byte);
}

function anyByte(random: () => number): number {
  return random() < 0.7 ? oneOf(random, special) : between(random, 0, 255);
}

function anyChunks(random: () => number): number[] {
  if (random() < 0.3) return [1];
  if (random() < 0.2) return [between(random, 1, 64), Number.MAX_SAFE_INTEGER];
  return Array.from({ length: between(random, 1, 6) }, () => between(random, 1, 12));
}

/** The frames with some bytes changed, added or missing. */
function damage(random: () => number, frames: Buffer): Buffer {
  const bytes = [...frames];
  for (let count = between(random, 0, 4); count > 0; count--) {
    const at = between(random, 0, bytes.length);
    const kind = random();
    if (kind < 0.5 && at < bytes.length) bytes[at] = anyByte(random);
    else if (kind < 0.75) bytes.splice(at, 0, anyByte(random));
    else bytes.splice(at, between(random, 1, 4));
  }
  return Buffer.from(bytes);
}

function nameOf(message: TriedMessage): string {
  const { bytes, header } = asMessage(message);
  return header.length > 0 ? `${hex(bytes)} with header ${hex(header)}` : hex(bytes);
}

function describe(framing: Framing, { messages, bytes, chunks }: Trial, failure: Failure, seed: number): string {
  const rows: (readonly [string, string])[] = [
    ...(bytes ? [] : messages.map((message) => ['message', nameOf(message)] as const)),
    ['bytes', hex(failure.bytes)],
    ['chunks', chunksText(chunks)],
    ...(failure.limit === undefined ? [] : [['limit', `${failure.limit} bytes`] as const]),
    ...listed('expected', failure.expected),
    ...listed('actual', failure.actual),
    ['seed', String(seed)],
  ];
  const lines = rows.map(([name, text]) => `  ${`${name}:`.padEnd(10)}${text}`);
  return [`the framing "${framing.name}": ${failure.rule}`, ...lines].join('\n');
}

function chunksText(chunks: readonly number[]): string {
  if (chunks[0] === Number.MAX_SAFE_INTEGER) return 'all in one';
  if (chunks.length === 1) return `of ${chunks[0]} ${chunks[0] === 1 ? 'byte' : 'bytes'}`;
  const sizes = chunks.map((size) => (size === Number.MAX_SAFE_INTEGER ? 'the rest' : String(size)));
  return `of ${sizes.join(', ')} bytes, in turn`;
}

function listed(name: string, events: readonly string[]): (readonly [string, string])[] {
  return events.length === 0 ? [[name, 'nothing']] : events.map((event) => [name, event] as const);
}
