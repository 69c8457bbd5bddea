/** `until` implemented again, as documented: the whole input is cut into inner frames first, then grouped. */

import { length } from '../../../src/framing/counted/length.ts';
import { delimiter } from '../../../src/framing/delimited/delimiter.ts';
import { lines } from '../../../src/framing/delimited/lines.ts';
import type { DecoderOptions, Framing } from '../../../src/framing/framing.ts';
import { until } from '../../../src/framing/grouped/until.ts';
import { fc } from '../../support/fast-check.ts';
import { Account, type Reference } from '../reference.ts';
import { inputOf, joined, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

/** Where the first inner frame ends, and its payload; undefined if it is not finished. */
type CutInner = (bytes: Buffer) => { readonly end: number; readonly payload: Buffer } | undefined;

interface UntilModel {
  readonly cut: CutInner;
  readonly pattern: RegExp;
  /** Bytes before the payload of an inner frame. */
  readonly header: number;
  /** The most bytes before and behind the payload of an inner frame. */
  readonly overhead: number;
  /** Whether the last inner frame may lack its ending when the input ends. */
  readonly endsWithInput: boolean;
}

function readUntil({ cut, pattern, header, overhead, endsWithInput }: UntilModel): Reference {
  return (input, options) => {
    const account = new Account(options);
    const matches = (payload: Buffer) => pattern.test(payload.subarray(0, options.maxMessageLength).toString());
    let rest = input;
    let group: Buffer[] = [];
    for (let inner = cut(rest); inner && !account.closed; inner = cut(rest)) {
      const frame = rest.subarray(0, inner.end);
      rest = rest.subarray(inner.end);
      group.push(frame);
      if (!matches(inner.payload)) continue;
      const trailer = frame.length - header - inner.payload.length;
      const all = Buffer.concat(group);
      account.message(all.subarray(header, all.length - trailer));
      group = [];
    }
    if (account.closed) return account.end();
    return readUnfinished(account, options, Buffer.concat([...group, rest]), {
      overhead,
      isWhole: endsWithInput && rest.length > 0 && matches(rest),
    });
  };
}

function readUnfinished(
  account: Account,
  { maxMessageLength }: DecoderOptions,
  group: Buffer,
  { overhead, isWhole }: { readonly overhead: number; readonly isWhole: boolean },
): string[] {
  if (group.length === 0) return account.end();
  if (group.length > maxMessageLength + overhead) {
    account.tooLong();
    return account.end();
  }
  account.end();
  if (isWhole) account.message(group);
  else account.unfinished(group.length);
  return account.events;
}

/** Inner frames that end with a line feed, or CR and line feed. */
const cutLine: CutInner = (bytes) => {
  const text = bytes.toString('latin1');
  const line = /^[^\n]*\n/.exec(text)?.[0];
  if (line === undefined) return undefined;
  return { end: line.length, payload: Buffer.from(line.replace(/\r?\n$/, ''), 'latin1') };
};

function cutDelimited(delimiter: string): CutInner {
  return (bytes) => {
    const [payload, ...others] = bytes.toString('latin1').split(delimiter);
    if (others.length === 0 || payload === undefined) return undefined;
    return { end: payload.length + delimiter.length, payload: Buffer.from(payload, 'latin1') };
  };
}

/** Inner frames after one byte that says their length. */
const cutByLength: CutInner = (bytes) => {
  const [size] = bytes;
  if (size === undefined || bytes.length <= size) return undefined;
  return { end: size + 1, payload: bytes.subarray(1, size + 1) };
};

/** @param ending what follows each inner message in the generated input */
function delimited(inner: Framing, ending: string, model: UntilModel, last: string): Subject {
  const framing = until(inner, model.pattern);
  const line = fc.constantFrom('', 'x', 'xy', '250-a', 'é', 'x\r', '.', '250 b', last).map((text) => Buffer.from(text));
  const group = fc
    .tuple(fc.array(line, { maxLength: 3 }), fc.constantFrom(last, last, 'x'))
    .map(([before, end]) => Buffer.from([...before, end].join(ending)));
  return {
    name: framing.name,
    framing,
    reference: readUntil(model),
    framesOf: () => [],
    message: fc.oneof({ weight: 4, arbitrary: group }, { weight: 1, arbitrary: messageOf(last) }),
    input: inputOf(
      group.map((bytes) => Buffer.concat([bytes, Buffer.from(ending)])),
      ending,
      last,
      'x'.repeat(14),
    ),
    smallest: last.length,
    sized: (size) => filled(size, ending.replace('\r', ''), last),
  };
}

/** An inner message that does not match, if there is room for one, and the last one. */
function filled(size: number, ending: string, last: string): Buffer {
  const rest = size - last.length;
  if (rest < ending.length) return Buffer.from(last + 'x'.repeat(rest));
  return Buffer.from('x'.repeat(rest - ending.length) + ending + last);
}

/** A message is one inner message or the bytes of several, which only a decoder can make. */
function lengthPrefixed(): Subject {
  const pattern = /^y/;
  const framing = until(length({ bytes: 1 }), pattern);
  const inner = joined(fc.constantFrom('x', 'y', 'xx').map(Buffer.from), 4);
  return {
    name: framing.name,
    framing,
    reference: readUntil({ cut: cutByLength, pattern, header: 1, overhead: 1, endsWithInput: false }),
    framesOf: () => [],
    message: inner,
    input: inputOf(inner.map((bytes) => Buffer.concat([Buffer.of(bytes.length), bytes]))),
    smallest: 1,
    sized: (size) => Buffer.from(`y${'x'.repeat(size - 1)}`),
  };
}

const line = { cut: cutLine, header: 0, overhead: 2, endsWithInput: true };

/** The property tests of `until`. */
export const untilSubjects: readonly Subject[] = [
  delimited(lines({ crlf: true }), '\r\n', { ...line, pattern: /^\d{3}( |$)/ }, '250 '),
  delimited(lines(), '\n', { ...line, pattern: /^\.$/ }, '.'),
  delimited(lines(), '\n', { ...line, pattern: /y/ }, 'xy'),
  delimited(
    delimiter('||'),
    '||',
    { cut: cutDelimited('||'), pattern: /^xy/, header: 0, overhead: 2, endsWithInput: true },
    'xy',
  ),
  lengthPrefixed(),
];
