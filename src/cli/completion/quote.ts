/** Quoting for shell scripts. */
import type { Proposals } from './words.ts';

/** Quotes any text as one word of bash and zsh. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The words for a place as one text, with `+files` and the like for what the shell finds itself. */
export function proposalText({ words, found }: Proposals): string {
  return [...words, ...(found ? [`+${found}`] : [])].join(' ');
}
