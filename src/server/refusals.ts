/** Refuses connections and sends the reason. */

import type { Clock, Timer } from '../clock.ts';
import { textForPeer } from '../error-for-peer.ts';
import type { YodelError } from '../errors.ts';
import { encode, type Framing } from '../framing/framing.ts';
import { type Linked, LinkedSet } from '../linked-set.ts';
import { type ErrorForm, sendError } from '../session/error-reply.ts';
import type { Connection, Receiver } from '../transport/transport.ts';

/** Sends refused clients the reason, and closes their connections. */
export class Refusals {
  readonly #clock: Clock;
  /** Undefined: the clients receive no reason. */
  framing: Framing | undefined;
  /** Says what they receive. */
  form: ErrorForm | undefined;
  readonly #lingerMs: number;
  readonly #maxAtOnce: number;
  readonly #open = new LinkedSet<Refusal>();

  /**
   * @param framing see {@link framing}
   * @param maxAtOnce above this number, connections are aborted without a reason
   */
  constructor(clock: Clock, framing: Framing | undefined, lingerMs: number, maxAtOnce: number) {
    this.#clock = clock;
    this.framing = framing;
    this.#lingerMs = lingerMs;
    this.#maxAtOnce = maxAtOnce;
  }

  /** The number of connections that are being refused. */
  get size(): number {
    return this.#open.size;
  }

  /**
   * Sends `error` in the server's framing and ends the connection.
   *
   * @param atOnce aborts it instead
   */
  refuse(connection: Connection, error: YodelError, atOnce = false): void {
    const refusal = new Refusal(connection, (closed) => this.#open.delete(closed));
    connection.start(refusal);
    const framing = this.framing && (connection.framing ?? this.framing);
    const { form } = this;
    if (!framing || !form || atOnce || this.#open.size >= this.#maxAtOnce) return connection.abort(error);
    this.#open.add(refusal);
    const reason = { text: textForPeer(error), code: error.code };
    sendError(framing.encoder, reason, form, (reply) => connection.write(encode(framing, reply)));
    connection.end(error);
    refusal.timer = this.#clock.deadline(this.#lingerMs, () => connection.release());
  }

  /** Closes all connections that are still open. */
  stop(): void {
    for (const { connection } of this.#open) connection.release();
  }
}

/** A refused connection until it is closed. */
class Refusal implements Receiver, Linked<Refusal> {
  memberOf: object | undefined;
  previousMember: Refusal | undefined;
  nextMember: Refusal | undefined;
  readonly connection: Connection;
  timer: Timer | undefined;
  readonly #closed: (refusal: Refusal) => void;

  constructor(connection: Connection, closed: (refusal: Refusal) => void) {
    this.connection = connection;
    this.#closed = closed;
  }

  /** Input is read and discarded: unread, it would turn the close into a reset. */
  onData(): void {}
  onEnd(): void {}
  onDrain(): void {}

  onClose(): void {
    this.timer?.cancel();
    this.#closed(this);
  }
}
