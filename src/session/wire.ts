/** What frames look like on a connection, so that connections with the same frames can be sent the same bytes. */
import { type Encoder, encodeLike, type Framing } from '../framing/framing.ts';
import { isMessage, type Message } from '../framing/message.ts';
import { refuseBinary } from '../framing/utf8.ts';

/** What an outbox knows of its connection's framings. */
export interface OutboxWire {
  /** The framing of what is sent. */
  readonly framing: Framing;
  readonly encoder: Encoder;
  /** The framing of what is received. */
  readonly received: Framing;
  /** Observes every frame that is sent; see `Conversation.sent`. */
  readonly sent: ((bytes: Uint8Array) => void) | undefined;
}

/** What determines the frames of a message. */
export interface WireParts {
  readonly framing: Framing;
  readonly encoder: Encoder;
  /** The shape that all frames of the connection have, such as its line ending. */
  readonly shape: Uint8Array | undefined;
  /** Whether the peer may expect messages to be UTF-8. */
  readonly isText: boolean;
}

/** How to encode messages for all connections of one kind. The same object for all of them: compare by identity. */
export class Wire {
  readonly #parts: WireParts;

  constructor(parts: WireParts) {
    this.#parts = parts;
  }

  /** The message's frame. @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  encode(message: string | Uint8Array | Message): Uint8Array {
    const { framing, encoder, shape, isText } = this.#parts;
    if (isText && isMessage(message) && message.kind !== 'text') refuseBinary(message.bytes);
    return encodeLike(framing, message, shape, encoder);
  }
}

/** Encoders are few and last; of each there are as many wires as there are line endings. */
const wires = new WeakMap<Encoder, Map<string, Wire>>();

/** The wire with these parts. */
export function wireOf(parts: WireParts): Wire {
  const { encoder, shape, isText } = parts;
  let known = wires.get(encoder);
  if (!known) {
    known = new Map();
    wires.set(encoder, known);
  }
  const key = `${isText} ${shape === undefined ? '' : Buffer.from(shape).toString('latin1')}`;
  let wire = known.get(key);
  if (!wire) {
    wire = new Wire(parts);
    known.set(key, wire);
  }
  return wire;
}
