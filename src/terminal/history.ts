/** The history file: entered lines, kept between runs for the arrow keys and the search. */
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';

/** The number of lines to keep. */
const maxLines = 1000;
/** Longer lines are not stored: they were pasted, and a few thousand of them would slow down every start. */
const maxLineLength = 4096;

/** The path of the history file, by the XDG base directory specification. */
export function historyPath(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_STATE_HOME || join(homedir(), '.local', 'state'), 'yodel', 'history');
}

/** A history file. Failures to read or write it are ignored: a conversation works without history. */
export class History {
  readonly #path: string;
  #last: string | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Reads the lines of earlier runs, oldest first. */
  load(): string[] {
    let lines: string[];
    try {
      lines = readFileSync(this.#path, 'utf8').split('\n').filter(Boolean);
    } catch {
      return [];
    }
    // Lines are only appended, so that several clients can share the file. From time to time it is truncated.
    if (lines.length > maxLines * 2)
      this.#ignoreErrors(() => writeFileSync(this.#path, newest(lines), { mode: 0o600 }));
    this.#last = lines.at(-1);
    return lines.slice(-maxLines);
  }

  /** Adds a line, unless it is empty, very long, or equal to the last one. */
  add(line: string): void {
    if (line === '' || line === this.#last || line.length > maxLineLength) return;
    this.#last = line;
    this.#ignoreErrors(() => {
      mkdirSync(dirname(this.#path), { recursive: true, mode: 0o700 });
      appendFileSync(this.#path, `${line}\n`, { mode: 0o600 });
    });
  }

  #ignoreErrors(action: () => void): void {
    try {
      action();
    } catch {
      // A read-only home directory, or a full disk.
    }
  }
}

function newest(lines: readonly string[]): string {
  return `${lines.slice(-maxLines).join('\n')}\n`;
}
