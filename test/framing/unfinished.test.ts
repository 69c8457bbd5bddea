/** The beginning of a message whose rest has not arrived. */

import { describe, expect, it, test } from 'vitest';
import { encode } from '../../src/framing/framing.ts';
import { parseFraming } from '../../src/framing/notation.ts';
import { fc } from '../support/fast-check.ts';
import { carriedBy, subjects } from './subjects.ts';

const options = { maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' } as const;

describe.each(subjects)('$name', (subject) => {
  it('tells only bytes that the message begins with, although it has read no more', () => {
    fc.assert(
      fc.property(carriedBy(subject), fc.nat(), (payload, at) => {
        const frame = Buffer.from(encode(subject.framing, payload));
        const decoder = subject.framing.createDecoder(options);
        decoder.decode(frame.subarray(0, at % Math.max(1, frame.length)));
        const { unfinished } = decoder;
        if (unfinished === undefined) return;
        // Some of it may turn out to be a delimiter.
        const size = Math.min(unfinished.length, payload.length);
        expect(Buffer.from(unfinished).subarray(0, size)).toEqual(Buffer.from(payload).subarray(0, size));
      }),
    );
  });
});

test.each([
  ['lines', 'one\nlogin: ', 'login: '],
  ['lines', 'login: \r', 'login: '],
  ['lines', 'one\n', undefined],
  ['delimiter:\\0', 'a\0b', 'b'],
  ['delimiters:;,!', 'a;b', 'b'],
  ['between:<,>', '<a><b', 'b'],
  ['between:<,>', '<', undefined],
  ['until(lines,/^ok/)', 'a\nok\nb\nc', 'b\nc'],
  ['length:2', '\0\x05he', 'he'],
  ['length:2', '\0', undefined],
  ['netstring', '5:he', undefined],
  ['slip', 'he', undefined],
])('with %s, %j leaves %j', (name, input, expected) => {
  const decoder = parseFraming(name).createDecoder(options);
  decoder.decode(Buffer.from(input));
  const { unfinished } = decoder;
  expect(unfinished && Buffer.from(unfinished).toString()).toBe(expected);
});
