/**
 * SMTP (RFC 5321), FTP (RFC 959), NNTP (RFC 3977) and POP3 (RFC 1939). Requests are lines. A reply is one message of all its
 * lines. After a granted DATA, POST or IHAVE, the next request is a text: everything up to a line with only a dot.
 *
 * ```
 * 250-mail.example.org\r\n250 SIZE\r\n           one reply: "250-mail.example.org\r\n250 SIZE"
 * DATA\r\n                                       "DATA", which the server grants with 354
 * Subject: x\r\n\r\n..hi\r\n.\r\n                one request: "Subject: x\r\n\r\n.hi", without the dot that hides a dot
 * ```
 *
 * Which replies have several lines depends on the requests in NNTP and POP3, so that both directions share state. After a
 * granted STARTTLS (STLS, AUTH TLS) the connection is encrypted, and its bytes are passed on as they arrive. So they are when
 * NNTP compresses them.
 *
 * A client that sends a text without waiting for the grant is not refused: its lines are requests, and what follows them is
 * framed as it should be.
 */
import type { FrameReader } from '../frames.ts';
import type { Encoder, Framing } from '../framing.ts';
import type { FramingId } from '../message-parts.ts';
import type { Protocol } from '../protocol.ts';
import type { FrameScanner } from '../scanning.ts';
import { ScanningDecoder } from '../scanning.ts';
import { encryptedReader, endOfPiece } from './encrypted.ts';
import { idOf, withErrors } from './fixed.ts';
import { LineGroups, type LineRule, last, lineEncoder, lineReader, more } from './line-groups.ts';
import { PendingRequests } from './pending.ts';

/** What a request means for what follows it: a text after it was granted, or at once; a reply that may be a list; encryption. */
type Request = 'plain' | 'text' | 'textAtOnce' | 'list' | 'tls';
/** Besides these: a dot, which ends a text that was sent before it was granted. */
type Pending = Request | 'dot';

/** What both directions of a connection know of each other. */
interface State {
  /** Requests whose replies have not been seen, in order. */
  readonly pending: PendingRequests<Pending>;
  hasGreeted: boolean;
  /** The next request is a text. */
  isTextDue: boolean;
  isEncrypted: boolean;
}

/** How one of the protocols differs from the others. */
interface Rules {
  readonly name: string;
  /** What kind of request a line is. */
  requestOf(line: string): Request;
  /** What belongs to a request besides its line. Default: nothing. */
  readonly requestRule?: LineRule;
  /** Whether the first line of a reply has others after it, up to a line with only a dot. */
  isList(line: string, request: Pending | undefined): boolean;
  /** The first line of a reply that grants a text. */
  readonly granted: RegExp;
  /** The first line of a reply that grants encryption. */
  readonly secured: RegExp;
  readonly errorPattern: RegExp;
  readonly errorReply: (reason: string) => string;
  /** Whether a reply's lines repeat its code: `250-a`, `250 b`. */
  readonly repeatsCode: boolean;
}

const untilDot: LineRule = (line) => (line === '.' ? last : more);
const single: LineRule = () => last;

function repliesRule(rules: Rules, request: Pending | undefined): LineRule {
  let code: string | undefined;
  let isList = false;
  return (line, index) => {
    if (index === 0) {
      isList = rules.isList(line, request);
      [, code] = rules.repeatsCode ? (/^(\d{3})-/.exec(line) ?? []) : [];
      return isList || code !== undefined ? more : last;
    }
    if (isList) return untilDot(line, index);
    return line === code || line.startsWith(`${code} `) ? last : more;
  };
}

class Requests implements FrameScanner {
  readonly #state: State;
  readonly #rules: Rules;
  readonly #lines: LineGroups;
  readonly #text: LineGroups;
  readonly #encrypted: FrameReader;
  readonly #limit: number;
  /** Which of them scanned last. */
  #last: LineGroups | undefined;

  constructor(state: State, rules: Rules, id: FramingId, limit: number) {
    this.#state = state;
    this.#rules = rules;
    this.#lines = new LineGroups(lineReader(id), () => rules.requestRule ?? single);
    this.#text = new LineGroups(textReader(id), () => untilDot);
    this.#encrypted = encryptedReader(id);
    this.#limit = limit;
  }

  get reader(): FrameReader {
    const { isEncrypted, isTextDue } = this.#state;
    return isEncrypted ? this.#encrypted : (isTextDue ? this.#text : this.#lines).reader;
  }

  get memory(): number {
    return this.#state.pending.memory;
  }

