import { expect, test } from 'vitest';
import { commandWords, needsShell } from '../../src/process/command-words.ts';

test.each([
  ['sort -n', ['sort', '-n']],
  ['  printf  \'%s %s\' "a \\" b" c\\ d ', ['printf', '%s %s', 'a " b', 'c d']],
])('splits %s into words', (command, words) => {
  expect(commandWords(command)).toEqual(words);
});

test.each([
  'sort | uniq',
  'a && b',
  'cat < file',
  'cat 2>/dev/null',
  'echo $HOME',
  'echo "$HOME"',
  'echo `date`',
  'ls *.txt',
  'a; b',
  '(cat)',
  'PORT=1 server',
  'cat ~/file',
])('%s needs a shell', (command) => {
  expect(needsShell(command)).toBe(true);
});

test.each([
  'sort -n',
  'awk \'{print $1 | "x"}\'',
  'printf "a|b"',
  'server --port {port} --name=x',
  'echo a\\|b',
  "sh -c 'a | b'",
  'node -e 1+1',
  "a 'unclosed",
])('%s needs no shell', (command) => {
  expect(needsShell(command)).toBe(false);
});
