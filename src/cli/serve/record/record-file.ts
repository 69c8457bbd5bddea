/** A file that transcripts are appended to. */
import { appendFileSync } from 'node:fs';
import type { Notify } from '../outputs.ts';

/** Text is appended to its file after this time or length, so that no descriptor is kept per connection. */
const flushAfterMs = 200;
const flushAtLength = 65_536;

/** Text on its way into a file. A file that cannot be written is reported once. */
export class RecordFile {
  readonly #path: string;
  readonly #notify: Notify;
  #text = '';
  #timer: NodeJS.Timeout | undefined;
  #hasFailed = false;

  constructor(path: string, notify: Notify) {
    this.#path = path;
    this.#notify = notify;
  }

  write(text: string): void {
    this.#text += text;
    if (this.#text.length >= flushAtLength) return this.flush();
    this.#timer ??= setTimeout(() => this.flush(), flushAfterMs).unref();
  }

  /** Appends what is not on disk yet. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const text = this.#text;
    this.#text = '';
    if (text === '' || this.#hasFailed) return;
    try {
      appendFileSync(this.#path, text, { mode: 0o600 });
    } catch (error) {
      this.#hasFailed = true;
      this.#notify(`cannot record into ${this.#path}: ${(error as Error).message}`);
    }
  }
}
