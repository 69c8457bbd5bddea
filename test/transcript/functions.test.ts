/** What stands in braces: widths, defaults, functions, the environment, and values that are generated. */
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import {
  bytesOf,
  contentDifference,
  matches,
  parseEscaped,
  parseHex,
  parseJsonContent,
  parsePlain,
} from '../../src/transcript/content.ts';
import { parseMessage, partsOf } from '../../src/transcript/message-line.ts';
import { type ValueSources, Values } from '../../src/transcript/values.ts';
import { fc } from '../support/fast-check.ts';

const clock: ValueSources = {
  now: () => new Date('2026-03-05T07:08:09.012Z'),
  random: (size) => Uint8Array.from({ length: size }, (_, index) => index * 7),
  environment: { HOME: '/home/ada', EMPTY: '' },
};
const valuesOf = (values: Record<string, string | Uint8Array> = {}) => new Values({ ...clock, given: values });
const sent = (text: string, values?: Record<string, string>) => bytesOf(parsePlain(text), valuesOf(values))?.toString();
const sentHex = (text: string, values?: Record<string, string | Uint8Array>) =>
  bytesOf(parseHex(text), valuesOf(values))?.toString('hex');
/** The values of names after a message was compared; undefined if it differs. */
function received(form: 'text' | 'hex', line: string, bytes: string | Uint8Array, given?: Record<string, string>) {
  const values = valuesOf(given);
  const content = form === 'text' ? parsePlain(line) : parseHex(line);
  if (!matches(content, Buffer.from(bytes), values)) return undefined;
  return Object.fromEntries(
    [...values.captured].map(([name, value]) => [name, Buffer.from(value).toString(form === 'hex' ? 'hex' : 'utf8')]),
  );
}

