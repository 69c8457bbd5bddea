/** What was typed, kept between runs for the arrow keys and the search. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** Lines that are kept. */
const mostLines = 1000;
/** A longer line is not kept: it was pasted, and a few thousand of them would make a file that slows every start. */
const longestLine = 4096;

/** The history file: in the place that the XDG base directory specification has for state. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'yodel', 'history');
}

/** A history file. What cannot be read or written is done without: to talk matters more. */
export class History {
  readonly #path: string;
  #last: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** The lines of earlier runs, oldest first. */
  load(): string[] {
    let lines: string[];
    try {
      lines = readFileSync(this.#path, 'utf8').split('\n').filter(Boolean);
    } catch {
      return [];
    }
    // It only ever grows by appending, so that several clients may share it; from time to time it is cut.
    if (lines.length > mostLines * 2) this.#quietly(() => writeFileSync(this.#path, cut(lines), { mode: 0o600 }));
    this.#last = lines.at(-1);
    return lines.slice(-mostLines);
  }

  /** Adds a line, unless it is empty, very long, or the same as the last. */
  add(line: string): void {
    if (line === '' || line === this.#last || line.length > longestLine) return;
    this.#last = line;
    this.#quietly(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    });
  }

  #quietly(act: () => void): void {
    try {
      act();
    } catch {
      // A read-only home, a full disk: no history then.
    }
  }
}

function cut(lines: readonly string[]): string {
  return `${lines.slice(-mostLines).join('\n')}\n`;
}
