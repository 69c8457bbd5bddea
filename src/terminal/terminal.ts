/** The terminal of the process: keys come from it, a line is typed in it, and it is given back as it was. */
import { writeSync } from 'node:fs';
import { type Key, KeyReader } from './keys.ts';
import { Screen, type ShownLine } from './screen.ts';

/** What a terminal tells. */
export interface TerminalEvents {
  /** Told of each key, in order. */
  readonly key: (key: Key) => void;
  /** Told once, when no more can come: the terminal is gone. */
  readonly end: () => void;
  /** The line that is being typed; undefined when nothing can be typed. */
  readonly line: () => ShownLine | undefined;
}

/** A key sequence comes in one piece, or nearly: after so many milliseconds it was the Escape key alone. */
const escapeWaitMs = 50;
// In bracketed paste mode the terminal says where a paste begins and ends, so that it can be told from keys.
const pasteModeOn = '\x1b[?2004h';
const pasteModeOff = '\x1b[?2004l';

/**
 * The process's terminal, in raw mode: otherwise its driver would cut lines at 4096 bytes, and lose what comes while nobody
 * reads. A terminal without a cursor to move (TERM=dumb) keeps its own line editing.
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
  readonly #giveBackAtExit = () => this.#leaveRawMode();

  constructor(events: TerminalEvents) {
    this.#events = events;
    this.screen = new Screen(process.stdout, () => (this.#isSuspended ? undefined : events.line()), this.#isPlain);
  }

  /** Whether the terminal shows by itself what is typed. */
  get echoes(): boolean {
    return this.#isPlain;
  }

  /** Takes the terminal. */
  open(): void {
    this.#isOpen = true;
    this.#enterRawMode();
    process.stdin
      .on('data', (chunk: Buffer) => this.#read(chunk))
      .on('end', () => this.#events.end())
      // The terminal was closed.
      .on('error', () => this.#events.end());
    process.stdout.on('error', () => this.#events.end());
    process.stdout.on('resize', () => this.screen.resized());
    process.on('SIGCONT', () => this.#goOn());
    process.on('exit', this.#giveBackAtExit);
    this.screen.changed();
  }

  /** Gives the terminal back. */
  close(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#escapeTimer);
    this.screen.flush();
    this.#leaveRawMode();
    process.off('exit', this.#giveBackAtExit);
    process.stdin.destroy();
  }

  /** Reads no keys for a while: what is typed or pasted waits in the terminal. */
  pause(): void {
    process.stdin.pause();
  }

  /** Reads keys again. */
  resume(): void {
    if (this.#isOpen) process.stdin.resume();
  }

  /** Stops the process and gives the terminal to the shell, until `fg`. */
  suspend(): void {
    this.screen.flush();
    this.screen.forget();
    this.#isSuspended = true;
    this.#leaveRawMode();
    writeSync(1, '\r\n');
    // As the terminal's driver does it: the whole job stops, npx or a script included.
    process.kill(0, 'SIGTSTP');
    // Where nobody could wake it, the signal is ignored, and no SIGCONT comes; if one has come, it goes first.
    setTimeout(() => setImmediate(() => this.#isSuspended && this.#goOn()), 200);
  }

  #goOn(): void {
    this.#isSuspended = false;
    if (!this.#isOpen) return;
    // The shell may have changed the mode, and raw mode on top of raw mode would change nothing.
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
      // The terminal is gone, or does not take anything at the moment.
    }
  }

  #read(chunk: Buffer): void {
    clearTimeout(this.#escapeTimer);
    this.#tell(this.#keys.read(this.#decoder.decode(chunk, { stream: true })));
    if (!this.#keys.isWaiting) return;
    this.#escapeTimer = setTimeout(() => this.#tell(this.#keys.flush()), escapeWaitMs);
  }

  #tell(keys: readonly Key[]): void {
    for (const key of keys) this.#events.key(key);
  }
}