describe('a message to send', () => {
  it.each([
    ['{now:iso}', '2026-03-05T07:08:09.012Z'],
    ['{now}', '2026-03-05T07:08:09.012Z'],
    ['{now:unix}', '1772694489'],
    ['{now:ms}', '1772694489012'],
    ['{now:http}', 'Thu, 05 Mar 2026 07:08:09 GMT'],
    ['MSH|{now:%Y%m%d%H%M%S}|', 'MSH|20260305070809|'],
    ['{now:%d.%m.%y %H:%M:%S.%L %a %b %%}', '05.03.26 07:08:09.012 Thu Mar %'],
    ['{uuid}', '00070e15-1c23-4a31-b83f-464d545b6269'],
    ['{random:4}', '07el'],
    ['{env:HOME}/x', '/home/ada/x'],
    ['{env:EMPTY}', ''],
    ['{env:NONE=a {env:HOME}}', 'a /home/ada'],
    ['{xor:GPGLL,5300.97914,N,00259.98174,E,125926,A}', '28'],
    ['{XOR:GPGGA,092750.000,5321.6802,N,00630.3372,W,1,8,1.03,61.7,M,55.2,M,,}', '76'],
    ['{sum8:abc}', '26'],
    ['{crc16:123456789}', '4b37'],
    ['{CRC16:123456789}', '4B37'],
    ['{crc32:123456789}', 'cbf43926'],
    ['{md5:abc}', createHash('md5').update('abc').digest('hex')],
    ['{sha1:abc}', createHash('sha1').update('abc').digest('hex')],
    ['{sha256:abc}', createHash('sha256').update('abc').digest('hex')],
    ['{length:grün}', '5'],
    ['{base64:user:pass}', 'dXNlcjpwYXNz'],
    ['{length:{"a":1}}', '7'],
    ['{name=none}', 'none'],
    ['{name=}', ''],
    ['{name={"a":{}}}', '{"a":{}}'],
  ])('%s is %s', (text, expected) => {
    expect(sent(text)).toBe(expected);
  });

  it.each([
    ['{md5:{user}:{pass}}', { user: 'a', pass: 'b' }, createHash('md5').update('a:b').digest('hex')],
    ['{user=nobody}', { user: 'Ada' }, 'Ada'],
    ['{user:9=nobody}', { user: 'Ada' }, 'Ada'],
    ['{other={user} {user}}', { user: 'Ada' }, 'Ada Ada'],
    ['{uuid} {now}', { uuid: 'u', now: 'n' }, 'u n'],
  ])('%s with %j is %s', (text, values, expected) => {
    expect(sent(text, values as unknown as Record<string, string>)).toBe(expected);
  });

  it.each(['{name}', '{length:{name}}', '{other={name}}', '{env:NONE}'])('%s has no bytes without a value', (text) => {
    expect(sent(text)).toBeUndefined();
  });

  it.each([
    ['{id} 00', '10ff00'],
    ['{crc16: 01 03 00 00 00 0a}', 'c5cd'],
    ['{crc32:31 32 33 34 35 36 37 38 39}', 'cbf43926'],
    ['{length:{id}}', '02'],
    ['{length:2:{id}}', '0002'],
    ['{length:4:{id} 00}', '00000003'],
    ['{xor: 0f f0 {id}}', '10'],
    ['{base64: 00}', Buffer.from('AA==').toString('hex')],
    ['{x=0a 0b}{x}', '0a0b0a0b'],
    ['{random:3}', '00070e'],
  ])('%s in a hexadecimal line is %s', (text, expected) => {
    expect(sentHex(text, { id: Uint8Array.of(0x10, 0xff) })).toBe(expected);
  });

  it('the CRCs are those of zlib and Modbus for any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        const crc = bytesOf(parseHex('{crc32:{a}}'), valuesOf({ a: bytes }))?.readUInt32BE();
        expect(crc).toBe(crc32(bytes));
        // A frame that ends with its CRC has the CRC zero.
        const own = bytesOf(parseHex('{a}{crc16:{a}}'), valuesOf({ a: bytes })) ?? Buffer.alloc(0);
        expect(bytesOf(parseHex('{crc16:{a}}'), valuesOf({ a: own }))?.toString('hex')).toBe('0000');
      }),
    );
  });

  it('has the value of a default from then on, but a new UUID each time', () => {
    const values = new Values();
    const first = bytesOf(parsePlain('{id={random:8}}'), values)?.toString();
    expect(first).toMatch(/^[0-9a-z]{8}$/);
    expect(bytesOf(parsePlain('{id} {id=x}'), values)?.toString()).toBe(`${first} ${first}`);
    const uuids = new Set(Array.from({ length: 20 }, () => bytesOf(parsePlain('{uuid}'), values)?.toString()));
    expect(uuids.size).toBe(20);
  });

  it('random letters and digits are all as likely', () => {
    const text = bytesOf(parsePlain('{random:9999}'), new Values())?.toString() ?? '';
    expect(text).toMatch(/^[0-9a-z]{9999}$/);
    expect(new Set(text).size).toBe(36);
  });

  it('a length that does not fit is an error', () => {
    expect(() => sentHex('{length:{a}}', { a: new Uint8Array(256) })).toThrow(/of 256 bytes does not fit into a byte/);
    expect(sentHex('{length:2:{a}}', { a: new Uint8Array(256) })).toBe('0100');
  });
});

