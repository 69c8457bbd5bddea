/** Turns a connection away with a word of reason. */
import type { YodelError } from '../errors.ts';
import { encode, type Framing } from '../framing/framing.ts';
import type { Clock, Timer } from '../session/clock.ts';
import { tellError } from '../session/error-reply.ts';
import type { Connection } from '../transport/transport.ts';

/** Tells refused clients why, and forgets them. */
export class Refusals {
  readonly #clock: Clock;
  readonly #framing: Framing;
  readonly #lingerMs: number;
  readonly #mostAtOnce: number;
  readonly #waiting = new Set<Connection>();

  /** @param mostAtOnce how many are told at the same time; those above are broken off */
  constructor(clock: Clock, framing: Framing, lingerMs: number, mostAtOnce: number) {
    this.#clock = clock;
    this.#framing = framing;
    this.#lingerMs = lingerMs;
    this.#mostAtOnce = mostAtOnce;
  }

  /** Sends `error` in the server's framing and ends the connection. */
  refuse(connection: Connection, error: YodelError): void {
    let timer: Timer | undefined;
    connection.start({
      // What the client sends meanwhile is read and dropped: unread, it would turn the closing into a reset.
      onData() {},
      onEnd() {},
      onDrain() {},
      onClose: () => {
        timer?.cancel();
        this.#waiting.delete(connection);
      },
    });
    if (this.#waiting.size >= this.#mostAtOnce) return connection.abort();
    this.#waiting.add(connection);
    tellError(error, (text) => connection.write(encode(connection.framing ?? this.#framing, text)));
    connection.end();
    timer = this.#clock.after(this.#lingerMs, () => connection.release());
  }

  /** Lets go of all that are being told. */
  stop(): void {
    for (const connection of this.#waiting) connection.release();
  }
}
