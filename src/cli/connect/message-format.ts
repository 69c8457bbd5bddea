/** How `yodel connect` and `yodel send` print messages: byte for byte, as JSON, or in the format of --format. */
import { YodelError } from '../../errors.ts';
import { spacedHex } from '../../format/hex.ts';
import { encode } from '../../framing/framing.ts';
import { Message } from '../../framing/message.ts';
import type { Protocol } from '../../framing/protocol.ts';
import { escapeJson, jsonContent } from '../../terminal/escape.ts';
import { jsonParts } from '../../terminal/message-parts.ts';
import { formatContent } from '../../transcript/content.ts';
import { UsageError } from '../fail.ts';

/** A message that was sent or received. */
export interface ExchangedMessage {
  readonly direction: 'sent' | 'received';
  /** Counted from 1 in each direction. */
  readonly number: number;
  readonly peer: string;
  readonly message: Message;
  /** Of a reply: the round-trip time in milliseconds. */
  readonly rttMs?: number | undefined;
}

/** Formats a message; undefined prints nothing. */
export type PrintMessage = (passed: ExchangedMessage) => string | Uint8Array | undefined;

/** Received messages, byte for byte. Those of a WebSocket are printed in the framing of replies, as far as it can express them. */
export function printRaw({ replyFraming }: Protocol): PrintMessage {
  return ({ direction, message }) => {
    if (direction === 'sent') return undefined;
    if (message.framing?.id !== 'websocket') return Buffer.from(message.frame);
    try {
      return encode(replyFraming, Message.of(message.bytes));
    } catch (error) {
      if (error instanceof YodelError) return Buffer.concat([message.bytes, Buffer.from('\n')]);
      throw error;
    }
  };
}

/** One JSON object per line, for messages in both directions. */
export const printJson: PrintMessage = (passed) => `${jsonOf(passed)}\n`;

function jsonOf({ direction, number, peer, message, rttMs }: ExchangedMessage): string {
  const rtt = rttMs === undefined ? {} : { rttMs: Number(rttMs.toFixed(3)) };
  const fields = {
    direction,
    time: new Date().toISOString(),
    peer,
    number,
    ...jsonParts(message),
    bytes: message.size,
  };
  return escapeJson(JSON.stringify({ ...fields, ...jsonContent(message.bytes), ...rtt }));
}

/** The letters of a format and their meanings. */
export const formatLetters: Readonly<Record<string, string>> = {
  m: 'the message, unchanged',
  e: 'the message, escaped',
  x: 'the message in hexadecimal',
  b: 'the message in base64',
  l: 'its length in bytes',
  h: 'its header, unchanged',
  H: 'its header in hexadecimal, with spaces',
  k: 'over WebSocket: text or binary, else -',
  n: 'its number, counted from 1 in each direction',
  d: '> if sent, < if received',
  a: 'the address of the server',
  I: 'the time: 2026-01-31T12:34:56.789Z',
  U: 'the time in seconds since 1970, with milliseconds',
  r: 'the round-trip time in milliseconds, or -',
  j: 'a JSON object, as with --json',
  '%': 'a percent sign',
};

/**
 * Compiles a format such as `%I %d %e\n`. Sent messages are printed only when the format shows the direction (`%d`, `%j`).
 *
 * @throws UsageError for an unknown letter or escape
 */
export function printAs(format: string): PrintMessage {
  const pieces: ((passed: ExchangedMessage) => string | Uint8Array)[] = [];
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

function pieceOf(token: string): (passed: ExchangedMessage) => string | Uint8Array {
  const letter = token.slice(1);
  if (token.startsWith('\\')) {
    const text = escapes[letter];
    if (text === undefined)
      throw new UsageError(`unknown escape "${token}" in --format; known are \\n \\t \\r \\0 \\\\`);
    return () => text;
  }
  if (!token.startsWith('%')) return () => token;
  if (!(letter in formatLetters)) {
    const known = Object.keys(formatLetters).map((one) => `%${one}`);
    throw new UsageError(`unknown "${token}" in --format; known are ${known.join(' ')}`);
  }
  return fields[letter] as (passed: ExchangedMessage) => string | Uint8Array;
}

const fields: Readonly<Record<string, (passed: ExchangedMessage) => string | Uint8Array>> = {
  m: ({ message }) => message.bytes,
  e: ({ message }) => formatContent(message.bytes).replace(/^ |^\\ /, ''),
  x: ({ message }) => Buffer.from(message.bytes).toString('hex'),
  b: ({ message }) => Buffer.from(message.bytes).toString('base64'),
  l: ({ message }) => String(message.size),
  h: ({ message }) => message.header,
  H: ({ message }) => spacedHex(message.header),
  k: ({ message }) => message.kind ?? '-',
  n: ({ number }) => String(number),
  d: ({ direction }) => (direction === 'sent' ? '>' : '<'),
  a: ({ peer }) => peer,
  I: () => new Date().toISOString(),
  U: () => (Date.now() / 1000).toFixed(3),
  r: ({ rttMs }) => (rttMs === undefined ? '-' : rttMs.toFixed(3)),
  j: (passed) => jsonOf(passed),
  '%': () => '%',
};
