/** Text for the scripts of shells. */
import type { Proposals } from './words.ts';

/** One word for bash and zsh, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** What may stand at a place as one text: words, and `+files` and the like for what the shell is to find. */
export function proposalText({ words, found }: Proposals): string {
  return [...words, ...(found ? [`+${found}`] : [])].join(' ');
}
