/** One trial of a framing: messages, how they are cut into chunks, and what is expected of them. */
import { textOfThrown, YodelError } from '../errors.ts';
import { encode, type Framing } from '../framing/framing.ts';
import { isMessage, Message } from '../framing/message.ts';
import { type DecodeAllOptions, type Decoded, decodeAll } from './decode-all.ts';

/** Messages to try. */
export type TriedMessage = string | Uint8Array | Message;

/** What a trial is made of. */
export interface Trial {
  readonly messages: readonly TriedMessage[];
  /** Bytes instead of the frames of the messages, which need not be valid. */
  readonly bytes?: Uint8Array | undefined;
  /** Sizes of chunks, used in turn. */
  readonly chunks: readonly number[];
}

/** What is wrong, for the error. */
export interface Failure {
  readonly rule: string;
  readonly expected: readonly string[];
  readonly actual: readonly string[];
  /** What was decoded. */
  readonly bytes: Uint8Array;
  readonly limit?: number | undefined;
}

/** A property of framings. Returns what is wrong, if anything. */
export type Property = (framing: Framing, trial: Trial, createState: () => unknown) => Failure | undefined;

/** A generous limit. */
const largest = 16_777_216;

/**
 * Messages arrive as they were sent, with their headers and frames, in any chunks. A message without a header may get one that the
 * framing chooses, such as zeros.
 */
export const arrivesAsSent: Property = (framing, { messages, chunks }, createState) => {
  const bytes = streamOf(framing, messages);
  const expected = messages.map((message) => describeMessage(asMessage(message)));
  const options = { maxMessageLength: largest, state: createState() };
  const actual = observe(framing, cut(bytes, chunks), options, messages);
  const rule = 'messages do not arrive as they were sent';
  if (!isSame(expected, actual.events)) return { rule, expected, actual: actual.events, bytes };
  if (actual.frames.equals(bytes)) return undefined;
  return {
    rule: 'the frames of the messages are not the bytes that were sent',
    ...framesOf(bytes, actual.frames),
    bytes,
  };
};

/** A message as long as the limit is accepted, one byte more is refused, in any chunks. */
export const keepsLimits: Property = (framing, { messages, chunks }, createState) => {
  const sizes = messages.map((message) => asMessage(message).size);
  const longest = Math.max(0, ...sizes);
  if (longest < 2) return undefined;
  const bytes = streamOf(framing, messages);
  const all = messages.map((message) => describeMessage(asMessage(message)));
  const fitting = observe(framing, cut(bytes, chunks), { maxMessageLength: longest, state: createState() }, messages);
  if (!isSame(all, fitting.events)) {
    const rule = `a message of ${longest} bytes is refused although the limit allows as much`;
    return { rule, expected: all, actual: fitting.events, bytes, limit: longest };
  }
  const first = sizes.indexOf(longest);
  const limit = longest - 1;
  const tooLong = `refused: message ${first + 1} is longer than the limit of ${limit} bytes`;
  const expected = [...all.slice(0, first), tooLong];
  const { events } = observe(framing, cut(bytes, chunks), { maxMessageLength: limit, state: createState() }, messages);
  if (isSame(expected, events)) return undefined;
  return { rule: `a message of ${longest} bytes is not refused as too long`, expected, actual: events, bytes, limit };
};

/** Any bytes, valid or not, give the same in any chunks as in one. */
export const ignoresChunks: Property = (framing, trial, createState) => {
  const bytes = trial.bytes ?? streamOf(framing, trial.messages);
  for (const maxMessageLength of [largest, 8, 1]) {
    for (const onTooLong of ['close', 'discard'] as const) {
      const options = { maxMessageLength, onTooLong };
      const expected = observe(framing, [bytes], { ...options, state: createState() }).events;
      const actual = observe(framing, cut(bytes, trial.chunks), { ...options, state: createState() }).events;
      if (isSame(expected, actual)) continue;
      const rule = `the result depends on the chunks (expected: in one chunk; with onTooLong "${onTooLong}")`;
      return { rule, expected, actual, bytes, limit: maxMessageLength };
    }
  }
  return undefined;
};

/** The frames of messages, one after another. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
export function streamOf(framing: Framing, messages: readonly TriedMessage[]): Buffer {
  return Buffer.concat(messages.map((message) => encode(framing, message)));
}

/** Whether the framing has a frame for the message. */
export function isEncodable(framing: Framing, message: TriedMessage): boolean {
  return refusalOf(framing, message) === undefined;
}

/** Why the framing has no frame for the message; undefined if it has one. */
export function refusalOf(framing: Framing, message: TriedMessage): string | undefined {
  try {
    encode(framing, message);
    return undefined;
  } catch (error) {
    if (error instanceof YodelError && error.code === 'YODEL_UNENCODABLE_MESSAGE') return error.message;
    throw error;
  }
}

/** A text or bytes as a message. */
export function asMessage(message: TriedMessage): Message {
  return isMessage(message) ? message : Message.of(message);
}

/** Cuts bytes into chunks of these sizes, used in turn. */
export function cut(bytes: Uint8Array, sizes: readonly number[]): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const chunk = bytes.subarray(at, at + Math.max(1, sizes[turn % sizes.length] ?? bytes.length));
    chunks.push(chunk);
    at += chunk.length;
  }
  return chunks;
}

interface Observed {
  /** Each message, and each fault. */
  readonly events: readonly string[];
  readonly frames: Buffer;
}

/** @param sent what was sent, to leave out the headers of messages that were sent without one */
function observe(
  framing: Framing,
  chunks: readonly Uint8Array[],
  options: DecodeAllOptions,
  sent: readonly TriedMessage[] = [],
): Observed {
  let decoded: Decoded;
  try {
    decoded = decodeAll(framing, chunks, options);
  } catch (thrown) {
    // A decoder reports what is wrong with its input, and never throws.
    return {
      events: [`thrown: ${textOfThrown(thrown)}`],
      frames: Buffer.alloc(0),
    };
  }
  const { messages, faults } = decoded;
  const hadNoHeader = sent.map((message) => asMessage(message).header.length === 0);
  const describe = (message: Message, at: number) => (hadNoHeader[at] ? hex(message.bytes) : describeMessage(message));
  const events = [...messages.map(describe), ...faults.map(({ message }) => `refused: ${message}`)];
  return { events, frames: Buffer.concat(messages.map(({ frame }) => frame)) };
}

/** A message as text: its payload, and its header if it has one. */
function describeMessage({ bytes, header }: Message): string {
  return header.length === 0 ? hex(bytes) : `${hex(bytes)} with header ${hex(header)}`;
}

function framesOf(sent: Buffer, frames: Buffer): Pick<Failure, 'expected' | 'actual'> {
  return { expected: [hex(sent)], actual: [hex(frames)] };
}

/** Bytes as hexadecimal digits. */
export function hex(bytes: Uint8Array): string {
  return bytes.length === 0 ? '(empty)' : (Buffer.from(bytes).toString('hex').match(/../g) ?? []).join(' ');
}

function isSame(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((event, index) => event === other[index]);
}
