/**
 * Judges by its heartbeats whether a process hangs. It counts the beats that are missing instead of reading a clock: after
 * this process itself was stopped, by a signal or because the machine slept, the others must get the time to respond.
 */

/** The interval of heartbeats, in milliseconds. An idle worker and its parent wake up as often. */
export const beatMs = 1000;
/** A process that is silent for this long hangs. A busy machine delays a process by less. */
export const hangsAfterMs = 3000;

/** The heartbeats of one process. */
export class Heartbeats {
  /** The number of intervals since the last beat; undefined until the first one. */
  #missed: number | undefined;

  /** How long the process has been silent, in milliseconds. */
  get silentMs(): number {
    return (this.#missed ?? 0) * beatMs;
  }

  get hangs(): boolean {
    return this.silentMs >= hangsAfterMs;
  }

  /** The process has said something. */
  beat(): void {
    this.#missed = 0;
  }

  /** An interval is over. */
  tick(): void {
    if (this.#missed !== undefined) this.#missed++;
  }

  /** Another process follows. */
  reset(): void {
    this.#missed = undefined;
  }
}