describe('an expected message', () => {
  it.each([
    ['id={id:2};', 'id=ab;', { id: 'ab' }],
    ['{a:1}{b:2}{c}', 'xyzrest', { a: 'x', b: 'yz', c: 'rest' }],
    ['{a}{b:2}', 'restyz', { a: 'rest', b: 'yz' }],
    ['{a}-{b:2}-x', 'p-q-12-x', { a: 'p-q', b: '12' }],
    ['id={id:2};', 'id=abc;', undefined],
    ['{a=none}', 'some', { a: 'some' }],
    ['{a:2=none}', 'some', undefined],
    ['*{sum}', '*{crc}', { sum: '{crc}' }],
    ['${body}*{XOR:{body}}', '$AB*03', { body: 'AB' }],
    ['${body}*{XOR:{body}}', '$A*B*29', { body: 'A*B' }],
    ['${body}*{XOR:{body}}', '$AB*04', undefined],
    ['{length:{body}} {body}', '5 hello', { body: 'hello' }],
    ['{length:{body}} {body}', '6 hello', undefined],
    ['at {now:%H:%M} {rest}', 'at 23:59 ok', { rest: 'ok' }],
    ['at {now:%H:%M} {rest}', 'at 9:59 ok', undefined],
    ['{now:iso}', '2026-01-01T00:00:00.000Z', {}],
    ['{now:iso}', '2026-01-01T00:00:00Z', undefined],
    ['<{random:3}>', '<a0z>', {}],
    ['<{random:3}>', '<a0>', undefined],
    ['{uuid}', 'anything', { uuid: 'anything' }],
    ['{env:HOME}', '/home/ada', {}],
    ['{env:NONE}', '', undefined],
    ['{env:NONE=x}', 'x', {}],
    ['{a}{a}', 'abab', { a: 'ab' }],
    ['{a}{a}', 'aba', undefined],
    ['{md5:{secret}}', createHash('md5').update('x').digest('hex'), {}],
  ])('%s beside %j gives %j', (line, text, expected) => {
    expect(received('text', line, text, { secret: 'x' })).toEqual(expected);
  });

  it.each([
    ['00 {id:2} {len:1} {body}', '00abcd01ff', { id: 'abcd', len: '01', body: 'ff' }],
    ['{id:2} 00 {crc16:{id} 00}', 'ffff00f05c', { id: 'ffff' }],
    ['{id:2} 00 {crc16:{id} 00}', 'ffff00f05d', undefined],
    ['{length:2:{body}}{body}', '000361fe63', { body: '61fe63' }],
    ['{random:2} 01', '00ff01', {}],
  ])('%s beside %s gives %j', (line, hex, expected) => {
    const bytes = Buffer.from(hex, 'hex');
    if (line.includes('crc16') && expected) bytes.set(bytesOf(parseHex('{crc16: ff ff 00}'), new Values()) ?? [], 3);
    expect(received('hex', line, bytes)).toEqual(expected);
  });

  it('captures any bytes by width and between other bytes', () => {
    const bytes = fc.uint8Array({ maxLength: 12 });
    fc.assert(
      fc.property(bytes, fc.uint8Array({ minLength: 1, maxLength: 9 }), bytes, (before, captured, after) => {
        const values = new Values({ given: { before, after } });
        const content = parseEscaped(`{before}{found:${captured.length}}{after}`);
        const message = Buffer.concat([before, captured, after]);
        expect(matches(content, message, values)).toBe(true);
        expect(Buffer.from(values.get('found') ?? []).equals(captured)).toBe(true);
        expect(bytesOf(content, values)?.equals(message)).toBe(true);
      }),
    );
  });

  it('what is sent is what is expected, for any order of names with and without width', () => {
    const piece = fc.oneof(
      fc.record({ name: fc.constantFrom('a', 'b', 'c'), hasWidth: fc.boolean() }),
      fc.uint8Array({ minLength: 1, maxLength: 3 }),
    );
    const value = fc.uint8Array({ minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 7 }), fc.tuple(value, value, value), (pieces, [a, b, c]) => {
        const given: Record<string, Uint8Array> = { a, b, c };
        const line = pieces
          .map((one) =>
            one instanceof Uint8Array
              ? Buffer.from(one).toString('hex')
              : `{${one.name}${one.hasWidth ? `:${given[one.name]?.length}` : ''}}`,
          )
          .join(' ');
        const message = bytesOf(parseHex(line), new Values({ given })) ?? Buffer.alloc(0);
        const values = new Values();
        expect(matches(parseHex(line), message, values)).toBe(true);
        // Whatever it found in the places of the names, it gives the same bytes.
        expect(bytesOf(parseHex(line), values)?.equals(message)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('names capture what lazy groups of a regular expression would, with widths and repeated names too', () => {
    const piece = fc.constantFrom('a', 'b', 'ab', '{x}', '{y}', '{z}', '{x:1}', '{y:2}', '{z:3}');
    const text = fc.array(fc.constantFrom('a', 'b'), { maxLength: 9 }).map((letters) => letters.join(''));
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 6 }), text, (pieces, bytes) => {
        const seen = new Set<string>();
        const source = pieces.map((one) =>
          one.replace(/\{(.)(?::(.))?\}/, (_, name: string, width?: string) => {
            if (seen.has(name)) return `\\k<${name}>`;
            seen.add(name);
            return `(?<${name}>.${width === undefined ? '*?' : `{${width}}`})`;
          }),
        );
        const expected = new RegExp(`^${source.join('')}$`).exec(bytes);
        expect(received('text', pieces.join(''), bytes)).toEqual(expected ? { ...expected.groups } : undefined);
      }),
      { numRuns: 3000 },
    );
  });

  it('no value changes if the message differs', () => {
    const values = new Values();
    expect(matches(parsePlain('{a:2}-{b}!'), Buffer.from('xy-z'), values)).toBe(false);
    expect(values.captured.size).toBe(0);
  });

  it('takes little time for many names in a long message', () => {
    const bytes = Buffer.alloc(100_000, ' ');
    expect(matches(parsePlain('{a} {b:3} {c} {d:2} {e} end'), bytes, new Values())).toBe(false);
    expect(matches(parsePlain('{a} {b} {a} {c} {b} end'), Buffer.alloc(2000, ' '), new Values())).toBe(false);
  });
});