  maxFrameSize(limit: number): number {
    // Each line of a text may begin with a dot that is not part of it, and the last two lines are not.
    return limit + Math.ceil(limit / 2) + 7;
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    const { isEncrypted, isTextDue } = this.#state;
    if (isEncrypted) return endOfPiece(bytes, start, this.#limit);
    const groups = isTextDue ? this.#text : this.#lines;
    // The rule may have changed when a part of the frame had arrived, which the other one has seen.
    const from = groups === this.#last ? seen : start;
    this.#last = groups;
    return groups.scan(bytes, start, from);
  }

  found(bytes: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (state.isEncrypted) return;
    const request = state.isTextDue ? 'plain' : this.#requestOf(bytes.toString('latin1', start, end).trimEnd());
    state.isTextDue = request === 'textAtOnce';
    if (!state.isTextDue) state.pending.add(request);
  }

  #requestOf(line: string): Pending {
    return line === '.' ? 'dot' : this.#rules.requestOf(line);
  }

  endsWithInput(): boolean {
    return !this.#state.isTextDue;
  }
}

class Replies implements FrameScanner {
  readonly #state: State;
  readonly #rules: Rules;
  readonly #lines: LineGroups;
  readonly #encrypted: FrameReader;
  readonly #limit: number;

  constructor(state: State, rules: Rules, id: FramingId, limit: number) {
    this.#state = state;
    this.#rules = rules;
    this.#lines = new LineGroups(lineReader(id), () => repliesRule(rules, this.#request));
    this.#encrypted = encryptedReader(id);
    this.#limit = limit;
  }

  get reader(): FrameReader {
    return this.#state.isEncrypted ? this.#encrypted : this.#lines.reader;
  }

  /** The request that the next reply answers. */
  get #request(): Pending | undefined {
    return this.#state.hasGreeted ? this.#state.pending.oldest : undefined;
  }

  maxFrameSize(limit: number): number {
    return limit + 2;
  }

  scan(bytes: Buffer, start: number, seen: number): number {
    return this.#state.isEncrypted ? endOfPiece(bytes, start, this.#limit) : this.#lines.scan(bytes, start, seen);
  }

  found(bytes: Buffer, start: number, end: number): void {
    const state = this.#state;
    if (state.isEncrypted) return;
    const line = bytes.toString('latin1', start, Math.min(end, start + 64));
    // A preliminary reply of FTP (1yz) is followed by the final one.
    if (this.#rules.repeatsCode && line.startsWith('1')) return;
    if (!state.hasGreeted) {
      state.hasGreeted = true;
      return;
    }
    const request = state.pending.take();
    if (request === 'text' && this.#rules.granted.test(line)) this.#beginText();
    if (request === 'tls' && this.#rules.secured.test(line)) state.isEncrypted = true;
  }

  /** What the client has already sent is the beginning of the text, or all of it, although it was framed as requests. */
  #beginText(): void {
    const { pending } = this.#state;
    if (pending.dropThrough('dot')) pending.addOldest('plain');
    else this.#state.isTextDue = true;
  }

  endsWithInput(): boolean {
    return this.#lines.endsWithInput();
  }
}

const LF = 0x0a;
const dot = 0x2e;

/** Reads a text up to the line with a dot, without the dots that hide dots at the beginnings of lines. */
function textReader(framing: FramingId): FrameReader {
  return lineReader(framing, {
    payload(bytes, start, end) {
      const body = bytes.toString('latin1', start, end).replace(/(?:^|\r?\n)\.\r?\n$/, '');
      return Buffer.from(body.replace(/(^|\n)\./g, '$1'), 'latin1');
    },
  });
}

/** Hides a dot at the beginning of a line behind another, and ends with a line that is a dot. */
function encodeText(payload: Uint8Array): Uint8Array {
  const parts: Uint8Array[] = [];
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.length);
  let from = 0;
  for (let at = 0; at < bytes.length; at++) {
    const beginsLine = at === 0 || bytes[at - 1] === LF;
    if (!beginsLine || bytes[at] !== dot) continue;
    parts.push(bytes.subarray(from, at), hidden);
    from = at;
  }
  return Buffer.concat([...parts, bytes.subarray(from), payload.length === 0 ? onlyDot : lastDot]);
}

const hidden = Buffer.from('.');
const onlyDot = Buffer.from('.\r\n');
const lastDot = Buffer.from('\r\n.\r\n');

/** Encodes what the server expects now: a line, a text, or encrypted bytes. */
function requestEncoder(state: State, line: Encoder): Encoder {
  return {
    encode(payload) {
      if (state.isEncrypted) return Uint8Array.from(payload);
      return state.isTextDue ? encodeText(payload) : line.encode(payload);
    },
    shapeOf: line.shapeOf,
    suits({ frame, size, terminatorSize }) {
      // More than the ending is not in the payload of a text.
      const isText = frame.length - size > terminatorSize;
      return !state.isEncrypted && terminatorSize > 0 && isText === state.isTextDue;
    },
  };
}

