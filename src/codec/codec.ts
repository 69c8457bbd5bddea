/** Codecs: between messages and the values that a program works with. */
import type { ErrorCode, OwnErrorCode } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { DecodeError } from './decode-error.ts';
import type { Reply } from './reply.ts';

/**
 * Converts between messages and values, so that handlers and clients get and give values: `json()` for JSON, or a program's own for
 * MessagePack, Protocol Buffers, and others. Synchronous and without state: all connections share it.
 *
 * @typeParam In the values that this end receives
 * @typeParam Out the values that it sends
 */
export interface Codec<In = unknown, Out = unknown> {
  /** For error texts: `json`. */
  readonly name: string;
  /**
   * The value of a message. What it throws means that the message is not valid; the text of the error is sent to the peer, as one
   * line of at most 300 characters. A `YodelError` means that something else is wrong: the handler has failed.
   */
  decode(message: Message): In;
  /** The payload of a value, or a message with a header. What it throws means that the value cannot be expressed. */
  encode(value: Out): string | Uint8Array | Message;
  /**
   * What a server does with a message that {@link decode} refuses: the value that this function returns is the reply, or nothing
   * if it returns undefined; `close` closes the session with an error reply. Default: an error reply, and the session goes on.
   *
   * @param error `YODEL_UNDECODABLE_MESSAGE`; its `cause` is what `decode` threw
   */
  readonly invalid?: ((error: DecodeError, message: Message) => Out | undefined) | 'close' | undefined;
  /**
   * The value that a peer receives as an error reply: for a message that is not valid, and before the server closes its
   * connection, such as above a limit. Undefined: it receives nothing. Default: `error: …` as text, which no codec made.
   * The option `errorReply` of a server goes before it.
   *
   * @param text what the peer may know
   * @param code that of the error, which may be the handler's own
   */
  readonly errorReply?: ((text: string, code: ErrorCode | OwnErrorCode) => Out | undefined) | undefined;
  /**
   * The codec of the other end, with which `yodel/testing` plays a client, where that is another one: what {@link decode} accepts may
   * not be what the client receives. Default: this one.
   */
  // biome-ignore lint/suspicious/noExplicitAny: see AnyCodec
  readonly peer?: Codec<any, any> | undefined;
}

/** Any codec. */
// biome-ignore lint/suspicious/noExplicitAny: a codec receives some types and sends others, so only this accepts all of them
export type AnyCodec = Codec<any, any>;

/** A codec, or none: then messages are what handlers and clients get, and text, bytes and messages what they give. */
export type MaybeCodec = AnyCodec | undefined;

/** Whether there is no codec: also without `strictNullChecks`, where undefined extends every type. `any` and `never` are codecs. */
export type IsNone<C> = [C] extends [undefined]
  ? [undefined] extends [C]
    ? 0 extends 1 & C
      ? false
      : true
    : false
  : false;

/** What this end receives: values of the codec, or messages. */
export type Received<C extends MaybeCodec> =
  IsNone<C> extends true ? Message : [C] extends [Codec<infer In, infer _Out>] ? In : Message;

/** What this end can send: values of the codec, or text and bytes; in any case messages, which are sent as they are. */
export type Sendable<C extends MaybeCodec> =
  IsNone<C> extends true
    ? string | Uint8Array | Message
    : [C] extends [Codec<infer _In, infer Out>]
      ? Out | Message
      : string | Uint8Array | Message;

/**
 * What a handler may return: with a codec one value, a message or batch, which are sent as they are, or undefined for no reply.
 * Without a codec a {@link Reply}.
 */
export type ReplyOf<C extends MaybeCodec> =
  IsNone<C> extends true
    ? Reply
    : [C] extends [Codec<infer _In, infer Out>]
      ? Out | Message | Batch | undefined | void
      : Reply;
