/** Quoting for shell scripts. */
import type { Candidates } from './words.ts';

/** Quotes any text as one word of bash and zsh. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

/** The candidates as one string, with `+files` and the like for those that the shell finds itself. */
export function candidateText({ words, found }: Candidates): string {
  return [...words, ...(found ? [`+${found}`] : [])].join(' ');
}
