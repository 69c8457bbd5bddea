/** Warnings of the process about bugs in handlers, subscribers and callbacks. A peer can cause any number of them. */

import { textOfThrown } from './errors.ts';

/** Further warnings within a second are only counted. */
const maxPerSecond = 10;

/** Emits warnings: at most ten a second, and one that counts the others. */
export class Warnings {
  #emitted = 0;
  #omitted = 0;
  #isTimed = false;

  /** Emits a warning about what was thrown, or counts it. */
  emit(thrown: unknown): void {
    if (this.#emitted >= maxPerSecond) {
      this.#omitted++;
      return;
    }
    this.#emitted++;
    if (!this.#isTimed) setTimeout(() => this.#endSecond(), 1000).unref();
    this.#isTimed = true;
    process.emitWarning(thrown instanceof Error ? thrown : textOfThrown(thrown));
  }

  #endSecond(): void {
    this.#isTimed = false;
    this.#emitted = 0;
    const count = this.#omitted;
    this.#omitted = 0;
    if (count > 0) this.emit(`${count} more warnings about handlers, subscribers or callbacks were omitted`);
  }
}
