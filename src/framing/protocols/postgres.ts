/**
 * PostgreSQL's protocol 3 (https://www.postgresql.org/docs/current/protocol-message-formats.html). The client begins with
 * messages that have no type; all others have one. The length counts itself, not the type.
 *
 * ```
 * start        00 00 00 08 04 d2 16 2f          an SSLRequest: no header, payload 04 d2 16 2f
 * its reply    'N' or 'S'                       one byte: no header, payload "N"
 * start        00 00 00 .. 00 03 00 00 ..       the startup message
 * afterwards   'Q' 00 00 00 0d 'select 1' 00    header "Q", payload "select 1\0"
 * ```
 *
 * After `S` the connection is encrypted, so that its messages cannot be seen: its bytes are passed on as they arrive. A client may
 * also begin with TLS at once (sslnegotiation=direct).
 */
import type { FrameReader } from '../frames.ts';
import type { Encoder } from '../framing.ts';
import type { Protocol } from '../protocol.ts';
import { reader } from '../reader.ts';
import { type FrameScanner, invalidFrame, nameByte } from '../scanning.ts';
import { encryptedReader, endOfPiece, handshake } from './encrypted.ts';
import { binaryFraming, encoderWithHeader, idOf, unencodable } from './fixed.ts';

/** What both directions of a connection know of each other. */
interface State {
  phase: 'start' | 'typed' | 'encrypted';
  /** The number of requests for encryption whose reply, one byte, has not been sent. */
  awaitedBytes: number;
}

/** Codes instead of a version (Protocol Message Formats: CancelRequest, SSLRequest, GSSENCRequest). */
const cancelCode = 80_877_102;
const encryptionCodes: readonly number[] = [80_877_103, 80_877_104];

const lengthSize = 4;
const requests = idOf('postgres', 'requests');
const replies = idOf('postgres', 'replies');

class Requests implements FrameScanner {
  readonly #state: State;
  readonly #untyped = untypedReader();
  readonly #typed = typedReader(requests);
  readonly #encrypted = encryptedReader(requests);
  readonly #limit: number;

  constructor(state: State, limit: number) {
    this.#state = state;
    this.#limit = limit;
  }

  get reader(): FrameReader {
    const { phase } = this.#state;
    return phase === 'start' ? this.#untyped : phase === 'typed' ? this.#typed : this.#encrypted;
  }

  maxFrameSize(limit: number): number {
    return limit + 1 + lengthSize;
  }

  scan(bytes: Buffer, start: number): number {
    const { phase } = this.#state;
    const isEncrypted = phase === 'encrypted' || (phase === 'start' && bytes[start] === handshake);
    if (isEncrypted) return endOfPiece(bytes, start, this.#limit);
    return endOfCounted(bytes, start, phase === 'start' ? 0 : 1);
  }

  found(bytes: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (state.phase !== 'start') return;
    if (bytes[start] === handshake) {
      state.phase = 'encrypted';
      return;
    }
    const code = end - start >= 2 * lengthSize ? bytes.readUInt32BE(start + lengthSize) : 0;
    if (encryptionCodes.includes(code)) state.awaitedBytes++;
    else if (code !== cancelCode) state.phase = 'typed';
  }
}

class Replies implements FrameScanner {
  readonly #state: State;
  readonly #readable = replyReader();
  readonly #encrypted = encryptedReader(replies);
  readonly #limit: number;

  constructor(state: State, limit: number) {
    this.#state = state;
    this.#limit = limit;
  }

  get reader(): FrameReader {
    return this.#state.phase === 'encrypted' ? this.#encrypted : this.#readable;
  }

  maxFrameSize(limit: number): number {
    return limit + 1 + lengthSize;
  }

