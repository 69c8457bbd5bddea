/** What a message has besides its payload. The types are those of any runtime, also of a page: they mention no Buffer. */

/** What identifies a framing. */
export interface FramingId {
  /** The text form: `lines`, `delimiter:\0`, `length:4`, `raw`. */
  readonly name: string;
  /** Framings with the same id have the same frames, so that a frame of one may be sent as it is where the other is used. */
  readonly id: string;
}

/** What a message is besides its bytes, where the framing says: the text and binary messages of WebSocket. */
export type MessageKind = 'text' | 'binary';

/** What a message that a program creates has besides its payload. */
export interface MessageParts {
  /** Bytes such as a type or an id, for framings with a header. Default: none. */
  readonly header?: Uint8Array | undefined;
  /** For WebSocket. Default: `text` if the payload is UTF-8. */
  readonly kind?: MessageKind | undefined;
}
