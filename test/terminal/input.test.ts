/** What keys do to the typed line. */
import { expect, test } from 'vitest';
import { type InputEvents, LineInput } from '../../src/terminal/input.ts';
import { KeyReader } from '../../src/terminal/keys.ts';

interface Typing {
  /** Types what a terminal sends. */
  keys: (sent: string) => Typing;
  /** The prompt and the line, with `|` for the cursor. */
  readonly line: string;
  /** The events reported, in order. */
  readonly events: string[];
}

function typing(lines: readonly string[] = [], events: Partial<InputEvents> = {}): Typing {
  const reported: string[] = [];
  const reader = new KeyReader();
  const report =
    (what: string) =>
    (line = '') =>
      void reported.push(line === '' ? what : `${what} ${line}`);
  const input = new LineInput(lines, {
    enter: (line) => {
      reported.push(`enter ${line}`);
      input.remember(line);
      return '';
    },
    paste: report('paste'),
    interrupt: report('interrupt'),
    end: report('end'),
    suspend: report('suspend'),
    clear: report('clear'),
    complete: () => '\t',
    ...events,
  });
  const typed: Typing = {
    events: reported,
    keys(sent) {
      for (const key of [...reader.read(sent), ...reader.flush()]) input.take(key);
      return typed;
    },
    get line() {
      const { prompt, text, cursor } = input.shown('> ');
      return `${prompt}${text.slice(0, cursor)}|${text.slice(cursor)}`;
    },
  };
  return typed;
}

const [up, down, right, left, home, end] = ['\x1b[A', '\x1b[B', '\x1b[C', '\x1b[D', '\x1b[H', '\x1b[F'];
const [ctrlA, ctrlC, ctrlD, ctrlG, ctrlK, ctrlR, ctrlT, ctrlU, ctrlW, ctrlY] = [
  ...'\x01\x03\x04\x07\x0b\x12\x14\x15\x17\x19',
] as [string, string, string, string, string, string, string, string, string, string];

const edits: readonly [what: string, keys: string, line: string][] = [
  ['characters are inserted at the cursor', `ac${left}b`, '> ab|c'],
  ['Home and End', `bc${home}a${end}d`, '> abcd|'],
  ['Backspace and Delete', `abcd${left}${left}\x7f\x1b[3~`, '> a|d'],
  ['Backspace deletes a joined emoji', 'x👨‍👩‍👧\x7f', '> x|'],
  ['Left skips a letter with its accents', `e\u0301\u0323${left}`, '> |e\u0301\u0323'],
  ['Right skips an emoji with its skin tone', `👍🏽a${ctrlA}${right}`, '> 👍🏽|a'],
  ['Left skips a flag', `🇩🇪🇫🇷${left}`, '> 🇩🇪|🇫🇷'],
  ['Ctrl-K and Ctrl-Y', `one two${home}${ctrlK}x${ctrlY}`, '> xone two|'],
  ['Ctrl-U', `one two${left}${ctrlU}`, '> |o'],
  ['Ctrl-W deletes back to a space', `one two-three ${ctrlW}`, '> one |'],
  ['Alt-B and Alt-F move by words', `one two-three\x1bb\x1bb\x1bb\x1bf`, '> one| two-three'],
  ['Ctrl-Left moves by words in any script', `привет мир\x1b[1;5D`, '> привет |мир'],
  ['Alt-D deletes a word', `one two${home}\x1bd`, '> | two'],
  ['Ctrl-T swaps two characters', `acb${ctrlT}`, '> abc|'],
  ['Ctrl-D in a line deletes a character', `abc${home}${ctrlD}`, '> |bc'],
  ['Tab in a message inserts a tab', 'a\tb', '> a\tb|'],
  ['keys at the edges do nothing', `${left}${right}\x7f\x1b[3~${down}${ctrlW}${ctrlT}${ctrlY}`, '> |'],
];

for (const [what, keys, line] of edits) {
  test(`editing: ${what}`, () => {
    expect(typing().keys(keys).line).toBe(line);
  });
}

