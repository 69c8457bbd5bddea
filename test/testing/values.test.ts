/** Sessions of tests whose handlers have a codec: values in and out. */
import { describe, expect, expectTypeOf, it } from 'vitest';
import { json, unchecked } from '../../src/codec/json.ts';
import type { StandardSchema } from '../../src/codec/standard-schema.ts';
import { message } from '../../src/testing/message.ts';
import { testServer, testSession } from '../../src/testing/test-server.ts';

interface Order {
  readonly item: string;
  readonly amount: number;
}

const order: StandardSchema<Order> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: (value) => {
      const { amount } = value as Order;
      return Number.isInteger(amount)
        ? { value: value as Order }
        : { issues: [{ message: 'no number', path: ['amount'] }] };
    },
  },
};
const codec = json(order, { sent: unchecked<{ accepted: boolean }>() });

describe('a session with a codec', () => {
  it('is sent the values that the handler receives, and returns those that it sends', async () => {
    const session = await testSession(({ amount }) => ({ accepted: amount < 100 }), { codec });
    const reply = await session.say({ item: 'tea', amount: 3 });
    expectTypeOf(reply).toEqualTypeOf<{ accepted: boolean } | undefined>();
    expect(reply).toEqual({ accepted: true });
    expect(await session.exchange({ item: 'tea', amount: 3 }, { item: 'tea', amount: 300 })).toEqual([
      { accepted: true },
      { accepted: false },
    ]);
    await session.close();
  });

  it('may be sent a message that is not valid', async () => {
    const session = await testSession(() => ({ accepted: true }), { codec });
    expect(await session.say(message('{"item":1}'))).toMatchObject({ error: expect.stringContaining('amount') });
    expect(await session.say(message('not JSON'))).toMatchObject({ error: expect.stringContaining('not JSON') });
    await session.close();
  });

  it('returns what cannot be decoded as a message', async () => {
    const session = await testSession((_, { write }) => void write, { codec });
    session.session.write(Buffer.from('not JSON\n'));
    await session.idle();
    await expect(session.exchange()).resolves.toEqual([]);
    expect((await session.nextMessage()).text).toBe('not JSON');
    await session.close();
  });

  it('has codecs of its own: bytes that are no text', async () => {
    const numbers = {
      name: 'number',
      decode: ({ bytes }: { bytes: Uint8Array }) => Buffer.from(bytes).readInt32BE(),
      encode: (value: number) => {
        const bytes = Buffer.alloc(4);
        bytes.writeInt32BE(value);
        return bytes;
      },
    };
    const session = await testSession((value) => 2 * value, { codec: numbers, framing: 'length:2' });
    expect(await session.say(21)).toBe(42);
    await session.close();
  });
});

it('a server with a codec and data has sessions of their types', async () => {
  const server = await testServer({
    codec,
    data: () => ({ orders: 0 }),
    handler: (_, { data }) => ({ accepted: ++data.orders < 2 }),
  });
  const session = await server.connect({ from: '192.0.2.7:1' });
  expect(await session.exchange({ item: 'a', amount: 1 }, { item: 'b', amount: 1 })).toEqual([
    { accepted: true },
    { accepted: false },
  ]);
  expectTypeOf(session.data).toEqualTypeOf<{ orders: number }>();
  expect(session.data.orders).toBe(2);
  await server.close();
});
