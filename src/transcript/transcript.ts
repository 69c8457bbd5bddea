/**
 * A conversation as a file has it: what clients send, what the server is expected to answer, and what happens in between.
 * The format is specified in docs/transcripts.md.
 */
import { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';

/** A whole conversation. */
export interface Transcript {
  /** Where it stands, for messages about it. */
  readonly file: string;
  /** Its lines as they are, without their ends. */
  readonly lines: readonly string[];
  /** `@framing`; undefined when it says nothing. */
  readonly framing: Framing | undefined;
  /** `@address`: whom the clients talk to. */
  readonly address: string | undefined;
  readonly steps: readonly Step[];
  /** The names of its clients, in the order in which they first appear. The one without a name is ''. */
  readonly clients: readonly string[];
}

/** Who sends a message: `>` a client, `<` the server. */
export type Side = '>' | '<';

/** One line that says that something happens. */
export type Step = { /** In the file, from 1. */ readonly line: number } & (
  | { readonly kind: 'message'; readonly side: Side; readonly client: string; readonly content: Content }
  /** All that follows waits so long. */
  | { readonly kind: 'wait'; readonly ms: number }
  /** How long is waited for a message from here on. */
  | { readonly kind: 'timeout'; readonly ms: number }
  /** How frames of `lines` end from here on. */
  | { readonly kind: 'ending'; readonly ending: Ending }
  /** For so long the server must say nothing to the client. */
  | { readonly kind: 'silence'; readonly client: string; readonly ms: number }
  /** The client connects now, and not with its first message; and how. */
  | { readonly kind: 'connect'; readonly client: string; readonly tls: ConnectTls }
  /** The client ends its side. */
  | { readonly kind: 'close'; readonly client: string }
  /** The server ends its side: no more messages come before. */
  | { readonly kind: 'closed'; readonly client: string }
  /** The client breaks its connection off. */
  | { readonly kind: 'reset'; readonly client: string }
);

/** A step that is a message. */
export type MessageStep = Extract<Step, { readonly kind: 'message' }>;

/** What follows a message in framing `lines`; `none` for a last one that has no line end. */
export type Ending = 'lf' | 'crlf' | 'none';

/** How a client connects, when its address is one of TLS. Paths are as they are written. */
export interface ConnectTls {
  readonly cacert?: string | undefined;
  readonly servername?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/** What a message is, or is expected to be. */
export type Content =
  /** Bytes, with places between them that take whatever comes and remember it under a name. */
  | { readonly kind: 'parts'; readonly parts: readonly Part[] }
  /** Anything that the pattern is found in; its named groups are remembered. */
  | { readonly kind: 'pattern'; readonly pattern: RegExp };

/** A piece of a message: bytes as they are, or a name. */
export type Part = Uint8Array | { readonly name: string };

/** What names stand for. */
export type Captures = Map<string, Uint8Array>;

/** A line of a transcript is not as it should be. */
export class TranscriptError extends YodelError {
  readonly file: string;
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
  /** The line itself, and below it a mark at the place. */
  readonly excerpt: string;

  /** @param problem what is wrong, and what would be right */
  constructor(file: string, line: number, column: number, problem: string, text: string) {
    super('YODEL_INVALID_TRANSCRIPT', `${file}:${line}:${column}: ${problem}`);
    this.file = file;
    this.line = line;
    this.column = column;
    this.excerpt = `  ${text}\n  ${text.slice(0, column - 1).replace(/[^\t]/g, ' ')}^`;
  }
}
