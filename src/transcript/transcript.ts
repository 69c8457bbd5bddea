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
  /** The lines of the files that it includes, by their names. */
  readonly included: ReadonlyMap<string, readonly string[]>;
  /** From `@framing` or `@protocol`. */
  readonly framing: Framing | undefined;
  /** From `@reply-framing` or `@protocol`. */
  readonly replyFraming: Framing | undefined;
  /** The framings of both directions. Default: lines. */
  readonly protocol: Protocol;
  /** From `@address`: what the clients connect to. */
  readonly address: string | undefined;
  readonly steps: readonly Step[];
  /** Values of names that are given from outside, such as by `--var`. A play begins with `new Values(transcript)`. */
  readonly given: Readonly<Record<string, string | Uint8Array>>;
  /** Client names, in the order in which they first appear. A client without a name is ''. */
  readonly clients: readonly string[];
}

/** The sender of a message: `>` a client, `<` the server. */
export type Side = '>' | '<';

/** Where a step is written. */
export interface Place {
  /** Line number, from 1. */
  readonly line: number;
  /** The included file that has the line; undefined for the transcript's own. */
  readonly file?: string | undefined;
}

/** A message, an event, or a block of them. */
export type Step = Place &
  (
    | ({
        readonly kind: 'message';
        readonly side: Side;
        readonly client: string;
        /** Whether it may be missing: `<?`. */
        readonly isOptional: boolean;
      } & MessageContent)
    /** Any messages up to the next expected one of this client that matches. The side that sends them sends none when played. */
    | { readonly kind: 'any'; readonly side: Side; readonly client: string }
    /** Expected messages that come in any order. They are sent in the order of the file. */
    | { readonly kind: 'unordered'; readonly steps: readonly MessageStep[] }
    /** Steps that are played `count` times. Undefined: once, or as often as the player decides. */
    | {
        readonly kind: 'repeat';
        readonly count: number | undefined;
        /** Its value is the number of the round, from 1. */
        readonly name: string | undefined;
        readonly steps: readonly Step[];
      }
    /** Gives a name a value. */
    | { readonly kind: 'set'; readonly name: string; readonly value: Content }
    /** JSON comparisons leave out these parts from here on, in addition to those of earlier lines. */
    | { readonly kind: 'ignore'; readonly paths: readonly JsonPath[] }
    /** Everything after this line waits `ms`. */
    | { readonly kind: 'wait'; readonly ms: number }
    /** The time that passed between the lines around it when they were recorded. */
    | { readonly kind: 'pace'; readonly ms: number }
    /** The time limit for expected messages from here on. */
    | { readonly kind: 'timeout'; readonly ms: number }
    /** How messages end from here on, with framings that have several endings, such as `lines`. */
    | { readonly kind: 'ending'; readonly ending: Ending }
    /** How received messages must end from here on. Undefined: in any way. Empty: by the end of the input. */
    | { readonly kind: 'expect-ending'; readonly ending: Ending }
    /** The server must send nothing to the client for `ms`. */
    | { readonly kind: 'silence'; readonly client: string; readonly ms: number }
    /** The client connects here instead of with its first message. */
    | ({ readonly kind: 'connect'; readonly client: string; readonly tls: ConnectTls } & Destination)
    /** The connection goes on over TLS. */
    | { readonly kind: 'starttls'; readonly client: string; readonly tls: ConnectTls }
    /** The client ends its side. */
    | { readonly kind: 'close'; readonly client: string }
    /** The server ends its side, without further messages. */
    | { readonly kind: 'closed'; readonly client: string }
    /** The client resets its connection. */
    | { readonly kind: 'reset'; readonly client: string }
  );

/** A step of one kind. */
export type StepOf<Kind extends Step['kind']> = Extract<Step, { readonly kind: Kind }>;

/** A step that is a message. */
export type MessageStep = StepOf<'message'>;

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

