/**
 * Reads what children print on stderr. A child can print gigabytes a second, perhaps because a client asks for it, and a pipe that
 * is always full is read without an end: on Bun nothing else happens meanwhile. So each child's pipe is read a chunk at a time, and
 * all children together get a quarter of the event loop's time. They take turns, so that those that print much wait for each
 * other, and the others for a moment.
 */
import type { Readable } from 'node:stream';
import { Queue } from '../queue.ts';
import { LineSplitter } from './each-line.ts';
import { closeWhenSilent } from './last-output.ts';

/** What is split into lines at once, in UTF-16 units. */
const pieceLength = 512;
/** A turn ends after the piece that exceeds this, in milliseconds. */
const turnMs = 1;
/** How many times as long as it took others have their turn. */
const pauses = 3;
/** More than a pipe contains after its writers have ended, in UTF-16 units. */
const mostOfPipe = 1_048_576;

/** Those with text to split. */
const waiting = new Queue<LinesInTurns>();
let isBusy = false;

/** What is done with lines. */
export interface LineTaker {
  /** Receives a line of UTF-8, without the newline, also a last one that has none. */
  readonly take: (line: string) => void;
  /** In UTF-16 units; a longer line is split. */
  readonly maxLength: number;
  /** Called when {@link LinesInTurns.pending} has changed. */
  readonly changed?: (() => void) | undefined;
}

/** The lines of a stream. Reads it from the start. */
export class LinesInTurns {
  readonly #stream: Readable;
  readonly #lines: LineSplitter;
  readonly #changed: (() => void) | undefined;
  /** What was read, and how much of it is split. */
  #text = '';
  #at = 0;
  /** How much was read in all; above `#most` nothing more is. */
  #read = 0;
  #most = Number.POSITIVE_INFINITY;
  #isClosed = false;
  readonly #done = Promise.withResolvers<void>();

  constructor(stream: Readable, { take, maxLength, changed }: LineTaker) {
    this.#stream = stream;
    this.#lines = new LineSplitter(take, maxLength);
    this.#changed = changed;
    stream.setEncoding('utf8').on('data', (text: string) => this.#received(text));
    stream.on('close', () => {
      this.#isClosed = true;
      if (!this.#hasText) this.#end();
    });
  }

  /** What was read and waits, in UTF-16 units. */
  get pending(): number {
    return this.#text.length + this.#stream.readableLength;
  }

  /**
   * To be called when the writers have ended: reads and takes what the pipe contains, then closes it. A writer that is left is
   * read until it prints nothing for a moment, or more than a pipe contains. Resolves when the last line was taken.
   */
  async finish(): Promise<void> {
    this.#most = Math.min(this.#most, this.#read + mostOfPipe);
    await closeWhenSilent(this.#stream, () => (this.#hasText ? undefined : this.#read));
    await this.#done.promise;
  }

  /** @internal Takes the lines of the next piece. */
  step(): void {
    const end = Math.min(this.#at + pieceLength, this.#text.length);
    const piece = this.#text.slice(this.#at, end);
    this.#at = end;
    try {
      this.#lines.add(piece);
    } finally {
      if (this.#hasText) waiting.push(this);
      else this.#readOn();
    }
  }

  get #hasText(): boolean {
    return this.#at < this.#text.length;
  }

  #received(text: string): void {
    this.#stream.pause();
    const hadText = this.#hasText;
    this.#text = hadText ? this.#text.slice(this.#at) + text : text;
    this.#at = 0;
    this.#read += text.length;
    this.#changed?.();
    if (!hadText) inTurn(this);
  }

  #readOn(): void {
    this.#text = '';
    this.#at = 0;
    this.#changed?.();
    if (this.#isClosed) this.#end();
    else if (this.#read > this.#most) this.#stream.destroy();
    else this.#stream.resume();
  }

  #end(): void {
    this.#lines.end();
    this.#done.resolve();
  }
}

/** Takes its lines now if none were taken just before: the few lines of a usual child do not wait. */
function inTurn(lines: LinesInTurns): void {
  waiting.push(lines);
  if (!isBusy) work();
}

function work(): void {
  isBusy = waiting.length > 0;
  if (!isBusy) return;
  const began = performance.now();
  try {
    do waiting.shift()?.step();
    while (waiting.length > 0 && performance.now() - began < turnMs);
  } finally {
    setTimeout(work, pauses * (performance.now() - began));
  }
}
