/** What keys do to the line that is being typed. */
import { expect, test } from 'vitest';
import { type InputEvents, LineInput } from '../../src/terminal/input.ts';
import { KeyReader } from '../../src/terminal/keys.ts';

interface Typing {
  /** Types what a terminal sends. */
  keys: (sent: string) => Typing;
  /** The prompt and the line, with `|` where the cursor stands. */
  readonly line: string;
  /** What was asked for, in order. */
  readonly asked: string[];
}

function typing(lines: readonly string[] = [], events: Partial<InputEvents> = {}): Typing {
  const asked: string[] = [];
  const reader = new KeyReader();
  const tell =
    (what: string) =>
    (line = '') =>
      void asked.push(line === '' ? what : `${what} ${line}`);
  const input = new LineInput(lines, {
    enter: (line) => {
      asked.push(`enter ${line}`);
      input.remember(line);
      return '';
    },
    paste: tell('paste'),
    interrupt: tell('interrupt'),
    end: tell('end'),
    suspend: tell('suspend'),
    clear: tell('clear'),
    complete: () => '\t',
    ...events,
  });
  const typed: Typing = {
    asked,
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
  ['characters come in at the cursor', `ac${left}b`, '> ab|c'],
  ['Home and End', `bc${home}a${end}d`, '> abcd|'],
  ['Backspace and Delete', `abcd${left}${left}\x7f\x1b[3~`, '> a|d'],
  ['Backspace takes a whole family', 'x👨‍👩‍👧\x7f', '> x|'],
  ['Left goes over a letter with its accents', `e\u0301\u0323${left}`, '> |e\u0301\u0323'],
  ['Right goes over an emoji with its colour', `👍🏽a${ctrlA}${right}`, '> 👍🏽|a'],
  ['Left goes over a flag', `🇩🇪🇫🇷${left}`, '> 🇩🇪|🇫🇷'],
  ['Ctrl-K and Ctrl-Y', `one two${home}${ctrlK}x${ctrlY}`, '> xone two|'],
  ['Ctrl-U', `one two${left}${ctrlU}`, '> |o'],
  ['Ctrl-W takes a word up to a space', `one two-three ${ctrlW}`, '> one |'],
  ['Alt-B and Alt-F go by words', `one two-three\x1bb\x1bb\x1bb\x1bf`, '> one| two-three'],
  ['Ctrl-Left in front of words of any script', `привет мир\x1b[1;5D`, '> привет |мир'],
  ['Alt-D cuts a word', `one two${home}\x1bd`, '> | two'],
  ['Ctrl-T exchanges', `acb${ctrlT}`, '> abc|'],
  ['Ctrl-D in the middle', `abc${home}${ctrlD}`, '> |bc'],
  ['Tab in a message', 'a\tb', '> a\tb|'],
  ['keys at the edges do nothing', `${left}${right}\x7f\x1b[3~${down}${ctrlW}${ctrlT}${ctrlY}`, '> |'],
];

for (const [what, keys, line] of edits) {
  test(`editing: ${what}`, () => {
    expect(typing().keys(keys).line).toBe(line);
  });
}

test('Up and Down show earlier lines, and the one that was begun is there again at the end', () => {
  const typed = typing(['first', 'second']).keys('begun');
  expect(typed.keys(up).line).toBe('> second|');
  expect(typed.keys(up).line).toBe('> first|');
  expect(typed.keys(up).line).toBe('> first|');
  expect(typed.keys(down + down).line).toBe('> begun|');
});

test('a line entered again is kept once, as the newest', () => {
  const typed = typing(['a', 'b']).keys('a\r');
  expect(typed.keys(up).line).toBe('> a|');
  expect(typed.keys(up).line).toBe('> b|');
  expect(typed.keys(up).line).toBe('> b|');
});

test('Enter, Ctrl-C, Ctrl-D, Ctrl-Z and Ctrl-L ask for what they stand for', () => {
  const typed = typing().keys(`hello\rhalf${ctrlC}${ctrlC}\x1a\x0cx\x7f${ctrlD}`);
  expect(typed.asked).toEqual(['enter hello', 'interrupt half', 'interrupt', 'suspend', 'clear', 'end']);
});

test('a line that is refused stays', () => {
  expect(typing([], { enter: (line) => line }).keys('not now\r').line).toBe('> not now|');
});

const history = ['select one', 'insert two', 'Select three', 'update four'];

test('Ctrl-R finds the newest line with what is typed, and older ones', () => {
  const typed = typing(history).keys(ctrlR);
  expect(typed.line).toBe('search "": |');
  expect(typed.keys('se').line).toBe('search "se": |Select three');
  expect(typed.keys(ctrlR).line).toBe('search "se": in|sert two');
  expect(typed.keys('l').line).toBe('search "sel": |select one');
  expect(typed.keys(ctrlR).line).toBe('not found "sel": |select one');
  expect(typed.keys('\x7f\x7f').line).toBe('search "s": |Select three');
  expect(typed.keys('\r').asked).toEqual(['enter Select three']);
});

test('a capital letter in the search finds only capitals', () => {
  expect(typing(history).keys(`${ctrlR}S`).keys(ctrlR).line).toBe('not found "S": |Select three');
});

test('Escape and the arrows edit what was found', () => {
  expect(typing(history).keys(`${ctrlR}two\x1b`).line).toBe('> insert |two');
  expect(typing(history).keys(`${ctrlR}two${right}`).line).toBe('> insert |two');
  expect(typing(history).keys(`${ctrlR}two${end}!`).line).toBe('> insert two!|');
});

test('Ctrl-G and Ctrl-C give the search up and bring back what was typed', () => {
  for (const key of [ctrlG, ctrlC]) {
    const typed = typing(history).keys(`begun${left}${ctrlR}two${key}`);
    expect(typed.line).toBe('> begu|n');
    expect(typed.asked).toEqual([]);
  }
});

test('a search that finds nothing gives nothing', () => {
  expect(typing(history).keys(`x${ctrlR}nowhere`).line).toBe('not found "nowhere": |');
  expect(typing(history).keys(`x${ctrlR}nowhere\x1b`).line).toBe('> x|');
});

test('each whole line of a paste is one, and the rest stays to be edited', () => {
  const typed = typing().keys('\x1b[200~one\r:quit\r\rrest\x1b[201~');
  expect(typed.asked).toEqual(['paste one', 'paste :quit', 'paste']);
  expect(typed.line).toBe('> rest|');
  expect(typed.keys('!\r').asked.at(-1)).toBe('enter rest!');
});

test('a paste behind something typed ends the line that was typed', () => {
  const typed = typing().keys(':send \x1b[200~one\rtwo\r\x1b[201~');
  expect(typed.asked).toEqual(['enter :send one', 'paste two']);
});

test('a paste in pieces is the same paste', () => {
  const typed = typing();
  for (const piece of ['\x1b[200~on', 'e\rtw', 'o\r', '\x1b[2', '01~']) typed.keys(piece);
  expect(typed.asked).toEqual(['paste one', 'paste two']);
});
