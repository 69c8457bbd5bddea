/** The completion script of each shell. */
import type { Command } from 'commander';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import type { Shell } from './shells.ts';
import { completionWords } from './words.ts';
import { zshScript } from './zsh.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** The completion script for the command line of `program` in that shell. */
export function completionScript(shell: Shell, program: Command): string {
  return scripts[shell](completionWords(program));
}
