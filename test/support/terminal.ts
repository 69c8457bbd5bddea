/** A real terminal, by tmux: commands are typed into it, and its screen is read. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { environmentOfTest } from './environment.ts';
import { becomesTrue } from './process.ts';
import { folderWithYodel } from './shell.ts';

export interface TerminalOptions {
  readonly width?: number;
  readonly height?: number;
  readonly env?: NodeJS.ProcessEnv;
}

/** How long a screen may take to show what it should, on a machine that is busy. */
const patienceMs = 15_000;
const lookAgainMs = 15;

/** One terminal with a shell in it. `yodel` is on its path, as an installed command would be. */
export class Terminal {
  readonly #socket: string;
  /** Where `yodel connect` keeps its history. */
  readonly stateFolder: string;

  constructor({ width = 80, height = 24, env = {} }: TerminalOptions = {}) {
    const folder = folderWithYodel();
    this.stateFolder = join(folder, 'state');
    this.#socket = join(folder, 'tmux');
    // A shell without files of the user's own, and with the same prompt for everybody.
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

  /** Closes the terminal, as by its window's button: what runs in it gets SIGHUP. */
  close(): void {
    try {
      this.#tmux('kill-server');
    } catch {
      // The last program in it has ended, and tmux with it.
    }
  }

  /** Types text, without Enter. */
  type(text: string): void {
    // A semicolon at the end would be one of tmux's own.
    this.#tmux('send-keys', '-l', text.replace(/;$/, '\\;'));
  }

  /** Presses keys by tmux' names: `Enter`, `Up`, `C-d`. */
  press(...keys: string[]): void {
    this.#tmux('send-keys', ...keys);
  }

  /** Pastes text, as a terminal does: between marks where the program has asked for them, unless it knows no such marks. */
  paste(text: string, { marks = true } = {}): void {
    execFileSync('tmux', ['-S', this.#socket, 'load-buffer', '-'], { input: text });
    this.#tmux('paste-buffer', '-d', ...(marks ? ['-p'] : []));
  }

  /** Makes its window larger or smaller. Resolves when the program in it has been told: tmux does not hurry with that. */
  async resize(width: number, height: number): Promise<void> {
    this.#tmux('resize-window', '-x', String(width), '-y', String(height));
    const device = this.#tmux('display-message', '-p', '#{pane_tty}').trim();
    const size = () => execFileSync('stty', ['-F', device, 'size'], { encoding: 'utf8' }).trim();
    await becomesTrue(`the terminal is ${width} columns wide`, () => size() === `${height} ${width}`);
  }

  /** Types a line and presses Enter. */
  enter(line: string): void {
    this.type(line);
    this.press('Enter');
  }

  /** The screen's rows, without the empty ones at the end. With `styles`, colours show as escape sequences. */
  screen({ styles = false } = {}): string {
    return this.#tmux('capture-pane', '-p', ...(styles ? ['-e'] : [])).trimEnd();
  }

  /** The screen as {@link screen}, but lines that went over the edge are whole. */
  lines(): string {
    return this.#tmux('capture-pane', '-p', '-J').replaceAll(/ +$/gm, '').trimEnd();
  }

  /** Everything that has been on the screen, lines that went over the edge whole. */
  history(): string {
    return this.#tmux('capture-pane', '-p', '-J', '-S', '-');
  }

  /** The process id of the program that the shell runs. */
  processIn(): number {
    const shell = this.#tmux('display-message', '-p', '#{pane_pid}').trim();
    const [program = ''] = readFileSync(`/proc/${shell}/task/${shell}/children`, 'utf8').trim().split(' ');
    return Number(program);
  }

  /** Resolves with the match as soon as the screen shows the pattern. Lines that went over the edge are whole. */
  async sees(pattern: RegExp): Promise<RegExpExecArray> {
    const giveUpAt = Date.now() + patienceMs;
    for (;;) {
      const screen = this.lines();
      const match = pattern.exec(screen);
      if (match) return match;
      if (Date.now() > giveUpAt) throw new Error(`the terminal does not show ${pattern}; it shows:\n${this.screen()}`);
      await delay(lookAgainMs);
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
