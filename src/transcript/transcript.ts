/**
 * A conversation in a file: the messages of clients, the expected replies of the server, and events such as pauses.
 * docs/transcripts.md specifies the format.
 */
import { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Protocol } from '../framing/protocol.ts';

/** A whole conversation. */
export interface Transcript {
  /** The file's name, for error messages. */
  readonly file: string;
  /** Its lines, without line ends. */
  readonly lines: readonly string[];
  /** From `@framing` or `@protocol`. */
  readonly framing: Framing | undefined;
  /** From `@reply-framing` or `@protocol`. */
  readonly replyFraming: Framing | undefined;
  /** The framings of both directions. Default: lines. */
  readonly protocol: Protocol;
  /** From `@address`: what the clients connect to. */
  readonly address: string | undefined;
  readonly steps: readonly Step[];
  /** Client names, in the order in which they first appear. A client without a name is ''. */
  readonly clients: readonly string[];
}

/** The sender of a message: `>` a client, `<` the server. */
export type Side = '>' | '<';

/** One line that is a message or an event. */
export type Step = { /** Line number, from 1. */ readonly line: number } & (
  | ({ readonly kind: 'message'; readonly side: Side; readonly client: string } & MessageContent)
  /** Everything after this line waits `ms`. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** The time limit for expected messages from here on. */
  | { readonly kind: 'timeout'; readonly ms: number }
  /** How messages end from here on, with framings that have several endings, such as `lines`. */
  | { readonly kind: 'ending'; readonly ending: Ending }
  /** The server must send nothing to the client for `ms`. */
  | { readonly kind: 'silence'; readonly client: string; readonly ms: number }
  /** The client connects here instead of with its first message. */
  | { readonly kind: 'connect'; readonly client: string; readonly tls: ConnectTls }
  /** The client ends its side. */
  | { readonly kind: 'close'; readonly client: string }
  /** The server ends its side, without further messages. */
  | { readonly kind: 'closed'; readonly client: string }
  /** The client resets its connection. */
  | { readonly kind: 'reset'; readonly client: string }
);

/** A step that is a message. */
export type MessageStep = Extract<Step, { readonly kind: 'message' }>;

/** A message, sent or expected, as its line says. */
export interface MessageContent {
  /** The payload. */
  readonly content: Content;
  /** Undefined: when sent, what the framing writes without one; when expected, any. */
  readonly header: Content | undefined;
  /** Whether it is a binary message of a WebSocket. */
  readonly isBinary: boolean;
}

/** The bytes that end a message; empty for a last one that only the end of the input ends. Undefined: the framing's own. */
export type Ending = Uint8Array | undefined;

/** How a client connects over TLS. Paths are as written in the file. */
export interface ConnectTls {
  readonly cacert?: string | undefined;
  readonly servername?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/** The content of a payload or header, sent or expected. */
export type Content =
  /** Bytes and names: a name without a value captures any bytes. */
  | { readonly kind: 'parts'; readonly parts: readonly Part[] }
  /** Text that the pattern matches somewhere; its named groups are captured. */
  | { readonly kind: 'pattern'; readonly pattern: RegExp };

/** A piece of a message: bytes, or a name. */
export type Part = Uint8Array | { readonly name: string };

/** Values of names. */
export type Captures = Map<string, Uint8Array>;

/** A line of a transcript is invalid. */
export class TranscriptError extends YodelError {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** The line, and below it a `^` at the column. */
  readonly excerpt: string;

  /** @param problem what is wrong, and how to fix it */
  constructor(file: string, line: number, column: number, problem: string, text: string) {
    super('YODEL_INVALID_TRANSCRIPT', `${file}:${line}:${column}: ${problem}`);
    this.file = file;
    this.line = line;
    this.column = column;
    this.excerpt = `  ${text}\n  ${text.slice(0, column - 1).replace(/[^\t]/g, ' ')}^`;
  }
}
