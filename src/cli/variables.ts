/** The environment variables that the command knows. */
import type { Command } from 'commander';
import { hintFor } from '../options.ts';
import { escapeText } from '../terminal/escape.ts';
import { withCommandsBelow } from './commands.ts';

/**
 * Says on stderr which variables that begin with YODEL_ are none: a slip of the finger there would silently be the default.
 * It is no error, for the prefix may be somebody else's, too.
 */
export function warnOfUnknownVariables(program: Command, env: NodeJS.ProcessEnv): void {
  const known = withCommandsBelow(program).flatMap(({ options }) => options.flatMap(({ envVar }) => envVar ?? []));
  for (const name of Object.keys(env)) {
    if (!name.startsWith('YODEL_') || known.includes(name) || env[name] === undefined) continue;
    const hint = hintFor(name, [...new Set(known)]).replace(
      /^Known are: .*/s,
      'yodel help lists those that there are.',
    );
    process.stderr.write(`yodel: there is no variable ${escapeText(name)}, it is ignored. ${hint}\n`);
  }
}
