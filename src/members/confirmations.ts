/** Whether the bus has taken what was sent. */
import type { Clock } from '../clock.ts';
import type { Bus } from '../rooms/bus.ts';

/** What the bus had counted when the messages since the last confirmation began. */
interface Before {
  readonly unsent: number;
  readonly reconnects: number;
  readonly refused: number;
}

/** See the top of the file. */
export class Confirmations {
  readonly #bus: Bus;
  readonly #clock: Clock;
  /** Messages since the last confirmation, and how many of them were sent while the bus was away. */
  #sent = 0;
  #local = 0;
  #before: Before;

  constructor(bus: Bus, clock: Clock) {
    this.#bus = bus;
    this.#clock = clock;
    this.#before = this.#counts;
  }

  sent(isLocal: boolean): void {
    if (this.#sent === 0) this.#before = this.#counts;
    this.#sent++;
    if (isLocal) this.#local++;
  }

  /** Resolves to how many of the messages since the last call did not reach the bus, or may not have. */
  async flush(): Promise<number> {
    // They are published at the end of the turn.
    await new Promise<void>((resolve) => this.#clock.soon(resolve));
    const [sent, local, before, now] = [this.#sent, this.#local, this.#before, this.#counts];
    this.#sent = 0;
    this.#local = 0;
    if (sent === 0) return 0;
    const isTaken = await this.#isTaken();
    const { refused, reconnects } = this.#counts;
    // What was on the way when the connection was lost may have arrived or not; and the broker does not say what it refuses.
    if (!isTaken || reconnects !== before.reconnects || refused !== before.refused) return sent;
    return Math.max(local, Math.min(sent, now.unsent - before.unsent));
  }

  async #isTaken(): Promise<boolean> {
    try {
      await this.#bus.taken?.();
      return this.#bus.state !== 'away';
    } catch {
      return false;
    }
  }

  get #counts(): Before {
    const { messagesUnsent = 0, reconnects = 0, refused = 0 } = this.#bus.counters ?? {};
    return { unsent: messagesUnsent, reconnects, refused };
  }
}
