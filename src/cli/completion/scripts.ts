/** The script for each shell. */
import type { Command } from 'commander';
import { bashScript } from './bash.ts';
import { fishScript } from './fish.ts';
import type { Shell } from './shells.ts';
import { completionWords } from './words.ts';
import { zshScript } from './zsh.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** A script that completes the command line of `program`, for that shell. */
export function completionScript(shell: Shell, program: Command): string {
  return scripts[shell](completionWords(program));
}