/** Where a client connects, if not to the server of the transcript. */
export interface Destination {
  /** An address, which may contain names: `127.0.0.1:{port}`. Undefined: that of the transcript. */
  readonly address: Content | undefined;
  /** The framings of this connection. Undefined: those of the transcript. */
  readonly wire: Protocol | undefined;
}

/** How a client connects over TLS. Paths are as written in the file. */
export interface ConnectTls {
  readonly cacert?: string | undefined;
  readonly servername?: string | undefined;
  readonly insecure?: boolean | undefined;
}

/** The content of a payload or header, sent or expected. */
export type Content =
  /** Bytes, names and functions: a name without a value captures the bytes in its place. */
  | { readonly kind: 'parts'; readonly parts: readonly Part[] }
  /** Text that the pattern matches somewhere; its named groups are captured. */
  | { readonly kind: 'pattern'; readonly pattern: RegExp }
  /** A JSON value, compared as such. */
  | { readonly kind: 'json'; readonly value: JsonTemplate };

/** A piece of a message. */
export type Part = Uint8Array | NamePart | CallPart | GeneratedPart | EnvironmentPart;

/** A name: `{id}`, `{id:2}`, `{id=none}`. */
export interface NamePart {
  readonly name: string;
  /** The number of bytes that it captures. Undefined: as few as possible. */
  readonly width?: number | undefined;
  /** What it stands for when it is sent without a value, which is its value from then on. */
  readonly default?: readonly Part[] | undefined;
  /** What it stands for when it is sent without a value, each time anew. */
  readonly generator?: ValueGenerator | undefined;
}

/** A function of bytes: `{crc32:hello}`. */
export interface CallPart {
  /** Its name. In capital letters, digits of the result are capital letters too. */
  readonly call: string;
  readonly argument: readonly Part[];
  /** Whether it stands in a hexadecimal line: then the result is bytes, and not digits. */
  readonly isHex: boolean;
  /** Bytes of the result of `length`, in a hexadecimal line. */
  readonly size?: number | undefined;
  /** A function from `@use`. */
  readonly own?: OwnFunction | undefined;
}

/** Bytes that are generated when they are sent; a received message may have any of the same shape: `{now:unix}`, `{random:8}`. */
export interface GeneratedPart {
  readonly generator: ValueGenerator;
}

/** The value of an environment variable: `{env:USER}`, `{env:USER=nobody}`. */
export interface EnvironmentPart {
  readonly variable: string;
  readonly default?: readonly Part[] | undefined;
}

/** What generates bytes. */
export type ValueGenerator =
  | { readonly kind: 'uuid' }
  /** The time. @see docs/transcripts.md for formats */
  | { readonly kind: 'now'; readonly format: string }
  /** `size` random letters and digits; in a hexadecimal line any bytes. */
  | { readonly kind: 'random'; readonly size: number; readonly isHex: boolean };

/** A function from `@use`. */
export type OwnFunction = (bytes: Uint8Array) => Uint8Array | string;

/** JSON in which names and functions may stand for values, and within strings. */
export type JsonTemplate =
  /** As written, so that no digit is lost. */
  | { readonly kind: 'number'; readonly text: string }
  | { readonly kind: 'word'; readonly value: boolean | null }
  | { readonly kind: 'string'; readonly parts: readonly Part[] }
  | { readonly kind: 'array'; readonly items: readonly JsonTemplate[] }
  | { readonly kind: 'object'; readonly members: ReadonlyMap<string, JsonTemplate> }
  | { readonly kind: 'part'; readonly part: Exclude<Part, Uint8Array> };

/** A place in JSON: `$.items[*].id`. */
export interface JsonPath {
  /** As written. */
  readonly text: string;
  readonly segments: readonly JsonPathSegment[];
}

/** A key, an index, any key or index, or any number of them (`..`). */
export type JsonPathSegment = string | number | { readonly any: 'one' | 'many' };

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
