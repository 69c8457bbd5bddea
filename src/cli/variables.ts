/** The environment variables that the command knows. */
import type { Command } from 'commander';
import { hintFor } from '../suggestion.ts';
import { escapeText } from '../terminal/escape.ts';
import { withCommandsBelow } from './commands.ts';
import { otherVariables } from './other-variables.ts';
import { createProgram } from './program.ts';

/**
 * Warns on stderr about variables that begin with YODEL_ and that no command knows: a misspelt one would silently leave the
 * default in effect. It is not an error, because another program may use the prefix too.
 *
 * @param program the part of the command line that was loaded; the rest is loaded only if one of the variables is not known to it
 */
export async function warnOfUnknownVariables(program: Command, env: NodeJS.ProcessEnv): Promise<void> {
  const set = Object.keys(env).filter((name) => name.startsWith('YODEL_') && env[name] !== undefined);
  const others = otherVariables.map(([name]) => name);
  const own = [...others, ...variablesOf(program)];
  if (set.every((name) => own.includes(name))) return;
  const known = [...others, ...variablesOf(await createProgram())];
  for (const name of set.filter((one) => !known.includes(one))) {
    const hint = hintFor(name, known).replace(/^Known: .*/s, 'For a list: yodel help environment');
    process.stderr.write(`yodel: unknown environment variable ${escapeText(name)} ignored. ${hint}\n`);
  }
}

/** The variables of a command and those below it, each once. */
function variablesOf(command: Command): string[] {
  return [
    ...new Set(withCommandsBelow(command).flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? []))),
  ];
}
