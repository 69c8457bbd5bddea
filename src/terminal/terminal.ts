/** The process's terminal: reads keys, shows the line that is being typed, and restores the terminal at the end. */
import { writeSync } from 'node:fs';
import { type Key, KeyReader } from './keys.ts';
import { Screen, type ShownLine } from './screen.ts';
import { streamSink } from './sink.ts';
import { Writer } from './writer.ts';

/** What a terminal reports. */
export interface TerminalEvents {
  /** Called for each key, in order. */
  readonly key: (key: Key) => void;
  /** Called when the terminal is gone and no more keys can come. */
  readonly end: () => void;
  /** Gives the line that is being typed; undefined when nothing can be typed. */
  readonly line: () => ShownLine | undefined;
}

/** A key sequence arrives in one piece, or nearly: an ESC that nothing follows for this many milliseconds was the Escape key. */
const escapeWaitMs = 50;
// In bracketed paste mode the terminal marks the start and end of a paste.
const pasteModeOn = '\x1b[?2004h';
const pasteModeOff = '\x1b[?2004l';

/**
 * The size of the terminal, read when it is needed: `process.stdout.columns` is out of date from the moment of a resize until
 * its event, and a key may arrive in between.
 */
const currentSize = {
  get columns(): number | undefined {
    return process.stdout.isTTY ? process.stdout.getWindowSize()[0] : undefined;
  },
  get rows(): number | undefined {
    return process.stdout.isTTY ? process.stdout.getWindowSize()[1] : undefined;
  },
};

/**
 * The process's terminal in raw mode: otherwise its driver would cut lines at 4096 bytes, and lose what is typed while
 * nothing is read. A terminal without a movable cursor (TERM=dumb) keeps its own line editing.
 */
export class Terminal {
  readonly screen: Screen;
  readonly #events: TerminalEvents;
  readonly #keys = new KeyReader();
  readonly #isPlain = process.env.TERM === 'dumb';
  #decoder = new TextDecoder();
  #escapeTimer: NodeJS.Timeout | undefined;
  #isOpen = false;
  #isSuspended = false;
  readonly #restoreAtExit = () => this.#leaveRawMode();

  constructor(events: TerminalEvents) {
    this.#events = events;
    const output = new Writer(streamSink(process.stdout), { failed: () => events.end() });
    const line = () => (this.#isSuspended ? undefined : events.line());
    this.screen = new Screen(output, currentSize, line, this.#isPlain);
  }

  /** Whether the terminal echoes what is typed. */
  get echoes(): boolean {
    return this.#isPlain;
  }

  /** Starts to read keys and to show the typed line. */
  open(): void {
    this.#isOpen = true;
    this.#enterRawMode();
    process.stdin
      .on('data', (chunk: Buffer) => this.#read(chunk))
      .on('end', () => this.#events.end())
      // The terminal was closed.
      .on('error', () => this.#events.end());
    process.stdout.on('resize', () => this.screen.changed());
    process.on('SIGCONT', () => this.#continue());
    process.on('exit', this.#restoreAtExit);
    this.screen.changed();
  }

  /** Restores the terminal. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#escapeTimer);
    this.screen.flush();
    this.#leaveRawMode();
    process.off('exit', this.#restoreAtExit);
    process.stdin.destroy();
  }

  /** Stops reading keys: what is typed or pasted is buffered by the terminal. */
  pause(): void {
    process.stdin.pause();
  }

  /** Reads keys again. */
  resume(): void {
    if (this.#isOpen) process.stdin.resume();
  }

  /** Stops the process as Ctrl-Z does, until `fg`. */
  suspend(): void {
    this.screen.flush();
    this.screen.forget();
    this.#isSuspended = true;
    this.#leaveRawMode();
    writeSync(1, '\r\n');
    // As the terminal driver does: the whole job stops, including npx or a script.
    process.kill(0, 'SIGTSTP');
    // In an orphaned process group the signal is ignored, and no SIGCONT follows. If one did, its handler runs first.
    setTimeout(() => setImmediate(() => this.#isSuspended && this.#continue()), 200);
  }

  #continue(): void {
    this.#isSuspended = false;
    if (!this.#isOpen) return;
    // The shell may have changed the mode without Node noticing, and setting raw mode twice would do nothing.
    if (process.stdin.isRaw) this.#leaveRawMode();
    this.#enterRawMode();
    this.screen.forget();
    this.screen.changed();
  }

  #enterRawMode(): void {
    if (this.#isPlain) return;
    process.stdin.setRawMode(true);
    writeSync(1, pasteModeOn);
  }

  #leaveRawMode(): void {
    if (this.#isPlain) return;
    try {
      process.stdin.setRawMode(false);
      writeSync(1, pasteModeOff);
    } catch {
      // The terminal is gone, or accepts nothing at the moment.
    }
  }

  #read(chunk: Buffer): void {
    clearTimeout(this.#escapeTimer);
    this.#report(this.#keys.read(this.#decoder.decode(chunk, { stream: true })));
    if (!this.#keys.isWaiting) return;
    this.#escapeTimer = setTimeout(() => this.#report(this.#keys.flush()), escapeWaitMs);
  }

  #report(keys: readonly Key[]): void {
    for (const key of keys) this.#events.key(key);
  }
}
