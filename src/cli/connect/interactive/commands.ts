/** The commands of `yodel connect` on a terminal: lines that begin with a colon. `run-command.ts` runs them. */
import { hintFor } from '../../../suggestion.ts';

/** The description of a command. */
export interface CommandInfo {
  /** Its arguments, as `:help` shows them. */
  readonly takes: string;
  /** One line for `:help`. */
  readonly summary: string;
  /** What `:help COMMAND` adds. */
  readonly more?: string;
  /** What Tab completes after its name. */
  readonly completes?: 'command' | 'file' | 'switch';
}

/** All commands, in the order of `:help`. */
export const commands = {
  help: {
    takes: '[COMMAND]',
    summary: 'list the commands, or explain one',
    completes: 'command',
  },
  send: {
    takes: 'TEXT',
    summary: 'send TEXT; \\n \\r \\t \\0 \\\\ \\xHH stand for bytes',
    more: 'Example: :send \\x02ABC\\x03',
  },
  repeat: {
    takes: 'N [INTERVAL] TEXT',
    summary: 'send TEXT N times, INTERVAL (500ms, 1s) apart',
    more: 'Without INTERVAL it sends as fast as the server accepts. Ctrl-C stops it. Example: :repeat 10 1s ping',
  },
  header: {
    takes: '[HEADER]',
    summary: 'header of the messages that follow; alone: none',
    more: 'HEADER is hexadecimal digits, such as 00 04, or text: and text with the escapes of :send.',
  },
  hex: {
    takes: '[on|off]',
    summary: 'show messages as hexdump -C does, with their framing',
    completes: 'switch',
  },
  timestamps: {
    takes: '[on|off]',
    summary: 'show when each message was sent or received',
    completes: 'switch',
  },
  escapes: {
    takes: '[on|off]',
    summary: 'interpret the escapes of :send in every line',
    completes: 'switch',
  },
  raw: {
    takes: '[on|off]',
    summary: 'do not escape messages: they can control the terminal',
    completes: 'switch',
  },
  binary: {
    takes: '[on|off]',
    summary: 'send binary messages over WebSocket',
    completes: 'switch',
  },
  reconnect: {
    takes: '',
    summary: 'close the connection and connect again',
  },
  wire: {
    takes: '',
    summary: 'show addresses, TLS, certificate and connect times',
    more: 'As --verbose does when it connects.',
  },
  stats: {
    takes: '',
    summary: 'show message counts, bytes and round-trip times',
  },
  save: {
    takes: 'FILE',
    summary: 'save the conversation so far as a transcript',
    more: 'An existing file is not overwritten.',
    completes: 'file',
  },
  clear: {
    takes: '',
    summary: 'clear the screen, as Ctrl-L does',
  },
  quit: {
    takes: '',
    summary: 'wait for pending replies, then end, as Ctrl-D does',
  },
} as const satisfies Record<string, CommandInfo>;

/** The name of a command. */
export type CommandName = keyof typeof commands;

/** All names, in the order of `:help`. */
export const commandNames = Object.keys(commands) as CommandName[];

/** A line that was entered: a message, a command with its arguments, or a mistake. */
export type Entered =
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'command'; readonly name: CommandName; readonly rest: string }
  | { readonly kind: 'mistake'; readonly text: string };

/**
 * Parses a line. `:` begins a command, which may be abbreviated while that is unambiguous; `::` begins a message with one
 * colon.
 */
export function parseEntered(line: string): Entered {
  if (!line.startsWith(':')) return { kind: 'message', text: line };
  if (line.startsWith('::')) return { kind: 'message', text: line.slice(1) };
  const [, word = '', rest = ''] = /^:(\S*)(?:\s(.*))?$/s.exec(line) ?? [];
  const matches = commandNames.includes(word as CommandName) ? [word as CommandName] : startingWith(word);
  const [name] = matches;
  if (name !== undefined && matches.length === 1) return { kind: 'command', name, rest };
  return { kind: 'mistake', text: `${mistakeIn(word, matches)} (to send a message that begins with a colon: ::text)` };
}

function mistakeIn(word: string, matches: readonly CommandName[]): string {
  if (word === '') return 'a command needs a name; :help lists them';
  if (matches.length > 1) return `":${word}" is ambiguous: ${matches.map((name) => `:${name}`).join(' or ')}`;
  return `unknown command ":${word}". ${hintFor(word, commandNames)}`;
}

function startingWith(word: string): CommandName[] {
  return word === '' ? [] : commandNames.filter((name) => name.startsWith(word));
}

/** How a command is used: `:send TEXT`. */
export function usageOf(name: CommandName): string {
  return `:${name} ${commands[name].takes}`.trimEnd();
}

/** The lines of `:help`, or of `:help COMMAND`. */
export function helpLines(rest: string): string[] {
  const word = rest.trim().replace(/^:/, '');
  if (word === '') return helpOfAll();
  const entered = parseEntered(`:${word}`);
  if (entered.kind !== 'command') return entered.kind === 'mistake' ? [entered.text] : [];
  const { summary, more }: CommandInfo = commands[entered.name];
  return [usageOf(entered.name), `  ${summary}`, ...(more === undefined ? [] : [`  ${more}`])];
}

function helpOfAll(): string[] {
  const width = Math.max(...commandNames.map((name) => usageOf(name).length));
  return [
    ...commandNames.map((name) => `${usageOf(name).padEnd(width)}  ${commands[name].summary}`),
    `${'::TEXT'.padEnd(width)}  send a message that begins with a colon`,
    'Tab completes commands. Up and Down show earlier lines, Ctrl-R searches them.',
    'Pasted text is sent line by line; its last line stays until Enter.',
  ];
}
