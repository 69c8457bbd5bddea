/** How recorded messages end, with framings that have several endings, such as `lines`. */

import { YodelError } from '../errors.ts';
import { parseBytes } from '../framing/escapes.ts';
import { encode, type Framing } from '../framing/framing.ts';
import type { Message } from '../framing/message.ts';
import type { Ending } from './transcript.ts';

/** The ending of a last message that the end of the input ended. */
export const noEnding: Ending = new Uint8Array();

/** What a recording must know of a framing. */
interface Traits {
  /** Whether frames may end in several ways, as lines do: with LF or CRLF. */
  readonly hasEndings: boolean;
  /** The ending that the framing itself writes, if there are several. */
  readonly usualEnding: Ending;
  /** Whether the end of the input may take the place of an ending. */
  readonly mayBeUnended: boolean;
}

const decoderOptions = { maxMessageLength: 1024, onTooLong: 'close', encoding: 'binary' } as const;
const traitsOf = new WeakMap<Framing, Traits>();

function traits(framing: Framing): Traits {
  const known = traitsOf.get(framing);
  if (known) return known;
  const found = findTraits(framing);
  traitsOf.set(framing, found);
  return found;
}

/** Learns from a message how the framing writes it. */
function findTraits(framing: Framing): Traits {
  const sample = sampleOf(framing);
  // A framing that cannot express the sample: each of its messages says how it ends.
  if (!sample) return { hasEndings: true, usualEnding: undefined, mayBeUnended: false };
  const isPlain = sample.header.length === 0 && sample.kind === undefined;
  const usualEnding = isPlain ? endingIn(framing, sample) : undefined;
  const hasEndings = usualEnding !== undefined;
  return { hasEndings, usualEnding, mayBeUnended: isPlain && (hasEndings || sample.terminatorSize > 0) };
}

function sampleOf(framing: Framing): Message | undefined {
  try {
    const [sample] = framing.createDecoder(decoderOptions).decode(encode(framing, 'x'));
    return sample;
  } catch {
    // Only some payloads are messages of this framing, or its decoder needs the state of a connection.
    return undefined;
  }
}

function endingIn({ encoder }: Framing, message: Message): Ending {
  const shape = encoder.shapeOf(message);
  return shape && shape.length > 0 ? shape : undefined;
}

/**
 * How a message ended, if not as the framing itself ends it. Empty if the end of the input ended it.
 *
 * @param framing as it will be read from the recording, which need not be the one the message came in
 */
export function unusualEnding(framing: Framing, message: Message): Ending {
  const { hasEndings, usualEnding, mayBeUnended } = traits(framing);
  if (mayBeUnended && isUnended(framing, message)) return noEnding;
  if (!hasEndings || message.header.length > 0 || message.kind !== undefined) return undefined;
  const ending = endingIn(framing, message);
  return ending === usualEnding || isSameEnding(ending, usualEnding) ? undefined : ending;
}

/** Whether the end of the input ended a message: it has no ending, and the framing would write one. */
function isUnended({ encoder }: Framing, { terminatorSize, frame, size, bytes }: Message): boolean {
  if (terminatorSize > 0 || frame.length !== size) return false;
  try {
    // Where only some messages have an ending, such as the inline commands among the values of Redis, others are complete.
    return encoder.encode(bytes).length !== size;
  } catch {
    // What cannot be sent as it is may still have been received, at the end of the input.
    return true;
  }
}

/** The ending of messages where a recording names none. */
export function usualEndingOf(framing: Framing): Ending {
  return traits(framing).usualEnding;
}

/** The ending of the next message, where the recording says `ending`; undefined if that means nothing to its framing. */
export function applicableEnding(framing: Framing, ending: Ending): Ending {
  const { hasEndings, usualEnding, mayBeUnended } = traits(framing);
  const applies = ending !== undefined && (ending.length === 0 ? mayBeUnended : hasEndings);
  return applies ? ending : usualEnding;
}

/**
 * What is wrong with the ending of a received message, if anything.
 *
 * @param expected as `@expect-ending` says; undefined: any
 */
export function endingDifference({ terminator }: Message, expected: Ending): string | undefined {
  if (expected === undefined || isSameEnding(terminator, expected)) return undefined;
  return `it ends with ${endingName(terminator)}, and not with ${endingName(expected)}`;
}

function endingName(ending: Uint8Array): string {
  const name = formatEnding(ending);
  return name === 'none' ? 'the end of the input' : name.toUpperCase().replaceAll('\\X', '\\x');
}

/** Why messages of a framing cannot end like this, if they cannot. */
export function endingProblem(framing: Framing, expected: Ending): string | undefined {
  if (expected === undefined) return undefined;
  const { hasEndings, mayBeUnended } = traits(framing);
  if (expected.length === 0 ? mayBeUnended : hasEndings) return undefined;
  return `messages of the framing ${framing.name} have no ${expected.length === 0 ? 'last one without an ending' : 'endings to choose from'}`;
}

export function isSameEnding(one: Ending, other: Ending): boolean {
  return one === other || (one !== undefined && other !== undefined && Buffer.compare(one, other) === 0);
}

/** The argument of `@ending`. */
export function formatEnding(ending: Ending): string {
  if (ending === undefined) return 'default';
  if (ending.length === 0) return 'none';
  const text = Buffer.from(ending).toString('latin1');
  return text === '\n'
    ? 'lf'
    : text === '\r\n'
      ? 'crlf'
      : Array.from(ending, (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}

const words: Readonly<Record<string, Ending>> = {
  lf: Buffer.from('\n'),
  crlf: Buffer.from('\r\n'),
  none: noEnding,
  default: undefined,
};

/** Reads the argument of `@ending`; undefined if it is not one. */
export function parseEnding(text: string): { readonly ending: Ending } | undefined {
  if (text in words) return { ending: words[text] };
  try {
    return text.includes('\\') ? { ending: parseBytes(text) } : undefined;
  } catch (error) {
    if (error instanceof YodelError) return undefined;
    throw error;
  }
}

/** Writes `@ending` before messages that end in another way than those before them. */
export class EndingLines {
  /** Of the last `@ending`. */
  #current: Ending;

  /**
   * What precedes the next message.
   *
   * @param framing of its side
   * @param unusual as {@link unusualEnding} returned it
   */
  before(framing: Framing, unusual: Ending): string {
    const ending = unusual ?? usualEndingOf(framing);
    if (isSameEnding(ending, applicableEnding(framing, this.#current))) return '';
    this.#current = ending;
    return `@ending ${formatEnding(ending)}\n`;
  }
}
