/** Who waits until the slow members of a room need less. */
import type { Holder, Participant } from '../../session/membership.ts';

/** Sessions whose messages are not handled meanwhile, and programs that await `drained()`. */
export class Senders implements Holder {
  readonly #held = new Set<Participant>();
  #waiters: (() => void)[] = [];

  hold(participant: Participant): void {
    if (this.#held.has(participant) || participant.hasEnded) return;
    this.#held.add(participant);
    participant.hold(this);
  }

  release(participant: Participant): void {
    if (this.#held.delete(participant)) participant.release(this);
  }

  /** Resolves at the next {@link wake}. */
  woken(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  wake(): void {
    for (const participant of this.#held) this.release(participant);
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
