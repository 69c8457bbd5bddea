/** Codecs: between messages and the values that a program works with. */
import type { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
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
  /** The value of a message. What it throws means that the message is not valid; the text of the error may be sent to the peer. */
  decode(message: Message): In;
  /** The payload of a value, or a message with a header. What it throws means that the value cannot be expressed. */
  encode(value: Out): string | Uint8Array | Message;
  /**
   * What a server does with a message that {@link decode} refuses: the value that this function returns is the reply, or nothing
   * if it returns undefined; `close` closes the session with an error reply. Default: the reply is the line `error: …`, as bytes
   * that no codec made.
   *
   * @param error `YODEL_UNDECODABLE_MESSAGE`; its `cause` is what `decode` threw
   */
  readonly invalid?: ((error: YodelError, message: Message) => Out | undefined) | 'close' | undefined;
}

/** Any codec. */
// biome-ignore lint/suspicious/noExplicitAny: a codec receives some types and sends others, so only this accepts all of them
export type AnyCodec = Codec<any, any>;

/** A codec, or none: then messages are what handlers and clients get, and text, bytes and messages what they give. */
export type MaybeCodec = AnyCodec | undefined;

/** What this end receives: values of the codec, or messages. */
export type Received<C extends MaybeCodec> = [C] extends [Codec<infer In, infer _Out>] ? In : Message;

/** What this end can send: values of the codec, or text and bytes; in any case messages, which are sent as they are. */
export type Sendable<C extends MaybeCodec> = [C] extends [Codec<infer _In, infer Out>]
  ? Out | Message
  : string | Uint8Array | Message;

/**
 * What a handler may return: with a codec one value, a message or batch, which are sent as they are, or undefined for no reply.
 * Without a codec a {@link Reply}.
 */
export type ReplyOf<C extends MaybeCodec> = [C] extends [Codec<infer _In, infer Out>]
  ? Out | Message | Batch | undefined | void
  : Reply;
