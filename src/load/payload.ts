/** The payload of a connection: a ring of frames that is sent over and over. */
import { YodelError } from '../errors.ts';
import { encode, type Framing } from '../framing/framing.ts';
import { Message, type MessageParts } from '../framing/message.ts';
import { websocket, websocketClient } from '../framing/websocket.ts';
import { type LoadSettings, protocolOf } from './plan.ts';

/** Frames, one after another. */
export interface Ring {
  readonly bytes: Buffer;
  /** Where each frame ends in `bytes`. */
  readonly ends: Float64Array;
}

/** What a connection sends. */
export interface Payload extends Ring {
  /** What an echo of it is: the same, unless the server's frames differ from the client's, as with WebSocket. */
  readonly echo: Ring;
}

/** A ring has at least this many different frames, if they fit. */
const minFrames = 16;
/** The memory for the rings of all connections, in bytes, unless two frames each take more. */
const maxBytes = 134_217_728;
/** Above this many bytes for all rings, the settings are rejected. */
const refusedBytes = 2_147_483_648;

const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index)).join('');

/** How payloads are generated. */
interface PayloadOptions {
  readonly framing: Framing;
  /** Whether an empty message can be sent. */
  readonly allowsEmpty: boolean;
  /** The number of connections in all processes. */
  readonly connections: number;
  /** The number of messages that a connection usually sends at once. The length of the ring is a multiple of it. */
  readonly together: number;
  /** What each message has besides its payload. */
  readonly parts: MessageParts | undefined;
}

/**
 * Creates the payload of each connection: the given messages in turn, or generated messages of one size.
 *
 * @returns a function from the number of a connection to its payload
 * @throws YodelError `YODEL_INVALID_OPTION` when the framing cannot carry such messages, or they take too much memory
 */
export function payloadsOf(settings: LoadSettings): (connection: number) => Payload {
  const { messages, connections, pipeline } = settings;
  const { framing } = protocolOf(settings);
  const allowsEmpty = framing.name !== 'raw';
  const { header, kind } = settings.parts ?? {};
  const parts = settings.parts && { header: header === undefined ? undefined : Buffer.from(header, 'latin1'), kind };
  const options = { framing, allowsEmpty, connections, together: pipeline ?? 1, parts };
  if ('size' in messages) return cached(numberedPayloads(messages.size, options));
  const bytes = messages.given.map((text) => Buffer.from(text, 'latin1'));
  const payload = givenPayload(bytes, options);
  return () => payload;
}

/** Caches payloads, because generating one again for a reopened connection would delay the others. */
function cached(create: (connection: number) => Payload): (connection: number) => Payload {
  const payloads = new Map<number, Payload>();
  return (connection) => {
    const payload = payloads.get(connection) ?? create(connection);
    payloads.set(connection, payload);
    return payload;
  };
}

/**
 * Messages of `size` bytes that are all different: each starts with the number of its connection and its own number, so that
 * a misplaced, missing or repeated reply never matches.
 */
function numberedPayloads(size: number, options: PayloadOptions): (connection: number) => Payload {
  const { connections, together } = options;
  if (2 * size * connections > refusedBytes) {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `${connections} connections with messages of ${size} bytes take too much memory; use fewer connections or smaller messages`,
    );
  }
  const alphabet = alphabetFor(options.framing);
  const frameSize = encodeMessage(options, message(size, 1, 1, alphabet), 'a generated message').length;
  const count = ringLength(frameSize, connections, together);
  return (connection) => {
    const messages = Array.from({ length: count }, (_, index) => message(size, connection, index + 1, alphabet));
    return payloadFor(options, messages, 'a message');
  };
}

/** One payload for all connections: the given messages in turn. */
function givenPayload(messages: readonly Uint8Array[], options: PayloadOptions): Payload {
  const size = messages.reduce((sum, one, index) => {
    const what = messages.length === 1 ? 'the message' : `message ${index + 1}`;
    return sum + encodeMessage(options, one, what).length;
  }, 0);
  // A few small messages are repeated, so that messages sent together are one write.
  const repeats = Math.min(Math.ceil(options.together / messages.length), Math.max(1, Math.floor(65_536 / size)));
  return payloadFor(options, Array.from({ length: repeats }, () => messages).flat(), 'a message');
}

