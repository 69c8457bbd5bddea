/** Several delimiters again: with a regular expression. */

import { delimiter } from '../../../src/framing/delimited/delimiter.ts';
import { fc } from '../../support/fast-check.ts';
import { Account, type Reference } from '../reference.ts';
import { joined, messageOf, notText, text } from './pieces.ts';
import type { Subject } from './subject.ts';

const quoted = (mark: string) =>
  mark.replace(/./gs, (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`);

function read(delimiters: readonly string[]): Reference {
  const longestFirst = delimiters.toSorted((a, b) => b.length - a.length);
  const any = new RegExp(longestFirst.map(quoted).join('|'));
  const longest = longestFirst[0]?.length ?? 0;
  return (input, options) => {
    const account = new Account(options);
    let rest = input.toString('latin1');
    const isOpen = (found: string) =>
      rest.endsWith(found) && longestFirst.some((one) => one !== found && one.startsWith(found));
    for (let match = any.exec(rest); match && !account.closed; match = any.exec(rest)) {
      const end = match.index + match[0].length;
      if (end === rest.length && isOpen(match[0])) break;
      account.message(Buffer.from(rest.slice(0, match.index), 'latin1'));
      rest = rest.slice(end);
    }
    if (account.closed || rest === '') return account.end();
    const payload = Buffer.from(rest.slice(0, any.exec(rest)?.index), 'latin1');
    if (rest.length > options.maxMessageLength + longest) account.tooLong();
    if (rest.length > options.maxMessageLength + longest) return account.end();
    account.end();
    account.message(payload);
    return account.events;
  };
}

/** The property tests of several delimiters, each text of bytes. */
export function delimitersSubject(...delimiters: string[]): Subject {
  const bytes = delimiters.map((one) => Buffer.from(one, 'latin1'));
  const [first, ...others] = bytes;
  const framing = delimiter(first as Buffer, ...others);
  const parts = bytes.flatMap((one) => Array.from(one, (_, at) => one.subarray(0, at + 1)));
  const hasPrefixes = delimiters.some((one) => delimiters.includes(one.slice(0, -1)));
  return {
    name: framing.name,
    framing,
    reference: read(delimiters),
    // Where one begins with another, the messages around decide too.
    framesOf: (body) => (hasPrefixes ? [] : bytes.map((end) => Buffer.concat([body, end]))),
    message: messageOf(...parts),
    input: joined(
      fc.oneof(
        { weight: 8, arbitrary: fc.constantFrom(...text, ...parts, Buffer.alloc(9, 'z')) },
        { weight: 6, arbitrary: fc.constantFrom(...bytes) },
        { weight: 1, arbitrary: fc.constantFrom(...notText) },
        { weight: 1, arbitrary: fc.uint8Array({ maxLength: 4 }) },
      ),
      30,
    ),
  };
}
