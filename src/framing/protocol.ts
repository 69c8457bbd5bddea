/** How the two ends of a connection talk: a framing for each direction. */
import {
  type Decoder,
  type DecoderOptions,
  decodeChunk,
  type Encoder,
  type Encoding,
  type Framing,
} from './framing.ts';

/** A framing for each direction, and what else both ends must know. */
export interface Protocol {
  /** Its name, such as `smtp`, if it has one. */
  readonly name?: string | undefined;
  /** From the client to the server. */
  readonly framing: Framing;
  /** From the server to the client. */
  readonly replyFraming: Framing;
  readonly encoding: Encoding;
  /**
   * Creates what the decoders of both directions of one connection share, where the frames of one depend on the messages of the
   * other. Absent: nothing. `isSecured`: the connection goes on over TLS after STARTTLS, so that the conversation begins anew,
   * but without a greeting.
   */
  readonly createState?: ((isSecured?: boolean) => unknown) | undefined;
  /** The number of messages that the server sends before any request. Default 0. */
  readonly greeting?: number | undefined;
  /**
   * Recognises a reply that reports an error; each byte is one character. Default: replies that begin with `error:`, if the
   * protocol has no name.
   */
  readonly errorPattern?: RegExp | undefined;
  /** What the pattern is matched with: the payload, or the header and the payload after it (`message`). Default: `payload`. */
  readonly errorSubject?: 'payload' | 'message' | undefined;
  /** @internal Whether connections are decoded {@link DecoderOptions.atOnce}: for proxies that know nothing of their protocol. */
  readonly atOnce?: boolean | undefined;
}

/** One of the two ends. */
export type Side = 'client' | 'server';

/** What one end does with the bytes of a connection. */
export interface Conversation {
  /** Decodes what this end receives. */
  readonly decoder: Decoder;
  /** Encodes what this end sends. */
  readonly encoder: Encoder;
  /** Must be called with every frame that this end sends, before the next one is encoded, if the directions share state. */
  readonly sent: ((bytes: Uint8Array) => void) | undefined;
}

/**
 * Creates the decoders of one connection.
 *
 * @param side this end
 * @param own the framing of the connection itself, such as WebSocket, instead of the protocol's framings
 * @param isSecured whether the connection goes on over TLS after STARTTLS
 */
export function openConversation(
  protocol: Protocol,
  side: Side,
  given: DecoderOptions,
  own?: Framing,
  isSecured = false,
): Conversation {
  if (own) return { decoder: own.createDecoder(given), encoder: own.encoder, sent: undefined };
  const { framing, replyFraming, createState, atOnce } = protocol;
  const options = atOnce ? { ...given, atOnce } : given;
  const state = createState?.(isSecured);
  const [incoming, outgoing] = side === 'server' ? [framing, replyFraming] : [replyFraming, framing];
  const decoder = incoming.createDecoder(options, state);
  const encoder = outgoing.createEncoder?.(state) ?? outgoing.encoder;
  if (!createState) return { decoder, encoder, sent: undefined };
  const observer = outgoing.createDecoder(observed, state);
  return {
    decoder,
    encoder,
    sent(bytes) {
      for (const batch of decodeChunk(observer, bytes)) void batch;
    },
  };
}

/** The decoders of an observer of a connection, such as a recording. */
export interface Observation {
  /** Decodes what the client sends. */
  readonly requests: Decoder;
  /** Decodes what the server sends. */
  readonly replies: Decoder;
}

/**
 * Creates the decoders that observe both directions of one connection. Where the directions share state, both must be given
 * everything, in the order in which it passed.
 */
export function observe({ framing, replyFraming, createState }: Protocol, options: DecoderOptions): Observation {
  const state = createState?.();
  return { requests: framing.createDecoder(options, state), replies: replyFraming.createDecoder(options, state) };
}

/** The protocol of one connection: the given one, unless the connection has its own framing, such as WebSocket. */
export function protocolOver(protocol: Protocol, own: Framing | undefined): Protocol {
  return own ? { framing: own, replyFraming: own, encoding: own.defaultEncoding } : protocol;
}

/** The protocol of a session's connection. */
export function protocolOf(session: { readonly framing: Framing; readonly protocol: Protocol }): Protocol {
  const { framing, protocol } = session;
  return protocolOver(protocol, framing === protocol.framing ? undefined : framing);
}

/** What this end sends is only observed, so its limits are wide. */
const observed: DecoderOptions = { maxMessageLength: 67_108_864, onTooLong: 'close', encoding: 'binary' };
