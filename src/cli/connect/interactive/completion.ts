/** Tab completion of commands. */
import { readdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { type CommandInfo, commandNames, commands, parseEntered } from './commands.ts';

/** The text to insert at the cursor, and all candidates. */
export interface Completion {
  readonly insert: string;
  readonly choices: readonly string[];
}

const nothing: Completion = { insert: '', choices: [] };

/** Completes a command. @param before the line up to the cursor; returns undefined if it is not a command */
export function complete(before: string): Completion | undefined {
  if (!before.startsWith(':') || before.startsWith('::')) return undefined;
  const [, word = '', space, rest = ''] = /^:(\S*)(\s+)?(.*)$/s.exec(before) ?? [];
  if (space === undefined) return completeWord(word, commandNames, ' ');
  const entered = parseEntered(before);
  if (entered.kind !== 'command') return nothing;
  const { completes }: CommandInfo = commands[entered.name];
  if (completes === 'command') return completeWord(rest.replace(/^:/, ''), commandNames);
  if (completes === 'switch') return completeWord(rest, ['on', 'off']);
  return completes === 'file' ? completeFile(rest) : nothing;
}

function completeFile(path: string): Completion {
  const directory = path.endsWith('/') ? path : `${dirname(path)}/`;
  const prefix = path.endsWith('/') ? '' : basename(path);
  try {
    const entries = readdirSync(path.includes('/') ? directory : '.', { withFileTypes: true });
    const visible = entries.filter((entry) => prefix.startsWith('.') || !entry.name.startsWith('.'));
    const names = visible.map((entry) => (entry.isDirectory() ? `${entry.name}/` : entry.name));
    return completeWord(prefix, names);
  } catch {
    // There is no such directory.
    return nothing;
  }
}

/** The common prefix of all words that begin with `prefix`; a single match is reloadable by `suffix`. */
function completeWord(prefix: string, words: readonly string[], suffix = ''): Completion {
  const choices = words.filter((word) => word.startsWith(prefix));
  const [first = prefix, ...others] = choices;
  if (others.length === 0)
    return { insert: first.slice(prefix.length) + (choices.length === 1 ? suffix : ''), choices };
  let common = first;
  for (const other of others) while (!other.startsWith(common)) common = common.slice(0, -1);
  return { insert: common.slice(prefix.length), choices };
}