/** Encodes the reply to the oldest request, or encrypted bytes. */
function replyEncoder(state: State, lines: FrameReader, rules: Rules): Encoder {
  const ruleNow = () => repliesRule(rules, state.hasGreeted ? state.pending.oldest : undefined);
  const line = lineEncoder(lines, ruleNow);
  return {
    encode: (payload) => (state.isEncrypted ? Uint8Array.from(payload) : line.encode(payload)),
    shapeOf: line.shapeOf,
    suits({ frame, terminatorSize }) {
      const isReply = () => new LineGroups(lines, ruleNow).scan(Buffer.from(frame), 0, 0) === frame.length;
      return !state.isEncrypted && terminatorSize > 0 && isReply();
    },
  };
}

/** A protocol of this family. */
function protocolOf(rules: Rules): Protocol {
  const requests = idOf(rules.name, 'requests');
  const replies = idOf(rules.name, 'replies');
  const createState = (isSecured = false): State => ({
    pending: new PendingRequests(),
    hasGreeted: isSecured,
    isTextDue: false,
    isEncrypted: false,
  });
  const line = lineEncoder(lineReader(requests), () => rules.requestRule ?? single);
  const framing: Framing = {
    ...requests,
    defaultEncoding: 'binary',
    encoder: line,
    createEncoder: (state) => requestEncoder(state as State, line),
    createDecoder: (options, state = createState()) =>
      new ScanningDecoder(new Requests(state as State, rules, requests, options.maxMessageLength), options),
  };
  const replyFraming = withErrors(
    {
      ...replies,
      defaultEncoding: 'binary',
      encoder: lineEncoder(lineReader(replies), rules.repeatsCode ? () => repliesRule(rules, undefined) : undefined),
      createEncoder: (state) => replyEncoder(state as State, lineReader(replies), rules),
      createDecoder: (options, state = createState()) =>
        new ScanningDecoder(new Replies(state as State, rules, replies, options.maxMessageLength), options),
    },
    rules.errorReply,
  );
  const { name, errorPattern } = rules;
  return { name, framing, replyFraming, encoding: 'binary', createState, greeting: 1, errorPattern };
}

function commandOf(line: string): string {
  return line.split(/\s/, 1)[0]?.toUpperCase() ?? '';
}

const errorCode = /^[45]\d\d/;

export const smtp: Protocol = protocolOf({
  name: 'smtp',
  requestOf(line) {
    const command = commandOf(line);
    return command === 'DATA' ? 'text' : command === 'STARTTLS' ? 'tls' : 'plain';
  },
  // RFC 3030: the bytes of a chunk follow its command at once.
  requestRule(line) {
    const [, size] = /^BDAT\s+(\d{1,15})(?:\s|$)/i.exec(line) ?? [];
    return size === undefined ? last : { isLast: true, data: Number(size) };
  },
  isList: () => false,
  granted: /^354/,
  secured: /^220/,
  errorPattern: errorCode,
  errorReply: (reason) => `500 ${reason}`,
  repeatsCode: true,
});

export const ftp: Protocol = protocolOf({
  name: 'ftp',
  requestOf: (line) => (/^AUTH\s+(?:TLS|SSL)/i.test(line) ? 'tls' : 'plain'),
  isList: () => false,
  granted: /^$/,
  secured: /^234/,
  errorPattern: errorCode,
  errorReply: (reason) => `500 ${reason}`,
  repeatsCode: true,
});

/** Replies with lines after the first, whatever the request (RFC 3977, appendix C, and RFC 4643, 2980). */
const newsLists: readonly string[] = [
  '100',
  '101',
  '215',
  '220',
  '221',
  '222',
  '224',
  '225',
  '230',
  '231',
  '282',
  '288',
];

export const nntp: Protocol = protocolOf({
  name: 'nntp',
  requestOf(line) {
    const command = commandOf(line);
    if (command === 'POST' || command === 'IHAVE') return 'text';
    if (command === 'TAKETHIS') return 'textAtOnce';
    if (command === 'STARTTLS' || command === 'COMPRESS') return 'tls';
    return command === 'LISTGROUP' ? 'list' : 'plain';
  },
  isList: (line, request) => newsLists.includes(line.slice(0, 3)) || (line.startsWith('211') && request === 'list'),
  granted: /^3(?:35|40)/,
  // RFC 4642, and RFC 8054 for compression.
  secured: /^(?:382|206)/,
  errorPattern: errorCode,
  errorReply: (reason) => `500 ${reason}`,
  repeatsCode: false,
});

export const pop3: Protocol = protocolOf({
  name: 'pop3',
  requestOf(line) {
    const [command = '', argument] = line.toUpperCase().split(/\s+/);
    if (command === 'RETR' || command === 'TOP' || command === 'CAPA') return 'list';
    if ((command === 'LIST' || command === 'UIDL' || command === 'LANG') && !argument) return 'list';
    return command === 'STLS' ? 'tls' : 'plain';
  },
  isList: (line, request) => request === 'list' && line.startsWith('+OK'),
  granted: /^$/,
  secured: /^\+OK/,
  errorPattern: /^-ERR/,
  errorReply: (reason) => `-ERR ${reason}`,
  repeatsCode: false,
});