function payloadFor(options: PayloadOptions, messages: readonly Uint8Array[], what: string): Payload {
  const sent = ringOf(messages.map((one) => encodeMessage(options, one, what)));
  if (options.framing !== websocketClient) return { ...sent, echo: sent };
  return { ...sent, echo: ringOf(messages.map((one) => encode(websocket, withParts(one, options)))) };
}

function ringOf(frames: readonly Uint8Array[]): Ring {
  let end = 0;
  const ends = Float64Array.from(frames, (frame) => {
    end += frame.length;
    return end;
  });
  return { bytes: Buffer.concat(frames), ends };
}

/** At least two frames, so that an old reply never matches a new message. A multiple of the frames sent together, if it fits. */
function ringLength(frameSize: number, connections: number, together: number): number {
  const fitting = Math.max(2, Math.floor(maxBytes / connections / frameSize));
  const preferred = Math.max(2, Math.ceil(minFrames / together)) * together;
  return preferred <= fitting ? preferred : together <= fitting ? together : fitting;
}

function withParts(message: Uint8Array, { parts }: Pick<PayloadOptions, 'parts'>): Uint8Array | Message {
  return parts ? Message.of(message, parts) : message;
}

function encodeMessage({ framing, allowsEmpty, parts }: PayloadOptions, message: Uint8Array, what: string): Uint8Array {
  if (message.length === 0 && !allowsEmpty) {
    throw new YodelError('YODEL_INVALID_OPTION', `${what} is empty, which the framing "raw" cannot carry`);
  }
  try {
    return encode(framing, withParts(message, { parts }));
  } catch (error) {
    if (!(error instanceof YodelError)) throw error;
    const hint = what === 'a generated message' ? '; give one with --message' : '';
    throw new YodelError('YODEL_INVALID_OPTION', `${what} cannot be sent: ${error.message}${hint}`, { cause: error });
  }
}

/** The characters of generated messages: none that occurs in the delimiter. */
interface Alphabet {
  readonly letters: string;
  /** Whether digits and `-` are among them. */
  readonly hasDigits: boolean;
}

function alphabetFor(framing: Framing): Alphabet {
  // The frame of an empty message is just the delimiter, in framings that have one.
  const hasDelimiter = (framing.encoder.inPlace?.trailerSize ?? 0) > 0;
  const delimiter = hasDelimiter ? emptyFrame(framing).toString('latin1') : '';
  const free = [...letters].filter((letter) => !delimiter.includes(letter)).join('');
  const other = [...printable].filter((letter) => !delimiter.includes(letter)).join('');
  return { letters: free.length > 1 ? free : other, hasDigits: !/[\d-]/.test(delimiter) };
}

function emptyFrame(framing: Framing): Buffer {
  try {
    return Buffer.from(encode(framing, ''));
  } catch (error) {
    if (!(error instanceof YodelError)) throw error;
    // It has no empty messages.
    return Buffer.alloc(0);
  }
}

function message(size: number, connection: number, number: number, alphabet: Alphabet): Buffer {
  const plain = `${connection}-${number}-`;
  // Where both numbers do not fit, or the delimiter contains their characters: as many digits of a combined number as fit.
  const head = plain.length <= size && alphabet.hasDigits ? plain : digits(connection * 4093 + number, size, alphabet);
  const bytes = Buffer.alloc(size, rotated(alphabet, connection + number));
  bytes.write(head);
  return bytes;
}

function digits(number: number, maxLength: number, { letters }: Alphabet): string {
  let text = '';
  for (let rest = number; rest > 0 && text.length < maxLength; rest = Math.floor(rest / letters.length)) {
    text += letters[rest % letters.length];
  }
  return text;
}

/** The alphabet, rotated so that it starts with another letter in each message. */
function rotated({ letters }: Alphabet, by: number): string {
  const start = by % letters.length;
  return letters.slice(start) + letters.slice(0, start);
}
