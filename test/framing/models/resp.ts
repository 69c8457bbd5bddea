/** The framing `resp` again: recursive, over the whole input. */

import { resp } from '../../../src/framing/grouped/resp.ts';
import { fc } from '../../support/fast-check.ts';
import { Account, type Reference } from '../reference.ts';
import { inputOf, messageOf } from './pieces.ts';
import type { Subject } from './subject.ts';

/** The value ends behind the input; where, if that is known. */
class Unfinished extends Error {
  readonly end: number | undefined;
  /** How many bytes tell it. */
  readonly toldBy: number;
  constructor(end?: number, toldBy = 0) {
    super();
    this.end = end;
    this.toldBy = toldBy;
  }
}

/** A wrong byte, found once the byte at `seen` has arrived. */
class Wrong extends Error {
  readonly at: number;
  readonly seen: number;
  /** Where the value would end, and how many bytes tell that, if it is the end of a string. */
  readonly end: number | undefined;
  readonly toldBy: number;
  constructor(at: number, seen = at, end?: number, toldBy = 0) {
    super();
    this.at = at;
    this.seen = seen;
    this.end = end;
    this.toldBy = toldBy;
  }
}

const lines: Readonly<Record<string, RegExp>> = {
  '+': /^[^\r\n]*/,
  '-': /^[^\r\n]*/,
  ',': /^[^\r\n]*/,
  ':': /^[+-]?\d+/,
  '(': /^[+-]?\d+/,
  '#': /^[tf]/,
  _: /^/,
};

/** @param isStrict whether the contents of lines count */
class Parser {
  readonly #text: string;
  readonly #isStrict: boolean;
  constructor(text: string, isStrict: boolean) {
    this.#text = text;
    this.#isStrict = isStrict;
  }

  /** Where the value at `at` ends. @throws Unfinished, Wrong */
  value(at: number, depth: number): number {
    const type = this.#text[at];
    if (type === undefined) throw new Unfinished();
    if (type in lines) return this.#line(at, type);
    if ('$!='.includes(type)) return this.#string(at, type);
    if (!'*~>%|'.includes(type)) throw new Wrong(at);
    const { length, end } = this.#length(at + 1, type === '*' ? '-1' : '', '*~%'.includes(type));
    const factor = type === '%' || type === '|' ? 2 : 1;
    if (length === 0 && type === '|') return this.value(end, depth);
    if (length !== 0 && length !== -1 && depth === 1024) throw new Wrong(at, end - 1);
    if (length === '?') return this.#streamed(end, factor, depth);
    let next = end;
    for (let left = Math.max(0, length) * factor; left > 0; left--) {
      next =
        left === 1 && type !== '|' ? this.value(next, depth + 1) : this.#notLast(() => this.value(next, depth + 1));
    }
    return type === '|' ? this.value(next, depth) : next;
  }

