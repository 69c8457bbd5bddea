/** The formats of `{now:FORMAT}`: words, and the codes of strftime. All times are UTC. */
import { ContentError } from './error.ts';

interface TimeCode {
  readonly format: (time: Date) => string;
  /** A regular expression for what it may be. */
  readonly shape: string;
}

const days = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function digits(count: number, read: (time: Date) => number): TimeCode {
  return { format: (time) => String(read(time)).padStart(count, '0'), shape: `[0-9]{${count}}` };
}

const seconds: TimeCode = { format: (time) => String(Math.floor(time.getTime() / 1000)), shape: '[0-9]+' };

const codes: Readonly<Record<string, TimeCode>> = {
  Y: digits(4, (time) => time.getUTCFullYear()),
  y: digits(2, (time) => time.getUTCFullYear() % 100),
  m: digits(2, (time) => time.getUTCMonth() + 1),
  d: digits(2, (time) => time.getUTCDate()),
  H: digits(2, (time) => time.getUTCHours()),
  M: digits(2, (time) => time.getUTCMinutes()),
  S: digits(2, (time) => time.getUTCSeconds()),
  L: digits(3, (time) => time.getUTCMilliseconds()),
  a: { format: (time) => days[time.getUTCDay()] as string, shape: `(?:${days.join('|')})` },
  b: { format: (time) => months[time.getUTCMonth()] as string, shape: `(?:${months.join('|')})` },
  s: seconds,
  '%': { format: () => '%', shape: '%' },
};

const words: Readonly<Record<string, string>> = {
  iso: '%Y-%m-%dT%H:%M:%S.%LZ',
  http: '%a, %d %b %Y %H:%M:%S GMT',
  unix: '%s',
  ms: '%s%L',
};

/** The format that a word stands for. @throws ContentError if it is not a format, at the index in `format` */
export function checkTimeFormat(format: string): void {
  if (format in words) return;
  const brace = format.indexOf('{');
  if (brace !== -1) throw new ContentError(brace, 'a time cannot contain names and functions');
  if (!format.includes('%')) {
    const text = 'a time takes iso, unix, ms, http, or codes such as %Y-%m-%d %H:%M:%S';
    throw new ContentError(0, text);
  }
  for (const { 0: code, index } of format.matchAll(/%(.?)/gsu)) {
    if (code.slice(1) in codes) continue;
    const known = Object.keys(codes).map((letter) => `%${letter}`);
    throw new ContentError(index, `unknown "${code}" in a time; known are ${known.join(' ')}`);
  }
}

/** The time in a format that {@link checkTimeFormat} accepts. */
export function formatTime(time: Date, format: string): string {
  return (words[format] ?? format).replace(/%(.)/gs, (_, letter: string) => codes[letter]?.format(time) ?? '');
}

/** A regular expression for times in this format. */
export function shapeOfTime(format: string): string {
  const pieces = (words[format] ?? format).match(/%.|[^%]/gsu) ?? [];
  return pieces.map((piece) => (piece.startsWith('%') ? codes[piece.slice(1)]?.shape : quote(piece))).join('');
}

/** A regular expression that matches the UTF-8 bytes of a text, each as a character. */
function quote(text: string): string {
  return Array.from(Buffer.from(text), (byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('');
}
