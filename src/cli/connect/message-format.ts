/** How `yodel connect` and `yodel send` print messages: as they came, as JSON, or as a format of the user's own. */
import { isUtf8 } from 'node:buffer';
import type { Message } from '../../framing/message.ts';
import { escapeJson } from '../../terminal/escape.ts';
import { formatContent } from '../../transcript/content.ts';
import { UsageError } from '../fail.ts';

/** A message that passed. */
export interface PassedMessage {
  readonly direction: 'sent' | 'received';
  /** Counted from 1 in its direction. */
  readonly number: number;
  readonly peer: string;
  readonly message: Message;
  /** Milliseconds since the message was sent that it answers, if it answers one. */
  readonly rttMs?: number | undefined;
}

/** What is printed of a message; undefined: nothing. */
export type PrintMessage = (passed: PassedMessage) => string | Uint8Array | undefined;

/** What came, byte for byte. */
export const printRaw: PrintMessage = ({ direction, message }) =>
  direction === 'received' ? Buffer.from(message.frame) : undefined;

/** One object a line, for messages of both directions. */
export const printJson: PrintMessage = (passed) => `${jsonOf(passed)}\n`;

function jsonOf({ direction, number, peer, message, rttMs }: PassedMessage): string {
  const content = isUtf8(message.bytes)
    ? { text: message.text }
    : { base64: Buffer.from(message.bytes).toString('base64') };
  const rtt = rttMs === undefined ? {} : { rttMs: Number(rttMs.toFixed(3)) };
  const fields = { direction, time: new Date().toISOString(), peer, number, bytes: message.size, ...content, ...rtt };
  return escapeJson(JSON.stringify(fields));
}

/** What stands for what in a format, for help and errors. */
export const formatLetters: Readonly<Record<string, string>> = {
  m: 'the message as it is',
  e: 'the message, with escapes for what is not seen',
  x: 'the message in hexadecimal digits',
  b: 'the message as base64',
  l: 'its length in bytes',
  n: 'its number, from 1 in each direction',
  d: '> for sent, < for received',
  a: 'the address of the peer',
  I: 'the time: 2026-01-31T12:34:56.789Z',
  U: 'the time in seconds since 1970, with milliseconds',
  r: 'the round-trip time in milliseconds, or -',
  j: 'all of it as a JSON object',
  '%': 'a percent sign',
};

/**
 * A printer for a format such as `%I %d %e\n`. Messages that are sent are printed as well when it says which is which (`%d`, `%j`).
 *
 * @throws UsageError for what it does not know
 */
export function printAs(format: string): PrintMessage {
  const pieces: ((passed: PassedMessage) => string | Uint8Array)[] = [];
  for (const [token] of format.matchAll(/%.?|\\.?|[^%\\]+/gsu)) pieces.push(pieceOf(token));
  const showsBoth = /%[dj]/.test(format.replaceAll('%%', ''));
  return (passed) => {
    if (passed.direction === 'sent' && !showsBoth) return undefined;
    return Buffer.concat(pieces.map((piece) => toBytes(piece(passed))));
  };
}

/** Text as UTF-8; bytes as they are. */
export function toBytes(value: string | Uint8Array): Uint8Array {
  return typeof value === 'string' ? Buffer.from(value) : value;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '0': '\0', '\\': '\\' };

function pieceOf(token: string): (passed: PassedMessage) => string | Uint8Array {
  const letter = token.slice(1);
  if (token.startsWith('\\')) {
    const text = escapes[letter];
    if (text === undefined)
      throw new UsageError(`--format has no escape "${token}"; there are \\n \\t \\r \\0 and \\\\`);
    return () => text;
  }
  if (!token.startsWith('%')) return () => token;
  if (!(letter in formatLetters)) {
    const known = Object.keys(formatLetters).map((one) => `%${one}`);
    throw new UsageError(`--format has no "${token}"; there are ${known.join(' ')}`);
  }
  return fields[letter] as (passed: PassedMessage) => string | Uint8Array;
}

const fields: Readonly<Record<string, (passed: PassedMessage) => string | Uint8Array>> = {
  m: ({ message }) => message.bytes,
  e: ({ message }) => formatContent(message.bytes).replace(/^ |^\\ /, ''),
  x: ({ message }) => Buffer.from(message.bytes).toString('hex'),
  b: ({ message }) => Buffer.from(message.bytes).toString('base64'),
  l: ({ message }) => String(message.size),
  n: ({ number }) => String(number),
  d: ({ direction }) => (direction === 'sent' ? '>' : '<'),
  a: ({ peer }) => peer,
  I: () => new Date().toISOString(),
  U: () => (Date.now() / 1000).toFixed(3),
  r: ({ rttMs }) => (rttMs === undefined ? '-' : rttMs.toFixed(3)),
  j: (passed) => jsonOf(passed),
  '%': () => '%',
};