test('Up and Down show the history; the unfinished line comes back at the end', () => {
  const typed = typing(['first', 'second']).keys('begun');
  expect(typed.keys(up).line).toBe('> second|');
  expect(typed.keys(up).line).toBe('> first|');
  expect(typed.keys(up).line).toBe('> first|');
  expect(typed.keys(down + down).line).toBe('> begun|');
});

test('a line entered again is once in the history, as the newest', () => {
  const typed = typing(['a', 'b']).keys('a\r');
  expect(typed.keys(up).line).toBe('> a|');
  expect(typed.keys(up).line).toBe('> b|');
  expect(typed.keys(up).line).toBe('> b|');
});

test('Enter, Ctrl-C, Ctrl-D, Ctrl-Z and Ctrl-L report their events', () => {
  const typed = typing().keys(`hello\rhalf${ctrlC}${ctrlC}\x1a\x0cx\x7f${ctrlD}`);
  expect(typed.events).toEqual(['enter hello', 'interrupt half', 'interrupt', 'suspend', 'clear', 'end']);
});

test('a refused line stays', () => {
  expect(typing([], { enter: (line) => line }).keys('not now\r').line).toBe('> not now|');
});

const history = ['select one', 'insert two', 'Select three', 'update four'];

test('Ctrl-R finds the newest line that matches, then older ones', () => {
  const typed = typing(history).keys(ctrlR);
  expect(typed.line).toBe('search "": |');
  expect(typed.keys('se').line).toBe('search "se": |Select three');
  expect(typed.keys(ctrlR).line).toBe('search "se": in|sert two');
  expect(typed.keys('l').line).toBe('search "sel": |select one');
  expect(typed.keys(ctrlR).line).toBe('not found "sel": |select one');
  expect(typed.keys('\x7f\x7f').line).toBe('search "s": |Select three');
  expect(typed.keys('\r').events).toEqual(['enter Select three']);
});

test('an upper-case letter in the query matches only upper case', () => {
  expect(typing(history).keys(`${ctrlR}S`).keys(ctrlR).line).toBe('not found "S": |Select three');
});

test('Escape, arrows and End edit the line found', () => {
  expect(typing(history).keys(`${ctrlR}two\x1b`).line).toBe('> insert |two');
  expect(typing(history).keys(`${ctrlR}two${right}`).line).toBe('> insert |two');
  expect(typing(history).keys(`${ctrlR}two${end}!`).line).toBe('> insert two!|');
});

test('Ctrl-G and Ctrl-C cancel the search and restore the typed line', () => {
  for (const key of [ctrlG, ctrlC]) {
    const typed = typing(history).keys(`begun${left}${ctrlR}two${key}`);
    expect(typed.line).toBe('> begu|n');
    expect(typed.events).toEqual([]);
  }
});

test('a search without a match keeps the typed line', () => {
  expect(typing(history).keys(`x${ctrlR}nowhere`).line).toBe('not found "nowhere": |');
  expect(typing(history).keys(`x${ctrlR}nowhere\x1b`).line).toBe('> x|');
});

test('each complete line of a paste is reported, and the rest stays in the line', () => {
  const typed = typing().keys('\x1b[200~one\r:quit\r\rrest\x1b[201~');
  expect(typed.events).toEqual(['paste one', 'paste :quit', 'paste']);
  expect(typed.line).toBe('> rest|');
  expect(typed.keys('!\r').events.at(-1)).toBe('enter rest!');
});

test('a paste into a typed line completes that line', () => {
  const typed = typing().keys(':send \x1b[200~one\rtwo\r\x1b[201~');
  expect(typed.events).toEqual(['enter :send one', 'paste two']);
});

test('a paste may arrive in several chunks', () => {
  const typed = typing();
  for (const piece of ['\x1b[200~on', 'e\rtw', 'o\r', '\x1b[2', '01~']) typed.keys(piece);
  expect(typed.events).toEqual(['paste one', 'paste two']);
});
