/** What is sent: the frames of one connection as a ring, which is sent round and round. */
import { YodelError } from '../errors.ts';
import { encode, type Framing } from '../framing/framing.ts';
import { carriesMessages, framingOf, type LoadSettings } from './plan.ts';

/** Frames one behind the other. */
export interface Payload {
  readonly bytes: Buffer;
  /** Where each frame ends in `bytes`. */
  readonly ends: Float64Array;
}

/** Frames of different messages that a ring has at the least, where they fit. */
const fewestFrames = 16;
/** What the rings of all connections may take together, as long as each has its two frames. */
const mostBytes = 134_217_728;
/** What they may never take. */
const tooManyBytes = 2_147_483_648;

const letters = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ';
const printable = Array.from({ length: 94 }, (_, index) => String.fromCharCode(0x21 + index)).join('');

/** How payloads are made. */
interface PayloadOptions {
  readonly framing: Framing;
  /** Whether an empty message can be sent. */
  readonly takesEmpty: boolean;
  /** How many connections there are, in all processes. */
  readonly connections: number;
  /** How many messages one connection sends at once, most often: so many fit the ring without remainder. */
  readonly together: number;
}

/**
 * What each connection sends: the messages that were given, in turn, or else messages of one size.
 *
 * @returns what gives the payload of a connection by its number
 * @throws YodelError `YODEL_INVALID_OPTION` when the framing cannot carry such messages, or they would take too much memory
 */
export function payloadsOf(settings: LoadSettings): (connection: number) => Payload {
  const { messages, connections, pipeline } = settings;
  const framing = framingOf(settings);
  const takesEmpty = framing.name !== 'raw' || carriesMessages(settings);
  const options = { framing, takesEmpty, connections, together: pipeline ?? 1 };
  if ('size' in messages) return remember(numberedPayloads(messages.size, options));
  const bytes = messages.given.map((text) => Buffer.from(text, 'latin1'));
  const payload = givenPayload(bytes, options);
  return () => payload;
}

/** A connection that comes again sends the same; to make it anew would take time from the others. */
function remember(make: (connection: number) => Payload): (connection: number) => Payload {
  const made = new Map<number, Payload>();
  return (connection) => {
    const payload = made.get(connection) ?? make(connection);
    made.set(connection, payload);
    return payload;
  };
}

/**
 * Messages of `size` bytes that are all different: each begins with the number of its connection and its own, so that
 * replies that were mixed up, left out or repeated are never what was expected.
 */
function numberedPayloads(size: number, options: PayloadOptions): (connection: number) => Payload {
  const { connections, together } = options;
  if (2 * size * connections > tooManyBytes) {
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `${connections} connections with messages of ${size} bytes take too much memory; use fewer connections or smaller messages`,
    );
  }
  const alphabet = alphabetFor(options.framing);
  const frameSize = encodeMessage(options, message(size, 1, 1, alphabet), 'a message').length;
  const count = ringLength(frameSize, connections, together);
  return (connection) => {
    const messages = Array.from({ length: count }, (_, index) => message(size, connection, index + 1, alphabet));
    return ring(messages.map((one) => encodeMessage(options, one, 'a message')));
  };
}

/** One payload for all connections: the given messages in turn. */
function givenPayload(messages: readonly Uint8Array[], options: PayloadOptions): Payload {
  const frames = messages.map((one, index) =>
    encodeMessage(options, one, messages.length === 1 ? 'the message' : `message ${index + 1}`),
  );
  const size = frames.reduce((sum, frame) => sum + frame.length, 0);
  // Few and small ones are repeated, so that many that are sent together are one write.
  const wanted = Math.min(Math.ceil(options.together / frames.length), Math.max(1, Math.floor(65_536 / size)));
  return ring(Array.from({ length: wanted }, () => frames).flat());
}

function ring(frames: readonly Uint8Array[]): Payload {
  let end = 0;
  const ends = Float64Array.from(frames, (frame) => {
    end += frame.length;
    return end;
  });
  return { bytes: Buffer.concat(frames), ends };
}

/** As many frames as are sent together, and again as many, so that yesterday's reply is never today's; fewer, if they are large. */
function ringLength(frameSize: number, connections: number, together: number): number {
  const fitting = Math.max(2, Math.floor(mostBytes / connections / frameSize));
  const wanted = Math.max(2, Math.ceil(fewestFrames / together)) * together;
  return wanted <= fitting ? wanted : together <= fitting ? together : fitting;
}

function encodeMessage({ framing, takesEmpty }: PayloadOptions, message: Uint8Array, what: string): Uint8Array {
  if (message.length === 0 && !takesEmpty) {
    throw new YodelError('YODEL_INVALID_OPTION', `${what} is empty, which the framing "raw" cannot carry`);
  }
  try {
    return encode(framing, message);
  } catch (error) {
    if (!(error instanceof YodelError)) throw error;
    throw new YodelError('YODEL_INVALID_OPTION', `${what} cannot be sent: ${error.message}`, { cause: error });
  }
}

/** What messages are made of: characters of which the delimiter has none, so that it can be nowhere in a message. */
interface Alphabet {
  readonly letters: string;
  /** Whether numbers can be written as people write them. */
  readonly hasDigits: boolean;
}

function alphabetFor(framing: Framing): Alphabet {
  // Around an empty message a framing that ends its messages with a delimiter has that and nothing else.
  const delimiter = framing.encoder.trailerSize > 0 ? Buffer.from(encode(framing, '')).toString('latin1') : '';
  const free = [...letters].filter((letter) => !delimiter.includes(letter)).join('');
  const other = [...printable].filter((letter) => !delimiter.includes(letter)).join('');
  return { letters: free.length > 1 ? free : other, hasDigits: !/[\d-]/.test(delimiter) };
}

function message(size: number, connection: number, number: number, alphabet: Alphabet): Buffer {
  const plain = `${connection}-${number}-`;
  // Too short for both numbers, or the delimiter has one of their characters: as many digits of both as there is room.
  const head = plain.length <= size && alphabet.hasDigits ? plain : digits(connection * 4093 + number, size, alphabet);
  const bytes = Buffer.alloc(size, turned(alphabet, connection + number));
  bytes.write(head);
  return bytes;
}

function digits(number: number, most: number, { letters }: Alphabet): string {
  let text = '';
  for (let rest = number; rest > 0 && text.length < most; rest = Math.floor(rest / letters.length)) {
    text += letters[rest % letters.length];
  }
  return text;
}

/** The letters, from another one on for each message. */
function turned({ letters }: Alphabet, by: number): string {
  const start = by % letters.length;
  return letters.slice(start) + letters.slice(0, start);
}
