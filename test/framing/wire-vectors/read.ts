/** Reads the wire vectors: messages of real protocols as bytes. README.md beside this file describes the format. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** One message of a stream. */
export interface WireMessage {
  /** Its place in the conversation of both directions, counted from 0. */
  readonly turn: number | undefined;
  /** Bytes with a meaning that stand outside the payload, without what only delimits or counts. */
  readonly header: Buffer | undefined;
  /** What the application sees. */
  readonly payload: Buffer;
  /** Bytes before the frame that belong to no message: empty frames. */
  readonly before: Buffer;
  /** The delimiter, where the protocol has several. */
  readonly end: Buffer | undefined;
  /** Which header line, counted from 0, gives the length. */
  readonly lengthAt: number | undefined;
  /** That line's name, if it is not written as usual. */
  readonly lengthName: string | undefined;
  /** Of a WebSocket message; or `mail`, a text that ends with a line of only a dot. */
  readonly kind: 'text' | 'binary' | 'ping' | 'pong' | 'close' | 'mail' | undefined;
  /** The frames of a WebSocket message. */
  readonly frames: readonly WireFragment[] | undefined;
  readonly note: string | undefined;
}

export interface WireFragment {
  readonly opcode: 'continuation' | 'text' | 'binary' | 'ping' | 'pong' | 'close';
  readonly final: boolean;
  /** Four bytes in hex, if it is masked. */
  readonly mask?: string;
  readonly length: number;
}

/** One direction of one connection. */
export interface WireVector {
  readonly protocol: string;
  readonly direction: 'requests' | 'replies';
  readonly source: string;
  /** Names a conversation: the vector of the other direction has the same name, and their turns interleave. */
  readonly conversation: string | undefined;
  readonly bytes: Buffer;
  readonly messages: readonly WireMessage[];
  /** Bytes behind the last message that belong to none. */
  readonly rest: Buffer;
}

type Texts<T> = { readonly [K in keyof T]?: T[K] extends Buffer | undefined ? string : T[K] };
type WrittenVector = Omit<Texts<WireVector>, 'messages'> & { readonly messages: readonly Texts<WireMessage>[] };

const folder = new URL('.', import.meta.url).pathname;

/** All vectors, or those of some protocols. */
export function wireVectors(...protocols: string[]): WireVector[] {
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.json'));
  const all = files.sort().flatMap((name) => {
    const file = JSON.parse(readFileSync(join(folder, name), 'utf8')) as { vectors: WrittenVector[] };
    return file.vectors.map(vectorOf);
  });
  return protocols.length === 0 ? all : all.filter(({ protocol }) => protocols.includes(protocol));
}

/** A conversation: both directions of one connection. */
export interface WireConversation {
  readonly protocol: string;
  readonly name: string;
  readonly requests: WireVector | undefined;
  readonly replies: WireVector | undefined;
  /** The messages of both, in the order in which they were complete. */
  readonly turns: readonly { readonly from: 'requests' | 'replies'; readonly message: WireMessage }[];
}

/** The conversations among the vectors of some protocols, or all. */
export function wireConversations(...protocols: string[]): WireConversation[] {
  const groups = Map.groupBy(
    wireVectors(...protocols).filter(({ conversation }) => conversation !== undefined),
    ({ protocol, conversation }) => `${protocol}: ${conversation}`,
  );
  return [...groups.values()].map((vectors) => {
    const turns = vectors.flatMap(({ direction, messages }) =>
      messages.map((message) => ({ from: direction, message })),
    );
    return {
      protocol: vectors[0]?.protocol ?? '',
      name: vectors[0]?.conversation ?? '',
      requests: vectors.find(({ direction }) => direction === 'requests'),
      replies: vectors.find(({ direction }) => direction === 'replies'),
      turns: turns.sort((a, b) => (a.message.turn ?? 0) - (b.message.turn ?? 0)),
    };
  });
}

function vectorOf(written: WrittenVector): WireVector {
  return {
    protocol: written.protocol ?? '',
    direction: written.direction ?? 'requests',
    source: written.source ?? '',
    conversation: written.conversation,
    bytes: bytesOf(written.bytes ?? ''),
    messages: written.messages.map((message) => ({
      turn: message.turn,
      header: message.header === undefined ? undefined : bytesOf(message.header),
      payload: bytesOf(message.payload ?? ''),
      before: bytesOf(message.before ?? ''),
      end: message.end === undefined ? undefined : bytesOf(message.end),
      lengthAt: message.lengthAt,
      lengthName: message.lengthName,
      kind: message.kind,
      frames: message.frames,
      note: message.note,
    })),
    rest: bytesOf(written.rest ?? ''),
  };
}

const token = /\s*(?:'(?<text>[^']*)'|(?<hex>(?:[0-9a-f]{2})+))(?:\*(?<times>\d+))?/y;

/** `0a 'text' 7878*3` as bytes: hex, text between quotes, each perhaps repeated. */
export function bytesOf(notation: string): Buffer {
  const parts: Buffer[] = [];
  token.lastIndex = 0;
  while (token.lastIndex < notation.length) {
    const from = token.lastIndex;
    const groups = token.exec(notation)?.groups;
    if (!groups) throw new Error(`not bytes: ${notation.slice(from, from + 40)}`);
    const { text, hex = '', times = '1' } = groups;
    const part = text === undefined ? Buffer.from(hex, 'hex') : Buffer.from(text, 'latin1');
    parts.push(Buffer.alloc(part.length * Number(times), part));
  }
  return Buffer.concat(parts);
}