  #notLast(read: () => number): number {
    try {
      return read();
    } catch (error) {
      if (error instanceof Unfinished) throw new Unfinished();
      throw error instanceof Wrong ? new Wrong(error.at, error.seen) : error;
    }
  }

  #line(at: number, type: string): number {
    const end = this.#text.indexOf('\n', at);
    if (end === -1) throw new Unfinished();
    if (!this.#isStrict) {
      if (this.#text[end - 1] !== '\r') throw new Wrong(end);
      return end + 1;
    }
    const line = this.#text.slice(at + 1, end);
    const lone = line.indexOf('\r');
    if (lone !== -1 && lone < line.length - 1) throw new Wrong(at + lone + 2, end);
    if (!line.endsWith('\r')) throw new Wrong(end);
    const [right = ''] = lines[type]?.exec(line) ?? [];
    if (right.length < line.length - 1 || lines[type]?.exec(line) === null) {
      const sign = /^[+-]?/.exec(line)?.[0].length ?? 0;
      const isNumber = type === ':' || type === '(';
      throw new Wrong(at + 1 + (right === '' && isNumber ? sign : right.length), end);
    }
    return end + 1;
  }

  #string(at: number, type: string): number {
    const { length, end } = this.#length(at + 1, type === '$' ? '-1' : '', type === '$');
    if (length === -1) return end;
    if (length !== '?') return this.#bytes(end, length);
    for (let next = end; ; ) {
      if (this.#text[next] === undefined) throw new Unfinished();
      if (this.#text[next] !== ';') throw new Wrong(next);
      const part = this.#length(next + 1, '', false);
      if (part.length === 0) return part.end;
      next = this.#notLast(() => this.#bytes(part.end, part.length as number));
    }
  }

  #bytes(start: number, size: number): number {
    const end = start + size;
    for (const [at, char] of [...'\r\n'].entries()) {
      const found = this.#text[end + at];
      if (found === undefined) throw new Unfinished(end + 2, start);
      if (found !== char) throw new Wrong(end + at, end + at, end + 2, start);
    }
    return end + 2;
  }

  #streamed(start: number, factor: number, depth: number): number {
    let next = start;
    for (let count = 0; ; count++) {
      // After an attribute, there must be a value.
      if (this.#text[next] === '.') {
        if (count % factor !== 0) throw new Wrong(next);
        return this.#literal(next + 1, '\r\n');
      }
      next = this.#notLast(() => this.value(next, depth + 1));
    }
  }

  #literal(at: number, expected: string): number {
    for (let index = 0; index < expected.length; index++) {
      const found = this.#text[at + index];
      if (found === undefined) throw new Unfinished();
      if (found !== expected[index]) throw new Wrong(at + index);
    }
    return at + expected.length;
  }

  #length(at: number, nullForm: string, isStreamable: boolean): { length: number | '?'; end: number } {
    if (isStreamable && this.#text[at] === '?') return { length: '?', end: this.#literal(at + 1, '\r\n') };
    if (nullForm !== '' && this.#text[at] === '-') return { length: -1, end: this.#literal(at, '-1\r\n') };
    const digits = /^\d*/.exec(this.#text.slice(at, at + 16))?.[0] ?? '';
    if (digits.length === 16) throw new Wrong(at + 15);
    if (at + digits.length === this.#text.length) throw new Unfinished();
    if (digits === '') throw new Wrong(at);
    return { length: Number(digits), end: this.#literal(at + digits.length, '\r\n') };
  }
}

function read(name: string, isInline: boolean): Reference {
  return (input, options) => {
    const account = new Account(options);
    const limit = options.maxMessageLength;
    const maxFrame = isInline ? limit + 2 : limit;
    const invalid = (number: number, at: number) =>
      account.fault(
        `YODEL_INVALID_FRAME: message ${number} is not a valid frame of the framing "${name}": at byte ${at + 1}`,
      );
    for (let rest = input.toString('latin1'); rest !== '' && !account.closed; ) {
      const line = isInline ? /^(?![+\-:$*_#,(!=%~>|])[^\n]*\n?/.exec(rest)?.[0] : undefined;
      if (line?.endsWith('\n')) {
        const text = line.replace(/\r?\n$/, '');
        if (text !== '') account.message(Buffer.from(text, 'latin1'));
        rest = rest.slice(line.length);
        continue;
      }
      const result = line === undefined ? parse(rest, true) : new Unfinished();
      if (typeof result === 'number') {
        account.message(Buffer.from(rest.slice(0, result), 'latin1'));
        rest = rest.slice(result);
        continue;
      }
      if (result.end !== undefined && result.toldBy <= maxFrame && result.end > limit) {
        account.tooLong();
        if (account.closed) break;
        const inside = `fault: YODEL_UNFINISHED_FRAME: input ended inside a discarded message, in message ${account.number}`;
        if (result.end > rest.length) return [...account.end(), inside];
        rest = rest.slice(result.end);
        continue;
      }
      if (result instanceof Wrong && result.seen < maxFrame) {
        invalid(account.number + 1, result.at);
        break;
      }
      if (rest.length <= maxFrame) {
        account.end();
        account.unfinished(rest.length);
        return account.events;
      }
      account.tooLong();
      if (account.closed) break;
      const skipped = result instanceof Wrong ? parse(rest, false) : result;
      if (skipped instanceof Wrong) invalid(account.number, skipped.at);
      if (typeof skipped !== 'number') break;
      rest = rest.slice(skipped);
    }
    return account.end();
  };
}

function parse(text: string, isStrict: boolean): number | Unfinished | Wrong {
  try {
    return new Parser(text, isStrict).value(0, 0);
  } catch (error) {
    if (error instanceof Unfinished || error instanceof Wrong) return error;
    throw error;
  }
}

const { value: anyValue } = fc.letrec<{ value: string }>((tie) => {
  const simple = fc.constantFrom(
    '+OK',
    '-ERR x',
    ':-1',
    '_',
    '#t',
    ',1.5',
    '(12345',
    '$-1',
    '*-1',
    '$0\r\n',
    '$1\r\nx',
  );
  const string = fc.constantFrom('$2\r\né'.slice(0, 5), '=5\r\ntxt:x', '!1\r\n\n', '$?\r\n;1\r\nx\r\n;0', '$?\r\n;0');
  const list = (values: fc.Arbitrary<readonly string[]>, type: string, factor: number) =>
    values.map((all) => {
      const whole = all.slice(0, all.length - (all.length % factor));
      return `${type}${whole.length / factor}\r\n${whole.join('')}`;
    });
  const values = fc.array(tie('value'), { maxLength: 3 });
  return {
    value: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      simple.map((text) => `${text}\r\n`),
      string.map((text) => `${text}\r\n`),
      list(values, '*', 1),
      list(values, '~', 1),
      list(values, '>', 1),
      list(values, '%', 2),
      fc.tuple(list(values, '|', 2), tie('value')).map((pair) => pair.join('')),
      values.map((all) => `*?\r\n${all.join('')}.\r\n`),
      fc.tuple(tie('value'), tie('value')).map((pair) => `%?\r\n${pair.join('')}.\r\n`),
    ),
  };
});

function subject(isInline: boolean): Subject {
  const framing = resp({ inline: isInline });
  const value = anyValue.map((text) => Buffer.from(text, 'latin1'));
  const line = fc.constantFrom('PING', 'GET é', 'x', '').map((text) => Buffer.from(text));
  const special = [
    '\r\n',
    '\r',
    '*',
    '$',
    '*3\r\n',
    '$5\r\n',
    '%1\r\n',
    '|1\r\n',
    '+',
    ':',
    '1',
    '.\r\n',
    ';1\r\n',
    'x',
  ];
  // One byte of a value is wrong, or missing.
  const damaged = fc.tuple(value, fc.nat(), fc.constantFrom(...special, '')).map(([bytes, at, piece]) => {
    const where = at % bytes.length;
    return Buffer.concat([bytes.subarray(0, where), Buffer.from(piece), bytes.subarray(where + 1)]);
  });
  return {
    name: framing.name,
    framing,
    reference: read(framing.name, isInline),
    framesOf: (bytes) => ['', '\n', '\r\n'].map((end) => Buffer.concat([bytes, Buffer.from(end)])),
    message: fc.oneof(
      { weight: 6, arbitrary: value },
      { weight: isInline ? 3 : 1, arbitrary: line },
      { weight: 1, arbitrary: messageOf(...special) },
    ),
    input: inputOf(
      fc.oneof(
        { weight: 6, arbitrary: value },
        { weight: 3, arbitrary: damaged },
        { weight: 1, arbitrary: line.map((text) => Buffer.concat([text, Buffer.from('\r\n')])) },
      ),
      ...special,
    ),
    smallest: isInline ? 1 : 3,
    sized: (size) => (size < 3 ? Buffer.from('x'.repeat(size)) : Buffer.from(`+${'x'.repeat(size - 3)}\r\n`)),
  };
}

/** The property tests of `resp`. */
export const respSubjects: readonly Subject[] = [subject(false), subject(true)];
