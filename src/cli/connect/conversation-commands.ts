/** The commands of `yodel connect` by hand: what stands behind a colon. What they do is in `conversation.ts`. */
import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { hintFor } from '../../options.ts';

/** What is known of a command. */
export interface TalkCommand {
  /** What it takes, behind its name. */
  readonly takes: string;
  /** One line for `:help`. */
  readonly summary: string;
  /** What `:help COMMAND` says besides. */
  readonly more?: string;
  /** What Tab completes behind its name. */
  readonly completes?: 'command' | 'file' | 'switch';
}

/** All commands, in the order in which `:help` lists them. */
export const talkCommands = {
  help: {
    takes: '[COMMAND]',
    summary: 'list the commands, or explain one',
    completes: 'command',
  },
  send: {
    takes: 'TEXT',
    summary: 'send TEXT with \\n \\r \\t \\0 \\\\ \\xHH for bytes',
    more: 'Example: :send \\x02ABC\\x03',
  },
  repeat: {
    takes: 'N [INTERVAL] TEXT',
    summary: 'send TEXT N times, INTERVAL (500ms, 1s) apart',
    more: 'Without INTERVAL it sends as fast as the server takes. Ctrl-C stops it. Example: :repeat 10 1s ping',
  },
  hex: {
    takes: '[on|off]',
    summary: 'show messages as hexdump -C does, with their framing',
    completes: 'switch',
  },
  timestamps: {
    takes: '[on|off]',
    summary: 'show when each message was sent or came',
    completes: 'switch',
  },
  escapes: {
    takes: '[on|off]',
    summary: 'read the escapes of :send in every line',
    completes: 'switch',
  },
  raw: {
    takes: '[on|off]',
    summary: 'show what comes as it is: it may steer the terminal',
    completes: 'switch',
  },
  reconnect: {
    takes: '',
    summary: 'break the connection off, and connect again',
  },
  stats: {
    takes: '',
    summary: 'show how much was sent, came, and how fast',
  },
  save: {
    takes: 'FILE',
    summary: 'write the conversation so far to FILE, as text',
    more: 'A file that was there before is left alone.',
    completes: 'file',
  },
  clear: {
    takes: '',
    summary: 'clear the screen, as Ctrl-L does',
  },
  quit: {
    takes: '',
    summary: 'end when the replies due have come, as Ctrl-D does',
  },
} as const satisfies Record<string, TalkCommand>;

/** The name of a command. */
export type CommandName = keyof typeof talkCommands;

const names = Object.keys(talkCommands) as CommandName[];

/** What a line is: a message, a command with what stands behind it, or a mistake. */
export type Entered =
  | { readonly kind: 'message'; readonly text: string }
  | { readonly kind: 'command'; readonly name: CommandName; readonly rest: string }
  | { readonly kind: 'mistake'; readonly text: string };

/**
 * Reads a line that was typed. `:` begins a command, which may be shortened as long as no other begins so; `::` begins a
 * message with one colon.
 */
export function readEntered(line: string): Entered {
  if (!line.startsWith(':')) return { kind: 'message', text: line };
  if (line.startsWith('::')) return { kind: 'message', text: line.slice(1) };
  const [, word = '', rest = ''] = /^:(\S*)(?:\s(.*))?$/s.exec(line) ?? [];
  const meant = names.includes(word as CommandName) ? [word as CommandName] : startingWith(word);
  if (meant.length === 1) return { kind: 'command', name: meant[0] as CommandName, rest };
  return { kind: 'mistake', text: `${mistakeOf(word, meant)} (to send a message with a colon before it: ::text)` };
}

function mistakeOf(word: string, meant: readonly CommandName[]): string {
  if (word === '') return 'there is no command without a name; :help lists them';
  if (meant.length > 1) return `":${word}" may be ${meant.map((name) => `:${name}`).join(' or ')}`;
  return `there is no command ":${word}". ${hintFor(word, names)}`;
}

function startingWith(word: string): CommandName[] {
  return word === '' ? [] : names.filter((name) => name.startsWith(word));
}

/** What `:help` says, as lines of plain text. */
export function helpLines(rest: string): string[] {
  const word = rest.trim().replace(/^:/, '');
  if (word !== '') {
    const entered = readEntered(`:${word}`);
    if (entered.kind !== 'command') return entered.kind === 'mistake' ? [entered.text] : [];
    const { takes, summary, more }: TalkCommand = talkCommands[entered.name];
    return [`:${entered.name} ${takes}`.trim(), `  ${summary}`, ...(more === undefined ? [] : [`  ${more}`])];
  }
  const usages = names.map((name) => `:${name} ${talkCommands[name].takes}`.trim());
  const width = Math.max(...usages.map((usage) => usage.length));
  return [
    ...names.map((name, index) => `${(usages[index] as string).padEnd(width)}  ${talkCommands[name].summary}`),
    `${'::TEXT'.padEnd(width)}  send a message that begins with a colon`,
    'Tab completes commands. Up and Down show earlier lines, Ctrl-R looks for one.',
    'What is pasted is sent line by line; its last line stays until Enter.',
  ];
}

/** What Tab does with a line: the text that comes in, or the choices to be listed. */
export interface Completion {
  readonly insert: string;
  readonly choices: readonly string[];
}

/** Completes a command that is being typed, up to the cursor. Undefined when the line is no command. */
export function complete(before: string): Completion | undefined {
  if (!before.startsWith(':') || before.startsWith('::')) return undefined;
  const [, word = '', space, rest = ''] = /^:(\S*)(\s+)?(.*)$/s.exec(before) ?? [];
  if (space === undefined) return choose(word, names, ' ');
  const entered = readEntered(before);
  if (entered.kind !== 'command') return { insert: '', choices: [] };
  const { completes }: TalkCommand = talkCommands[entered.name];
  if (completes === 'command') return choose(rest.replace(/^:/, ''), names, '');
  if (completes === 'switch') return choose(rest, ['on', 'off'], '');
  return completes === 'file' ? completeFile(rest) : { insert: '', choices: [] };
}

function completeFile(path: string): Completion {
  const folder = path.endsWith('/') ? path : `${dirname(path)}/`;
  const begun = path.endsWith('/') ? '' : basename(path);
  try {
    const entries = readdirSync(path.includes('/') ? folder : '.', { withFileTypes: true });
    const found = entries.filter((entry) => begun.startsWith('.') || !entry.name.startsWith('.'));
    return choose(
      begun,
      found.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name)),
      '',
    );
  } catch {
    // No such folder: nothing to choose from.
    return { insert: '', choices: [] };
  }
}

/** What all words have in common that begin as `begun` does; with only one, `behind` follows it. */
function choose(begun: string, words: readonly string[], behind: string): Completion {
  const choices = words.filter((word) => word.startsWith(begun));
  const [first = begun, ...others] = choices;
  if (others.length === 0) return { insert: first.slice(begun.length) + (choices.length === 1 ? behind : ''), choices };
  let common = first;
  for (const other of others) while (!other.startsWith(common)) common = common.slice(0, -1);
  return { insert: common.slice(begun.length), choices };
}
