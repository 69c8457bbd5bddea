/** JSON in transcripts: compared by value, with names in it, and without what is ignored. */

import { describe, expect, it } from 'vitest';
import { parseJsonPath } from '../../src/transcript/content/json-path.ts';
import { bytesOf, contentDifference, parseJsonContent } from '../../src/transcript/content.ts';
import { Values } from '../../src/transcript/values.ts';
import { fc } from '../support/fast-check.ts';

interface Comparing {
  readonly given?: Record<string, string>;
  readonly ignore?: readonly string[];
}

/** What differs, else the values of names. */
function compare(template: string, received: string | Uint8Array, { given, ignore = [] }: Comparing = {}) {
  const values = new Values({ given });
  values.ignore(ignore.map(parseJsonPath));
  const difference = contentDifference(parseJsonContent(template), Buffer.from(received), values);
  const captured = [...values.captured].map(([name, value]) => [name, Buffer.from(value).toString()]);
  return difference ?? Object.fromEntries(captured);
}

describe('an expected JSON message', () => {
  it.each([
    ['{"a":1,"b":[true,null]}', ' { "b" : [ true , null ], "a" : 1.0 } ', {}],
    ['{"a":1}', '{"a":2}', '$.a is 2 and not 1'],
    ['{"a":1}', '{"a":"1"}', '$.a is "1" and not 1'],
    ['{"a":1}', '{}', '$.a is missing'],
    ['{}', '{"a":{"b":1}}', '$.a is {"b":1}, and not expected'],
    ['[1,2]', '[1]', '$[1] is missing'],
    ['[1]', '[1,2]', '$[1] is 2, and not expected'],
    ['[1,2]', '[2,1]', '$[0] is 2 and not 1'],
    ['{"a b":[{"c":1}]}', '{"a b":[{"c":null}]}', '$["a b"][0].c is null and not 1'],
    ['1e2', '100', {}],
    ['-0', '0', {}],
    ['0.10', '1e-1', {}],
    ['9007199254740993', '9007199254740992', '$ is 9007199254740992 and not 9007199254740993'],
    ['1e400', '1e401', '$ is 1e401 and not 1e400'],
    ['"\\u00e9\\n\\ud83d\\ude00"', '"é\\n😀"', {}],
    ['""', '"x"', '$ is "x" and not ""'],
    ['{"id":{id},"t":"a{t}b"}', '{"t":"a-b","id":{"x":[1]}}', { id: '{"x":[1]}', t: '-' }],
    ['{"id":{id}}', '{"id":"x"}', { id: '"x"' }],
    ['{"id":"{id}"}', '{"id":"x\\n"}', { id: 'x\n' }],
    ['{"id":"{id}"}', '{"id":5}', '$.id is 5 and not "{id}"'],
    ['{"id":"{id:2}{rest}"}', '{"id":"abc"}', { id: 'ab', rest: 'c' }],
    ['[{id},{id}]', '[1,1.0]', { id: '1' }],
    ['[{id},{id}]', '[1,2]', '$[1] is 2 and not 1'],
    ['{"a":{now:unix},"b":"{now:%Y}","c":{random:3}}', '{"a":1772694489,"b":"1999","c":"abc"}', {}],
    ['{"b":"{now:%Y}"}', '{"b":"199"}', '$.b is "199" and not "{now:%Y}"'],
    ['{"a":{now:unix}}', '{"a":true}', '$.a is true and not {now:unix}'],
    ['"a\\{b}"', '"a{b}"', {}],
    ['{"a":1}', 'hello', 'not JSON: expected a JSON value, at character 1'],
    ['{"a":1}', '{"a":1,"a":1}', 'not JSON: the key "a" occurs twice, at character 8'],
    ['{"a":1}', '{"a":1}}', 'not JSON: expected the end of the JSON value, at character 8'],
    ['{"a":1}', Uint8Array.of(0x22, 0xff, 0x22), 'not JSON: it is not UTF-8'],
  ])('%s beside %s', (template, received, expected) => {
    expect(compare(template, received)).toEqual(expected);
  });

  it.each([
    ['{"id":{id}}', '{"id":5}', {}],
    ['{"id":{id}}', '{"id":"5"}', '$.id is "5" and not 5'],
    ['{"id":"{id}"}', '{"id":"5"}', {}],
    ['{"t":{t}}', '{"t":"a b"}', {}],
    ['{"o":{o}}', '{"o":{"b":2,"a":1}}', {}],
  ])('%s beside %s when the names have values', (template, received, expected) => {
    expect(compare(template, received, { given: { id: '5', t: 'a b', o: '{"a":1, "b":2}' } })).toEqual(expected);
  });

  it.each([
    ['{"a":1}', '{"a":1,"time":5}', ['$.time'], {}],
    ['{"a":1,"time":4}', '{"a":1}', ['$.time'], {}],
    ['{"a":1,"time":4}', '{"a":2,"time":5}', ['$.time'], '$.a is 2 and not 1'],
    ['[{"id":1,"a":1}]', '[{"id":2,"a":1}]', ['$[*].id'], {}],
    ['[{"id":1,"a":1}]', '[{"id":2,"a":1},{"id":3}]', ['$[*].id'], '$[1] is {"id":3}, and not expected'],
    ['{"x":{"y":[{"id":1}]},"id":1}', '{"x":{"y":[{"id":2}]},"id":3}', ['$..id'], {}],
    ['{"x":{"id":1}}', '{"x":{"id":2}}', ['$.id'], '$.x.id is 2 and not 1'],
    ['{"x":{"a.b":1}}', '{"x":{"a.b":2}}', ["$.x['a.b']"], {}],
    ['{"x":[1,2]}', '{"x":[1,3]}', ['$.x[1]'], {}],
    ['{"a":1,"b":1}', '{"a":2,"b":2}', ['$.a', '$.b'], {}],
    ['{"x":{"y":1,"z":1}}', '{"x":{"y":2,"z":2}}', ['$.x.*'], {}],
  ])('%s beside %s without %j', (template, received, ignore, expected) => {
    expect(compare(template, received, { ignore })).toEqual(expected);
  });

  it('no value changes if the message differs', () => {
    const values = new Values();
    expect(contentDifference(parseJsonContent('[{a},1]'), Buffer.from('[5,2]'), values)).toBeDefined();
    expect(values.captured.size).toBe(0);
  });

  it('any value equals itself in another order and with spaces, and no other value', () => {
    const spaced = (value: unknown): string => {
      if (Array.isArray(value)) return `[ ${value.map(spaced).join(' , ')} ]`;
      if (typeof value !== 'object' || value === null) return ` ${JSON.stringify(value)}\n`;
      const members = Object.entries(value).reverse();
      return `{ ${members.map(([key, member]) => `${JSON.stringify(key)} : ${spaced(member)}`).join(',\t')} }`;
    };
    // In a template a brace in a string may begin a name.
    const inTemplate = (value: unknown) =>
      JSON.stringify(value, (_, one: unknown) => (typeof one === 'string' ? one.replaceAll('{', '(') : one));
    const received = (value: unknown) => spaced(JSON.parse(inTemplate(value)));
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (one, other) => {
        expect(compare(inTemplate(one), received(one))).toEqual({});
        const isSame = canonical(JSON.parse(inTemplate(one))) === canonical(JSON.parse(inTemplate(other)));
        expect(typeof compare(inTemplate(one), received(other))).toBe(isSame ? 'object' : 'string');
      }),
      { numRuns: 500 },
    );
  });

  it('refuses what is nested too deeply, instead of overflowing', () => {
    expect(compare('1', '['.repeat(100_000))).toMatch(/not JSON: more than 500 arrays and objects/);
  });
});