  scan(bytes: Buffer, start: number): number {
    const { phase, awaitedBytes } = this.#state;
    if (phase === 'encrypted') return endOfPiece(bytes, start, this.#limit);
    // A server that knows no encryption at all answers with an error.
    return awaitedBytes > 0 && bytes[start] !== failed ? start + 1 : endOfCounted(bytes, start, 1);
  }

  check(bytes: Buffer, start: number): void {
    const { phase, awaitedBytes } = this.#state;
    if (phase === 'encrypted' || awaitedBytes === 0 || bytes[start] === failed) return;
    if (!answers.includes(bytes[start] as number))
      throw invalidFrame(
        0,
        `expected "S", "G" or "N", the reply to a request for encryption, not ${nameByte(bytes[start])}`,
      );
  }

  found(bytes: Buffer, start: number): void {
    const state = this.#state;
    if (state.awaitedBytes === 0) return;
    state.awaitedBytes--;
    if (bytes[start] !== refused && bytes[start] !== failed) state.phase = 'encrypted';
  }
}

const refused = 0x4e;
/** The type of an ErrorResponse. */
const failed = 0x45;
/** `S` for TLS, `G` for GSSAPI, `N` for neither. */
const answers: readonly number[] = [0x53, 0x47, refused];

/** Of a client's first messages. None of them is so long that its length begins with the first byte of TLS. */
function untypedReader(): FrameReader {
  return reader(requests, -1, 0, {
    payloadStart: (bytes, start) => (bytes[start] === handshake ? start : start + lengthSize),
  });
}

function typedReader(framing: typeof requests): FrameReader {
  return reader(framing, 1 + lengthSize, 0, { header: (bytes, start) => bytes.subarray(start, start + 1) });
}

/** Of what a server sends: a frame of one byte, the answer to a request for encryption, has no type. */
function replyReader(): FrameReader {
  const typed = 1 + lengthSize;
  return reader(replies, -1, 0, {
    payloadStart: (_bytes, start, end) => (end - start === 1 ? start : start + typed),
    header: (bytes, start, end) => bytes.subarray(start, end - start === 1 ? start : start + 1),
  });
}

function endOfCounted(bytes: Buffer, start: number, typeSize: number): number {
  const at = start + typeSize;
  if (at + lengthSize > bytes.length) return 0;
  const length = bytes.readUInt32BE(at);
  if (length < lengthSize) throw invalidFrame(typeSize, `the length field counts itself, and cannot be ${length}`);
  return at + length;
}

/** The bytes of a frame besides its payload. */
type Overhead = 0 | 4 | 5;

/** An encoder for one connection: it encodes only what its phase allows. */
function encoderIn(framing: typeof requests, overheadNow: () => Overhead): Encoder {
  const any = encoderFor(framing);
  return {
    shapeOf: any.shapeOf,
    suits: (message) => message.frame.length - message.size === overheadNow(),
    encode(payload, header) {
      const overhead = overheadNow();
      if (overhead === 0 && header?.[0] !== failed)
        return header ? unencodable('no message with a type can be sent now') : Uint8Array.from(payload);
      if (overhead === lengthSize && header) unencodable('a PostgreSQL client begins with messages without a type');
      if (overhead > lengthSize && !header) unencodable('a PostgreSQL message needs its type as a header, such as "Q"');
      return any.encode(payload, header);
    },
  };
}

function requestOverhead({ phase }: State): Overhead {
  return phase === 'encrypted' ? 0 : phase === 'start' ? 4 : 5;
}

function replyOverhead({ phase, awaitedBytes }: State): Overhead {
  return phase === 'encrypted' || awaitedBytes > 0 ? 0 : 5;
}

function encoderFor(framing: typeof requests): Encoder {
  const isRequest = framing === requests;
  return encoderWithHeader(framing, [1], {
    headerSize: (size, header) => (header ? 1 + lengthSize : isRequest || size !== 1 ? lengthSize : 0),
    trailerSize: 0,
    seal(target, at, start, end, header) {
      if (!header && !isRequest && end - start !== 1)
        unencodable('a PostgreSQL server\'s message needs its type as a header, such as "Z"');
      if (header) target.set(header, at);
      if (start - at >= lengthSize) target.writeUInt32BE(end - start + lengthSize, start - lengthSize);
      return end;
    },
  });
}

function createState(): State {
  return { phase: 'start', awaitedBytes: 0 };
}

/** See the top of this file. */
export const postgres: Protocol = {
  name: 'postgres',
  framing: {
    ...binaryFraming(
      requests,
      (state: State = createState(), limit) => new Requests(state, limit),
      encoderFor(requests),
    ),
    createEncoder: (state) => encoderIn(requests, () => requestOverhead(state as State)),
  },
  replyFraming: {
    ...binaryFraming(replies, (state: State = createState(), limit) => new Replies(state, limit), encoderFor(replies)),
    createEncoder: (state) => encoderIn(replies, () => replyOverhead(state as State)),
  },
  encoding: 'binary',
  createState,
  // An ErrorResponse, whose first field is the severity.
  errorPattern: /^ES[^\0]*\0/,
  errorSubject: 'message',
};
