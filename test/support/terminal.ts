/** A real terminal, run by tmux. A test types into it and reads its screen. */
import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { childrenOf, isAsleep } from './process/children.ts';
import { environmentOfTest } from './process/environment.ts';
import { waitUntil } from './process/process.ts';
import { folderWithYodel } from './shell.ts';

export interface TerminalOptions {
  readonly width?: number;
  readonly height?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** How long to wait for text on the screen. Generous, for a busy machine. */
const timeoutMs = 30_000;
const pollIntervalMs = 15;

/** A terminal with a shell in it, and `yodel` in its PATH. */
export class Terminal {
  readonly #socket: string;
  /** Where `yodel connect` keeps its history. */
  readonly stateFolder: string;

  constructor({ width = 80, height = 24, env = {} }: TerminalOptions = {}) {
    const folder = folderWithYodel();
    this.stateFolder = join(folder, 'state');
    this.#socket = join(folder, 'tmux');
    // A shell without the files of the user, and with a fixed prompt.
    const startFile = join(folder, 'start');
    writeFileSync(startFile, "PS1='$ '\n");
    const settings = join(folder, 'tmux.conf');
    writeFileSync(settings, 'set -g status off\nset -g history-limit 100000\n');
    const size = ['-x', String(width), '-y', String(height)];
    execFileSync('tmux', ['-S', this.#socket, '-f', settings, '-u', 'new-session', '-d', ...size, 'exec sh'], {
      env: {
        ...environmentOfTest(),
        PATH: `${folder}:${process.env.PATH}`,
        ENV: startFile,
        LANG: 'C.UTF-8',
        TERM: 'xterm-256color',
        TMUX: undefined,
        XDG_STATE_HOME: this.stateFolder,
        ...env,
      },
    });
    onTestFinished(() => this.close());
  }

  /** Closes the terminal. Programs in it get SIGHUP. */
  close(): void {
    try {
      this.#tmux('kill-server');
    } catch {
      // The last program in it has exited, and tmux with it.
    }
  }

  /** Types text, without Enter. */
  type(text: string): void {
    // tmux would take a final semicolon as a separator.
    this.#tmux('send-keys', '-l', text.replace(/;$/, '\\;'));
  }

  /** Presses keys by their names in tmux: `Enter`, `Up`, `C-d`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  /** Pastes text, as a bracketed paste if the program has enabled that and `marks` is true. */
  paste(text: string, { marks = true } = {}): void {
    execFileSync('tmux', ['-S', this.#socket, 'load-buffer', '-'], { input: text });
    this.#tmux('paste-buffer', '-d', ...(marks ? ['-p'] : []));
  }

  /**
   * Resizes the window. Resolves when the terminal device has the new size, which tmux may take a while for, and the program has
   * seen it: it gets a signal, and sleeps again once it has drawn.
   */
  async resize(width: number, height: number): Promise<void> {
    this.#tmux('resize-window', '-x', String(width), '-y', String(height));
    const device = this.#tmux('display-message', '-p', '#{pane_tty}').trim();
    const size = () => execFileSync('stty', ['-F', device, 'size'], { encoding: 'utf8' }).trim();
    await waitUntil(`the terminal is ${width} columns wide`, () => size() === `${height} ${width}`);
    const program = this.processIn();
    // A runtime may receive the signal in any of its threads.
    if (program > 0) await waitUntil('the program waits for input', () => isAsleep(program));
  }

  /** Types a line and presses Enter. */
  enter(line: string): void {
    this.type(line);
    this.press('Enter');
  }

  /** The rows of the screen, without empty ones at the end. With `styles`, including escape sequences for colours. */
  screen({ styles = false } = {}): string {
    return this.#tmux('capture-pane', '-p', ...(styles ? ['-e'] : [])).trimEnd();
  }

  /** The same as {@link screen}, with wrapped lines joined. */
  lines(): string {
    return this.#tmux('capture-pane', '-p', '-J').replaceAll(/ +$/gm, '').trimEnd();
  }

  /** Everything that was on the screen, with wrapped lines joined. */
  history(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-');
  }

  /** The process id of the program that runs in the shell. */
  processIn(): number {
    const shell = this.#tmux('display-message', '-p', '#{pane_pid}').trim();
    return childrenOf(Number(shell))[0] ?? 0;
  }

  /** Resolves with the match when the screen shows the pattern. Wrapped lines are joined. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const screen = this.lines();
      const match = pattern.exec(screen);
      if (match) return match;
      if (Date.now() > deadline) throw new Error(`the terminal does not show ${pattern}; it shows:\n${this.screen()}`);
      await delay(pollIntervalMs);
    }
  }

  #tmux(...args: string[]): string {
    return execFileSync('tmux', ['-S', this.#socket, ...args], {
      encoding: 'utf8',
      maxBuffer: 100_000_000,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
  }
}