describe('a long line', () => {
  const size = 2_000_000;
  it.each([
    ['text', 'a'.repeat(size)],
    ['braces that begin nothing', '{'.repeat(size / 10)],
    ['names with a default that are not closed', '{a= '.repeat(size / 100)],
    ['the same before a closed one', `${'{a= '.repeat(40)}{b}`],
    ['JSON', `{"a":"${'a'.repeat(size)}"}`],
  ])('is read as it is: %s', (_, text) => {
    expect(bytesOf(parsePlain(text), valuesOf({ b: '{b}' }))?.toString() === text).toBe(true);
  });

  it('is read with escapes, in hexadecimal digits, as a header and as JSON', () => {
    const long = 'a'.repeat(size);
    expect(bytesOf(parseEscaped('\\n'.repeat(size / 100)), new Values())?.length).toBe(size / 100);
    expect(bytesOf(parseHex('00 '.repeat(size / 4)), new Values())?.length).toBe(size / 4);
    expect(partsOf(parseMessage(`h\\ ${long}\\| | x`), new Values())?.header?.length).toBe(size + 1);
    const json = contentDifference(parseJsonContent('{"a":"{x}"}'), Buffer.from(`{"a":"${long}\\n"}`), new Values());
    expect(json).toBeUndefined();
  });
});

describe('a pattern', () => {
  const groups = (line: string, bytes: Uint8Array) => {
    const values = new Values();
    return matches(parsePlain(line), bytes, values)
      ? Object.fromEntries([...values.captured].map(([name, value]) => [name, Buffer.from(value).toString('hex')]))
      : undefined;
  };

  it('captures the same bytes as they are, UTF-8 or not', () => {
    const anyBytes = fc.oneof(fc.uint8Array({ maxLength: 20 }), fc.string({ unit: 'binary' }).map(Buffer.from));
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        expect(groups('/^(?<all>[^]*)$/', bytes)).toEqual({ all: Buffer.from(bytes).toString('hex') });
      }),
    );
    expect(groups('/^.(?<rest>.*)$/s', Buffer.of(0xff, 0xfe, 0x41))).toEqual({ rest: 'fe41' });
    // Half of a character is not lost either.
    expect(groups('/^(?<first>.)/', Buffer.from('😀'))).toEqual({ first: 'f0' });
    expect(groups('/^(?<first>.)/u', Buffer.from('😀'))).toEqual({ first: 'f09f9880' });
  });
});
