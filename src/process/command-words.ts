/** Splits a command line into words, as a shell does, but without any expansion. */
import { YodelError } from '../errors.ts';

/**
 * The words of a command line, separated by spaces. '…' and "…" keep spaces within a word, and a backslash keeps the next
 * character (except within '…'). Nothing else is special: no variables, no patterns, no pipes.
 *
 * @throws YodelError `YODEL_INVALID_OPTION` when there is no word, or a quote is not closed
 */
export function commandWords(command: string): [string, ...string[]] {
  const words: string[] = [];
  let word: string | undefined;
  let rest = command;
  for (;;) {
    const [whole = '', spaces, single, double, escaped, plain] = token.exec(rest) ?? [];
    if (whole === '') break;
    rest = rest.slice(whole.length);
    if (spaces !== undefined) {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else word = (word ?? '') + (single ?? double?.replace(/\\(["\\])/g, '$1') ?? escaped ?? plain ?? '');
  }
  if (rest !== '') {
    throw invalid(`the command \`${command}\` ends inside ${rest.startsWith('\\') ? 'an escape' : 'a quote'}`);
  }
  if (word !== undefined) words.push(word);
  const [file, ...args] = words;
  if (file === undefined || file === '') throw invalid('there is no command; write for example exec:cat');
  return [file, ...args];
}

/**
 * Whether a command line has something outside quotes that only a shell understands: a pipe, a redirection, a variable, a
 * pattern, several commands. Make, Perl and Ruby decide by this rule whether a command needs a shell, too.
 */
export function needsShell(command: string): boolean {
  if (/^\s*\w+=/.test(command)) return true;
  let rest = command;
  for (;;) {
    const [whole = '', , , double, , plain] = token.exec(rest) ?? [];
    if (whole === '') return false;
    if (/[$`]/.test(double ?? '') || /[|&;<>()$`*?[~]/.test(plain ?? '')) return true;
    rest = rest.slice(whole.length);
  }
}

/** The next token: spaces, '…', "…", an escaped character, or plain characters. */
const token = /^(?:(\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+))/s;

function invalid(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', text);
}
