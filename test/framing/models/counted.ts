/** Netstrings and octet counting again: with regular expressions. */

import { netstring } from '../../../src/framing/counted/netstring.ts';
import { type OctetCountedOptions, octetCounted } from '../../../src/framing/counted/octet-counted.ts';
import type { Framing } from '../../../src/framing/framing.ts';
import { fc } from '../../support/fast-check.ts';
import { Account, type Reference } from '../reference.ts';
import { type Parsed, readFrameByFrame } from './frame-by-frame.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

/** The frame of a length that follows a pattern. @param valid what a length may begin with */
function parseCounted(rest: Buffer, valid: RegExp, separator: string, ending: string, limit: number): Parsed {
  const text = rest.toString('latin1');
  const [right = ''] = valid.exec(text) ?? [];
  if (right.length < text.length && !right.endsWith(separator)) return { errorAt: right.length + 1 };
  if (!right.endsWith(separator)) return undefined;
  const size = Number(right.slice(0, -1));
  const end = right.length + size + ending.length;
  const isWrong = end <= rest.length && text.slice(end - ending.length, end) !== ending;
  return isWrong && size <= limit ? { errorAt: end } : { start: right.length, size, end };
}

const netstringLength = /^(?:(?:0|[1-9]\d{0,14}):?)?/;
const octetLength = /^(?:[1-9]\d{0,14} ?)?/;

/** The property tests of netstrings. */
export function netstringSubject(): Subject {
  const framing = netstring();
  const reference = readFrameByFrame(framing.name, (rest, limit) =>
    parseCounted(rest, netstringLength, ':', ',', limit),
  );
  return { ...countedSubject(framing, (body) => [`${body.length}:`, body, ','], ',', ':', '0:,', '00:'), reference };
}

/** The property tests of octet counting. */
export function octetCountedSubject(options: OctetCountedOptions): Subject {
  const framing = octetCounted(options);
  const { mixed = false, nul = false } = options;
  const counted = readFrameByFrame(framing.name, (rest, limit) => parseCounted(rest, octetLength, ' ', '', limit));
  const subject = countedSubject(framing, (body) => [`${body.length} `, body], ' ', '0', '<1>', '\n', '\0');
  const endings = ['\n', ...(nul ? ['\0'] : [])];
  return {
    ...subject,
    reference: mixed ? readMixed(framing.name, nul) : counted,
    framesOf: (body) => [
      ...subject.framesOf(body),
      ...(mixed ? endings.map((end) => Buffer.concat([body, Buffer.from(end)])) : []),
    ],
  };
}

function readMixed(name: string, nul: boolean): Reference {
  const wholeLine = nul ? /^[^\n\0]*[\n\0]/ : /^[^\n]*\n/;
  return (input, options) => {
    const { maxMessageLength: limit } = options;
    const isLine = (rest: Buffer) => rest.length > 0 && !/^[1-9]/.test(rest.toString('latin1', 0, 1));
    const parse = (rest: Buffer): Parsed => {
      if (!isLine(rest)) return parseCounted(rest, octetLength, ' ', '', limit);
      const found = wholeLine.exec(rest.toString('latin1'))?.[0].length;
      if (found) return { start: 0, size: found - 1, end: found };
      return rest.length > limit + 16 ? { start: 0, size: limit + 1, end: rest.length } : undefined;
    };
    const events = readFrameByFrame(name, parse)(input, options);
    // A line may be unfinished when the input ends.
    const [, size, number] = /ended after (\d+) bytes? of a frame, in message (\d+)$/.exec(events.at(-1) ?? '') ?? [];
    const rest = input.subarray(input.length - Number(size ?? 0));
    if (!size || !isLine(rest)) return events;
    const account = new Account(options);
    account.number = Number(number) - 1;
    account.message(rest);
    return [...events.slice(0, -1), ...account.events];
  };
}

function countedSubject(
  framing: Framing,
  partsOf: (body: Uint8Array) => (string | Uint8Array)[],
  ...special: string[]
): Omit<Subject, 'reference'> {
  const join = (parts: (string | Uint8Array)[]) => Buffer.concat(parts.map((part) => Buffer.from(part as string)));
  const message = messageOf(...special, '3');
  const frame = message.map((body) => join(partsOf(body)));
  return {
    name: framing.name,
    framing,
    framesOf: (body) => [join(partsOf(body))],
    message,
    input: inputOf(fc.oneof(frame), ...special, '1', '10', '07', '3', '9'.repeat(15), 'x'.repeat(20)),
  };
}
