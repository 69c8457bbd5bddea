/** Names for what differs between two recordings. */

import { namesOfTranscript } from '../names.ts';
import type { NamePart, Transcript } from '../transcript.ts';

/** A clock time, or a date or time in 10 digits or more. Two of them may be equal only because a second had not passed. */
const isTime = /\d:\d\d|^\d{10,}/;

/** Gives each value that differs a name: the recorded text is its default, so that the file still serves as a mock. */
export class Masks {
  readonly #taken: Set<string>;
  readonly #known = new Map<string, string>();

  constructor(transcript: Transcript) {
    this.#taken = new Set(namesOfTranscript(transcript));
  }

  /** The mask for a text that came instead of a recorded one. The same two texts get the same name, unless they are times. */
  maskFor(recorded: string, received: string): NamePart {
    const key = JSON.stringify([recorded, received]);
    const known = isTime.test(recorded) ? undefined : this.#known.get(key);
    if (known !== undefined) return { name: known };
    const name = this.#newName();
    this.#known.set(key, name);
    return { name, default: recorded === '' ? [] : [Buffer.from(recorded)] };
  }

  #newName(): string {
    for (let number = 1; ; number++) {
      const name = `value${number}`;
      if (this.#taken.has(name)) continue;
      this.#taken.add(name);
      return name;
    }
  }
}
