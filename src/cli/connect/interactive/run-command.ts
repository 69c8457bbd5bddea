/** Runs the commands of a conversation. */
import { writeFileSync } from 'node:fs';
import { systemError } from '../../../errors.ts';
import { formatPlural } from '../../../format/figures.ts';
import { escapeText } from '../../../terminal/escape.ts';
import type { Switches } from '../settings.ts';
import { type CommandName, helpLines, usageOf } from './commands.ts';
import type { Display } from './display.ts';
import { parseRepeat, type RepeatRequest } from './repeat.ts';

/** What the commands act on. */
export interface CommandTarget {
  readonly display: Display;
  readonly switches: Switches;
  /** Sends text that may contain escapes. */
  readonly sendEscaped: (text: string) => void;
  /** Sets the header of messages from now on; an empty text: none. */
  readonly header: (text: string) => void;
  readonly repeat: (request: RepeatRequest) => void;
  readonly reconnect: () => void;
  /** The lines of `:wire`. */
  readonly wire: () => readonly string[];
  /** The lines of `:stats`. */
  readonly stats: () => readonly string[];
  /** The conversation so far. */
  readonly transcript: () => { readonly text: string; readonly messages: number };
  readonly clear: () => void;
  readonly quit: () => void;
}

/** Runs one command after another. */
export class CommandRunner {
  readonly #target: CommandTarget;
  /** Files that `:save` wrote, and may write again. */
  readonly #savedFiles = new Set<string>();

  constructor(target: CommandTarget) {
    this.#target = target;
  }

  /** @param rest what follows the name */
  run(name: CommandName, rest: string): void {
    const target = this.#target;
    switch (name) {
      case 'help':
        return this.#print(helpLines(rest));
      case 'send':
        return target.sendEscaped(rest);
      case 'header':
        return target.header(rest.trim());
      case 'repeat':
        return this.#repeat(rest);
      case 'hex':
      case 'timestamps':
      case 'raw':
      case 'escapes':
      case 'binary':
        return this.#switch(name, rest.trim());
      case 'reconnect':
        return target.reconnect();
      case 'wire':
        return this.#print(target.wire());
      case 'stats':
        return this.#print(target.stats());
      case 'save':
        return this.#save(rest.trim());
      case 'clear':
        return target.clear();
      case 'quit':
        return target.quit();
    }
  }

  #print(lines: readonly string[]): void {
    for (const line of lines) this.#target.display.print(escapeText(line));
  }

  #switch(name: keyof Switches, word: string): void {
    const { display, switches } = this.#target;
    if (word !== '' && word !== 'on' && word !== 'off') {
      return display.notice(`:${name} takes on or off, not "${word}"`);
    }
    switches[name] = word === '' ? !switches[name] : word === 'on';
    display.notice(`${name} ${switches[name] ? 'on' : 'off'}`);
  }

  #repeat(rest: string): void {
    const request = parseRepeat(rest);
    if (request) this.#target.repeat(request);
    else this.#target.display.notice(`usage: ${usageOf('repeat')}, for example :repeat 10 1s ping`);
  }

  #save(file: string): void {
    const { display } = this.#target;
    if (file === '') return display.notice(`usage: ${usageOf('save')}`);
    const { text, messages } = this.#target.transcript();
    try {
      // Only a file that this conversation wrote may be overwritten.
      writeFileSync(file, text, { flag: this.#savedFiles.has(file) ? 'w' : 'wx' });
      this.#savedFiles.add(file);
      display.notice(`${formatPlural(messages, 'message')} written to ${file}`);
    } catch (error) {
      const exists = (error as NodeJS.ErrnoException).code === 'EEXIST';
      display.notice(
        exists ? `${file} already exists; choose another name` : systemError(`cannot write ${file}`, error).message,
      );
    }
  }
}