/** A text that is the same for equal values. */
function canonical(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const members = Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}:${canonical(member)}`);
  return `{${members.sort().join()}}`;
}

describe('a JSON message to send', () => {
  const sent = (template: string, given: Record<string, string> = {}) =>
    bytesOf(parseJsonContent(template), new Values({ given, environment: {} }))?.toString();

  it.each([
    ['{ "a": 1.50, "b": [ ] }', {}, '{"a":1.50,"b":[]}'],
    ['{"id":{id}}', { id: '5' }, '{"id":5}'],
    ['{"id":"{id}"}', { id: '5' }, '{"id":"5"}'],
    ['{"id":{id}}', { id: 'five "5"' }, '{"id":"five \\"5\\""}'],
    ['{"id":"<{id}>"}', { id: 'a"\n' }, '{"id":"<a\\"\\n>"}'],
    ['{"id":{id}}', { id: '{"x": 1}' }, '{"id":{"x":1}}'],
    ['{"id":{id=7},"again":{id}}', {}, '{"id":7,"again":7}'],
    ['{"n":{length:abc},"d":"{md5:a}"}', {}, '{"n":3,"d":"0cc175b9c0f1b6a831c399e269772661"}'],
    ['["\\{id}"]', {}, '["{id}"]'],
    ['[{id}]', {}, undefined],
    ['["{id}"]', {}, undefined],
    ['{"a":{env:NONE}}', {}, undefined],
  ])('%s with %j', (template, given, expected) => {
    expect(sent(template, given as Record<string, string>)).toBe(expected);
  });
});

it.each([
  ['{"a":}', 5, /expected a JSON value/],
  ['{a :1}', 1, /expected a key in double quotes/],
  ['{"a" 1}', 5, /expected : after a key/],
  ['{"a":1 "b":2}', 7, /expected , or }/],
  ['[1 2]', 3, /expected , or ]/],
  ['[1,]', 3, /expected a JSON value/],
  ['01', 1, /expected the end/],
  ['"a', 2, /expected " at the end/],
  ['"\\q"', 1, /unknown escape in a JSON string/],
  ['"\\ud800"', 1, /half of a character/],
  ['{"a":1,"a":2}', 7, /the key "a" occurs twice/],
  ['', 0, /expected a JSON value/],
  ['{"t":"{now:%Q}"}', 11, /unknown "%Q" in a time/],
])('%s is an error at its place', (template, at, problem) => {
  expect(() => parseJsonContent(template)).toThrow(
    expect.objectContaining({ at, message: expect.stringMatching(problem) }),
  );
});

it.each([
  ['id', 0, /starts with \$/],
  ['$', 0, /name a part of it/],
  ['$.', 1, /cannot read "\."/],
  ['$..', 1, /cannot read "\.\."/],
  ['$...b', 1, /cannot read "\.\.\.b"/],
  ['$.a*', 3, /cannot read "\*"/],
  ['$.a[', 3, /cannot read "\["/],
  ['$a', 1, /cannot read "a"/],
])('%s is no JSON path', (path, at, problem) => {
  expect(() => parseJsonPath(path)).toThrow(expect.objectContaining({ at, message: expect.stringMatching(problem) }));
});
