import { describe, expect, it } from 'vitest';
import { syntaxProblem } from '../../src/codec/json/syntax.ts';
import { json } from '../../src/codec/json.ts';
import { decodeMessage, encodeValue } from '../../src/codec/values.ts';
import { Message } from '../../src/framing/message.ts';
import { fc } from '../support/fast-check.ts';
import { safeJson } from './values.ts';

const codec = json();
const decode = (payload: string | Uint8Array) => decodeMessage(codec, Message.of(payload));
const encode = (value: unknown) => encodeValue(codec, value);

describe('JSON', () => {
  it('gives back any value that it was given', () => {
    fc.assert(
      fc.property(safeJson, (value) => {
        expect(decode(encode(value) as string)).toEqual(value);
      }),
    );
  });

  it('is one line', () => {
    fc.assert(
      fc.property(safeJson, (value) => {
        expect(encode(value)).not.toMatch(/[\r\n]/);
      }),
    );
  });

  it.each([
    ['', 'not JSON: it ends too early'],
    ['{', 'not JSON: it ends too early'],
    ['"abc', 'not JSON: it ends too early'],
    ['{"a": x}', 'not JSON: unexpected "x" at character 7'],
    ['[1,]', 'not JSON: unexpected "]" at character 4'],
    ['{"a" 1}', 'not JSON: unexpected "1" at character 6'],
    ['nul', 'not JSON: it ends too early'],
    ['nulL', 'not JSON: unexpected "L" at character 4'],
    ['1 2', 'not JSON: unexpected "2" at character 3'],
    ['01', 'not JSON: unexpected "1" at character 2'],
    ['-', 'not JSON: it ends too early'],
    ['1.x', 'not JSON: unexpected "x" at character 3'],
    ['["a\tb"]', 'not JSON: unexpected "\\t" at character 4'],
    ['"\\x"', 'not JSON: unexpected "x" at character 3'],
    ['"\\u00g0"', 'not JSON: unexpected "g" at character 6'],
    ['{} 😀', 'not JSON: unexpected "😀" at character 4'],
    ['\ufeff{}', 'not JSON: unexpected "\ufeff" at character 1'],
  ])('refuses %j and says where', (text, reason) => {
    expect(() => decode(text)).toThrow(`invalid message: ${reason}`);
  });

  it('finds something wrong in exactly the texts that are not JSON', () => {
    const changed = fc
      .tuple(
        fc.json(),
        fc.nat(),
        fc.constantFrom('', ' ', '"', '\\', '{', '}', ']', ',', ':', '-', '.', 'e', '1', '\n', 'x'),
      )
      .map(([text, at, inserted]) => {
        const place = at % (text.length + 1);
        return text.slice(0, place) + inserted + text.slice(place + (at % 2));
      });
    fc.assert(
      fc.property(fc.oneof(changed, fc.string(), fc.json()), (text) => {
        expect(syntaxProblem(text) === undefined).toBe(isJson(text));
      }),
      { numRuns: 500 },
    );
  });

  it('refuses bytes that are not UTF-8, where the framing has let them pass', () => {
    expect(() => decode(Buffer.from('"\xff"', 'latin1'))).toThrow('invalid message: not JSON: it is not valid UTF-8');
    expect(decode('"\ufffd"')).toBe('\ufffd');
  });

  it.each([
    ['{"__proto__": {"admin": true}}', '__proto__'],
    ['{"a": [{"\\u005f_proto__": 1}]}', 'a[0].__proto__'],
    ['{"a": {"constructor": {"prototype": {"admin": true}}}}', 'a.constructor'],
  ])('refuses keys that could change prototypes: %s', (text, where) => {
    expect(() => decode(text)).toThrow(`invalid message: the key ${where} is not allowed`);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it('takes other keys and texts that look like these', () => {
    const value = { constructor: 'Smith', text: '__proto__', 'caf\u00e9': 1 };
    expect(decode(JSON.stringify(value))).toEqual(value);
    expect(decode('{"caf\\u00e9": "\\u005f_proto__"}')).toEqual({ café: '__proto__' });
  });

  it('keeps such keys, as keys like others, where it is told to', () => {
    const keeping = json(undefined, { unsafeKeys: 'keep' });
    const value = decodeMessage(keeping, Message.of('{"__proto__": {"admin": true}}')) as { admin?: unknown };
    expect(Object.keys(value)).toEqual(['__proto__']);
    expect(value.admin).toBeUndefined();
  });

  it('decodes what is nested as deeply as a message is long, and does not crash where that cannot be encoded', () => {
    const depth = 20_000;
    const text = '['.repeat(depth) + ']'.repeat(depth);
    let value: unknown;
    try {
      value = decode(text);
    } catch (error) {
      expect(error).toMatchObject({ code: 'YODEL_UNDECODABLE_MESSAGE' });
      return;
    }
    try {
      expect(encode(value)).toBe(text);
    } catch (error) {
      expect(error).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    }
    expect(() => decode(`${'{"a":'.repeat(depth)}{"__proto__":1}${'}'.repeat(depth)}`)).toThrow(
      'the key a.a.a.a.a … a.a.a.a.__proto__ is not allowed',
    );
  });

  const cycle: Record<string, unknown> = { name: 'a' };
  cycle.parts = [{ whole: cycle }];

  it.each([
    ['undefined', undefined, 'undefined is no JSON value'],
    ['a function', () => 1, 'a function is no JSON value'],
    ['NaN', Number.NaN, 'NaN is no JSON value'],
    ['NaN inside', { prices: [1, Number.NaN] }, 'NaN at prices[1] is no JSON value'],
    ['an infinite number', { a: { b: Number.NEGATIVE_INFINITY } }, '-Infinity at a.b is no JSON value'],
    ['undefined in an array', { list: [undefined] }, 'undefined at list[0] is no JSON value'],
    ['a map', { prices: new Map([['tea', 3]]) }, 'a Map at prices is no JSON value'],
    ['a set', [new Set([1])], 'a Set at [0] is no JSON value'],
    ['what was not awaited', { user: Promise.resolve('ada') }, 'a promise at user is no JSON value'],
    ['a bigint', 12n, '12n is no JSON value'],
    ['a bigint inside', { id: 12n }, '12n at id is no JSON value'],
    ['what contains itself', cycle, 'it contains itself at parts[0].whole'],
  ])('does not encode %s, and says where', (_what, value, reason) => {
    expect(() => encode(value)).toThrow(
      expect.objectContaining({
        code: 'YODEL_UNENCODABLE_MESSAGE',
        message: `the codec json cannot encode the value: ${reason}`,
      }),
    );
  });

  it('leaves out undefined properties, and lets values convert themselves', () => {
    expect(encode({ a: undefined, b: null, when: new Date(0) })).toBe('{"b":null,"when":"1970-01-01T00:00:00.000Z"}');
    expect(encode({ at: { toJSON: () => null, x: Number.NaN } })).toBe('{"at":null}');
    expect(encode({ empty: {}, counts: Object.assign(new Map(), { toJSON: () => ({}) }) })).toBe(
      '{"empty":{},"counts":{}}',
    );
    expect(() => encode({ toJSON: () => undefined })).toThrow('its toJSON() returns no JSON value');
  });

  it('encodes objects that convert themselves, also if they lead back to where they are', () => {
    class Model {
      readonly children: Model[] = [];
      readonly parent: Model | undefined;
      constructor(parent?: Model) {
        this.parent = parent;
        parent?.children.push(this);
      }
      toJSON() {
        return { id: 1 };
      }
    }
    const child = new Model(new Model());
    expect(encode({ note: null, child })).toBe('{"note":null,"child":{"id":1}}');
    expect(() => encode([{ count: 1n }, child])).toThrow('1n at [0].count is no JSON value');
  });

  it('names the options that it has', () => {
    expect(() => json(undefined, { invalidd: 'close' } as object)).toThrow(
      'json() has no option "invalidd". Did you mean "invalid"?',
    );
    expect(() => json(undefined, null as never)).toThrow('json() takes an object of options, not null');
    expect(() => json({} as never)).toThrow('json() takes a schema with the interface of Standard Schema');
    expect(() => json(undefined, { sent: {} as never })).toThrow('json() takes a schema as option "sent"');
    expect(() => json(undefined, { unsafeKeys: 'x' as never })).toThrow('"refuse" or "keep" as option "unsafeKeys"');
  });
});

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
