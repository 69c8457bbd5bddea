/** The script for each shell. */
import type { Command } from 'commander';
import { bashScript } from './completion-bash.ts';
import type { shells } from './completion-command.ts';
import { fishScript } from './completion-fish.ts';
import { completionWords } from './completion-words.ts';
import { zshScript } from './completion-zsh.ts';

const scripts = { bash: bashScript, zsh: zshScript, fish: fishScript };

/** A script that completes the command line of `program`, for that shell. */
export function completionScript(shell: (typeof shells)[number], program: Command): string {
  return scripts[shell](completionWords(program));
}
