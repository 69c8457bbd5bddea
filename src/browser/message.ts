/** Messages of a WebSocket in a page: light, and without the frames of the library's. */
import { YodelError } from '../errors.ts';
import { messageMark } from '../framing/marks.ts';
import type { Message, MessageParts } from '../framing/message.ts';
import { utf8Length } from './utf8-length.ts';

/** What a program can do with a message. */
type MessageMembers = Pick<
  Message,
  'size' | 'bytes' | 'text' | 'header' | 'kind' | 'framing' | 'frame' | 'terminator' | 'copy' | 'toString'
>;

const none: Uint8Array = new Uint8Array(0);

/** A {@link Message} of text or of bytes. It converts each to the other when that is read first, and keeps both. */
export class WebSocketMessage implements MessageMembers {
  readonly kind: 'text' | 'binary';
  /** A WebSocket has none. */
  readonly header: Uint8Array;
  readonly framing = undefined;
  readonly terminator: Uint8Array = none;
  #text: string | undefined;
  #bytes: Uint8Array | undefined;
  #size: number | undefined;

  constructor(payload: string | Uint8Array, kind?: 'text' | 'binary', header: Uint8Array = none) {
    const isText = typeof payload === 'string';
    if (isText) this.#text = payload;
    else this.#bytes = payload;
    this.kind = kind ?? (isText ? 'text' : 'binary');
    this.header = header;
  }

  get size(): number {
    this.#size ??= this.#bytes?.length ?? utf8Length(this.#text as string);
    return this.#size;
  }

  get bytes(): Uint8Array {
    this.#bytes ??= new TextEncoder().encode(this.#text);
    return this.#bytes;
  }

  get text(): string {
    // A byte order mark is part of the text, as everywhere in yodel.
    this.#text ??= new TextDecoder('utf-8', { ignoreBOM: true }).decode(this.#bytes);
    return this.#text;
  }

  get frame(): Uint8Array {
    return this.bytes;
  }

  /** See `isMessage`. */
  get [messageMark](): true {
    return true;
  }

  copy(): Message {
    return asMessage(new WebSocketMessage(this.#text ?? this.bytes.slice(), this.kind, this.header.slice()));
  }

  toString(): string {
    return this.text;
  }
}

/**
 * Creates a message to send, such as text that is in UTF-8 already.
 *
 * @throws YodelError `YODEL_INVALID_OPTION` if the kind is another; `YODEL_INVALID_UTF8` if bytes are to be text and are not UTF-8
 */
export function createMessage(payload: string | Uint8Array, { header, kind }: MessageParts = {}): Message {
  if (kind !== undefined && kind !== 'text' && kind !== 'binary') {
    const text = `the kind of a message is "text" or "binary", not ${JSON.stringify(kind)}`;
    throw new YodelError('YODEL_INVALID_OPTION', text);
  }
  const own = typeof payload === 'string' ? payload : kind === 'text' ? textOf(payload) : payload.slice();
  return asMessage(new WebSocketMessage(own, kind, header?.slice()));
}

function textOf(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    // The only error of a decoder that is fatal.
    throw new YodelError('YODEL_INVALID_UTF8', 'the bytes of a text message are not UTF-8', { cause });
  }
}

/** The light message as what programs see. It has all public members, but cannot be an instance of that class, which needs Node. */
export function asMessage(message: WebSocketMessage): Message {
  return message as unknown as Message;
}
