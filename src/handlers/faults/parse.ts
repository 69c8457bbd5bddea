/**
 * The text form of a fault:
 *
 * ```
 * [request|reply|both] [WHEN …] ACTION [ARGUMENTS]
 *
 * reply latency 50ms±20ms          request /QUIT/i reset          reply from 3 every 10 10% corrupt
 * ```
 */
import type { YodelError } from '../../errors.ts';
import { parseQuantity } from '../../format/units.ts';
import { hintFor, nearestWord } from '../../suggestion.ts';
import { parseArguments } from './arguments.ts';
import { actionForms, type Fault, type FaultCondition, type FaultDirection, type FaultKind } from './fault.ts';
import { type Word, Words } from './words.ts';

const directions: readonly FaultDirection[] = ['request', 'reply', 'both'];
const kinds = Object.keys(actionForms) as FaultKind[];
/** Words that begin a condition. */
const conditionWords = ['every', 'from', 'to', 'after'];
const known = [...directions, ...conditionWords, ...kinds];

/** Names that other programs have for the same thing, and near misses that share few letters. */
const otherNames: Readonly<Record<string, string>> = {
  ...{ delay: 'latency', lag: 'latency', throttle: 'bandwidth', rate: 'bandwidth', slice: 'chunk', slicer: 'chunk' },
  ...{ split: 'chunk', flip: 'corrupt', lose: 'drop', loss: 'drop', repeat: 'duplicate', swap: 'reorder' },
  ...{ reset_peer: 'reset', rst: 'reset', abort: 'reset', down: 'reset', end: 'close', fin: 'close' },
  ...{
    'black-hole': 'blackhole',
    timeout: 'blackhole',
    hang: 'blackhole',
    limit_data: 'limit',
    slow_close: 'slow-close',
  },
  ...{ upstream: 'request', requests: 'request', downstream: 'reply', replies: 'reply', response: 'reply' },
};

/**
 * Parses a fault.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, which names the column
 */
export function parseFault(text: string): Fault {
  const words = new Words(text);
  const direction = directionOf(words);
  const when: { -readonly [Name in keyof FaultCondition]: FaultCondition[Name] } = {};
  for (let word = words.next(); word; word = words.next()) {
    const kind = word.text as FaultKind;
    if (kinds.includes(kind)) {
      const action = parseArguments(kind, words);
      const rest = words.next();
      if (rest) throw words.error(rest, `nothing is expected after "${text.slice(0, rest.at).trimEnd()}"`);
      return { ...(direction && { direction }), ...(Object.keys(when).length > 0 && { when }), action };
    }
    addCondition(word, words, when);
  }
  throw words.error(undefined, `the action is missing; it takes one of ${kinds.join(', ')}`);
}

function directionOf(words: Words): FaultDirection | undefined {
  const first = words.peek()?.text as FaultDirection;
  if (!directions.includes(first)) return undefined;
  words.next();
  return first;
}

type Conditions = { -readonly [Name in keyof FaultCondition]: FaultCondition[Name] };

function addCondition(word: Word, words: Words, when: Conditions): void {
  const add = (fresh: Conditions) => {
    for (const [name, value] of Object.entries(fresh) as [keyof Conditions, never][]) {
      if (when[name] !== undefined) throw words.error(word, `"${word.text}" repeats a condition`);
      when[name] = value;
    }
  };
  if (word.text.startsWith('/')) return add({ pattern: patternOf(word, words) });
  if (word.text.endsWith('%')) return add(shareOf(word, words));
  if (word.text.startsWith('#')) return add(rangeOf(word, words));
  switch (word.text) {
    case 'every':
    case 'from':
    case 'to':
      return add({ [word.text]: countAfter(word, words) });
    case 'after':
      return add(startOf(word, words));
    default:
      throw unknown(word, words);
  }
}

function unknown(word: Word, words: Words): YodelError {
  if (directions.includes(word.text as FaultDirection)) {
    return words.error(word, `the direction comes first: "${word.text} 10% drop"`);
  }
  const other = otherNames[word.text.toLowerCase()] ?? nearestWord(word.text, known);
  const hint = other === undefined ? hintFor(word.text, kinds) : `Did you mean "${other}"?`;
  return words.error(word, `"${word.text}" is neither a condition nor an action. ${hint}`);
}

function patternOf(word: Word, words: Words): RegExp {
  const end = word.text.lastIndexOf('/');
  const flags = word.text.slice(end + 1);
  if (end === 0) throw words.error(word, 'the pattern has no end; write /PATTERN/');
  if (!/^[imsu]*$/.test(flags)) throw words.error(word, `the flags of a pattern are i, m, s and u, not "${flags}"`);
  try {
    return new RegExp(word.text.slice(1, end), flags);
  } catch (error) {
    throw words.error(word, `the pattern is invalid: ${(error as Error).message}`);
  }
}

function shareOf(word: Word, words: Words): Conditions {
  const share = /^\d+(\.\d+)?%$/.test(word.text) ? Number(`${word.text.slice(0, -1)}e-2`) : Number.NaN;
  if (!(share >= 0 && share <= 1)) throw words.error(word, `it takes a percentage from 0% to 100%, not "${word.text}"`);
  if (words.peek()?.text !== 'of') return { probability: share };
  words.next();
  const what = words.next();
  if (what?.text !== 'sessions') throw words.error(what, '"of" is followed by "sessions": 10% of sessions');
  return { sessions: share };
}

function rangeOf(word: Word, words: Words): Conditions {
  const [, from, to = from] = /^#(\d{1,9})(?:-(\d{1,9}))?$/.exec(word.text) ?? [];
  if (from === undefined || Number(from) < 1 || Number(to) < Number(from)) {
    throw words.error(word, `it takes a message number from 1 on, or two: #5 or #5-9, not "${word.text}"`);
  }
  return { from: Number(from), to: Number(to) };
}

function countAfter(word: Word, words: Words): number {
  const count = words.next();
  const value = count && parseQuantity('count', count.text);
  if (value) return value;
  throw words.error(count, `"${word.text}" takes a message number from 1 on: ${word.text} 3`);
}

function startOf(_word: Word, words: Words): Conditions {
  const start = words.next();
  const time = start && /[a-z]/i.test(start.text) ? parseQuantity('duration', start.text) : undefined;
  const bytes = start && parseQuantity('size', start.text);
  if (time !== undefined && !/^\d+m$/i.test(start?.text ?? '')) return { afterTime: time };
  if (time !== undefined) throw words.error(start, `"${start?.text}" is minutes or mebibytes; write min or MiB`);
  if (bytes !== undefined) return { afterBytes: bytes };
  throw words.error(start, '"after" takes a time or a size: after 5s, after 10KiB');
}

/** Parses a fault, with its name before an equals sign if it has one: `slow = reply latency 50ms`. @throws as {@link parseFault} */
export function parseNamedFault(text: string): Fault {
  const [whole = '', name] = /^\s*([\w-]+)\s*=\s*/.exec(text) ?? [];
  return name === undefined
    ? parseFault(text)
    : { name, ...parseFault(' '.repeat(whole.length) + text.slice(whole.length)) };
}
