import { type } from 'arktype';
import * as v from 'valibot';
import { describe, expect, it } from 'vitest';
import * as z from 'zod';
import * as z3 from 'zod/v3';
import type { Codec } from '../../src/codec/codec.ts';
import { json, unchecked } from '../../src/codec/json.ts';
import type { StandardSchema } from '../../src/codec/standard-schema.ts';
import { decodeMessage, encodeValue } from '../../src/codec/values.ts';
import { Message } from '../../src/framing/message.ts';

interface Order {
  item: string;
  amount: number;
}

const schemas: Record<string, StandardSchema<Order>> = {
  Zod: z.object({ item: z.string(), amount: z.int() }),
  Valibot: v.object({ item: v.string(), amount: v.pipe(v.number(), v.integer()) }),
  ArkType: type({ item: 'string', amount: 'number.integer' }),
};

describe.each(Object.entries(schemas))('a schema of %s', (_name, schema) => {
  const codec = json(schema);
  const decode = (text: string) => decodeMessage(codec, Message.of(text)) as Order;

  it('lets valid values pass', () => {
    expect(decode('{"item":"tea","amount":2}')).toEqual({ item: 'tea', amount: 2 });
  });

  it('refuses others, and says where', () => {
    expect(() => decode('{"item":"tea","amount":"two"}')).toThrow(/^invalid message: amount: .*number/);
    expect(() => decode('[]')).toThrow(/^invalid message: /);
    expect(() => decode('{"item":"tea","amount":"two"')).toThrow('invalid message: not JSON: it ends too early');
  });

  it('validates what is sent, where it is the schema for that', () => {
    const sending = json(unchecked<string>(), { sent: schema });
    expect(encodeValue(sending, { item: 'tea', amount: 2 })).toBe('{"item":"tea","amount":2}');
    expect(() => encodeValue(sending, { item: 'tea', amount: 'two' })).toThrow(/cannot encode the value: amount: /);
  });
});

describe('a schema', () => {
  it('may change values', () => {
    const codec = json(z.object({ at: z.iso.datetime().transform((text) => new Date(text)) }));
    expect(decodeMessage(codec, Message.of('{"at":"1970-01-01T00:00:00Z"}'))).toEqual({ at: new Date(0) });
  });

  it('names places in arrays and a few problems of many', () => {
    const codec = json(z.array(z.object({ n: z.number() })));
    const text = JSON.stringify(Array.from({ length: 10 }, () => ({ n: 'x' })));
    expect(() => decodeMessage(codec, Message.of(text))).toThrow(
      /^invalid message: \[0\]\.n: .*; \[1\]\.n: .*; \[2\]\.n: .*; and 7 more$/,
    );
  });

  it.each<[string, StandardSchema]>([
    ['Zod', z.string().transform((text) => new URL(text))],
    ['Zod 3', z3.string().transform((text) => new URL(text))],
    [
      'Valibot',
      v.pipe(
        v.string(),
        v.transform((text) => new URL(text)),
      ),
    ],
    ['ArkType', type('string').pipe((text) => new URL(text))],
  ])('whose function throws refuses the message, and the peer does not learn what was thrown: %s', (_name, schema) => {
    const codec = json(schema);
    expect(decodeMessage(codec, Message.of('"http://localhost"'))).toBeInstanceOf(URL);
    expect(() => decodeMessage(codec, Message.of('"nowhere"'))).toThrow(/^invalid message: it cannot be validated$/);
  });

  it('of Zod for which a value is too deep refuses it', () => {
    const tree = z.object({
      get child() {
        return z.optional(tree);
      },
    });
    const depth = 50_000;
    const text = `${'{"child":'.repeat(depth)}{}${'}'.repeat(depth)}`;
    expect(() => decodeMessage(json(tree), Message.of(text))).toThrow(/^invalid message: it is nested too deeply$/);
  });

  it('that returns what no schema returns refuses the message', () => {
    const schema = (result: unknown): StandardSchema => ({
      '~standard': { version: 1, vendor: 'own', validate: () => result as never },
    });
    const paths = schema({ issues: [{ message: 'wrong', path: [null] }] });
    expect(() => decodeMessage(json(paths), Message.of('1'))).toThrow(/^invalid message: it cannot be validated$/);
    expect(() => decodeMessage(json(schema(5)), Message.of('1'))).toThrow('has returned no result');
  });

  it('that answers later cannot be used: that is an error of the program, and not of the message', () => {
    const codec = json(z.string().refine(async () => true));
    expect(() => decodeMessage(codec, Message.of('"a"'))).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message: expect.stringContaining('asynchronously') }),
    );
  });

  it('that throws tells the peer nothing of that', () => {
    const failing: StandardSchema<string> = {
      '~standard': {
        version: 1,
        vendor: 'test',
        validate: () => {
          throw new Error('the password is secret');
        },
      },
    };
    expect(() => decodeMessage(json(failing), Message.of('"a"'))).toThrow(/^invalid message: it cannot be validated$/);
  });
});

describe('an error of a codec', () => {
  it('has the message and what the codec threw, in one short line', () => {
    const thrown = new RangeError(`no\nsuch\u0000type: ${'x'.repeat(1000)}`);
    const codec = {
      name: 'own',
      decode: () => {
        throw thrown;
      },
      encode: () => '',
    };
    const message = Message.of('a');
    expect(() => decodeMessage(codec, message)).toThrow(
      expect.objectContaining({
        code: 'YODEL_UNDECODABLE_MESSAGE',
        received: message,
        cause: thrown,
        message: expect.stringMatching(/^invalid message: no such type: x{100,300}…$/),
      }),
    );
  });

  it('says that codecs are synchronous', async () => {
    const codec = { name: 'own', decode: async () => 1, encode: async () => 'x' } as unknown as Codec;
    expect(() => decodeMessage(codec, Message.of('a'))).toThrow(
      'the codec own returned a promise; codecs are synchronous',
    );
    expect(() => encodeValue(codec, 1)).toThrow('the codec own returned a promise; codecs are synchronous');
    expect(() => encodeValue({ ...codec, encode: () => 12 } as never, 1)).toThrow('it returned [object Number]');
  });
});

it.each([undefined, null, 5])(
  'a schema that returns %s instead of a result is not the fault of the message',
  (returned) => {
    const broken = {
      '~standard': { version: 1, vendor: 'test', validate: () => returned },
    } as unknown as StandardSchema;
    expect(() => decodeMessage(json(broken), Message.of('1'))).toThrow(
      expect.objectContaining({ code: 'YODEL_INVALID_OPTION', message: 'the schema of json() has returned no result' }),
    );
  },
);
