/** What codecs do to the types of handlers, sessions, rooms and clients. Checked by the type checker, not run. */
import { type } from 'arktype';
import * as v from 'valibot';
import { expectTypeOf, test } from 'vitest';
import * as z from 'zod';
import {
  type Batch,
  type Codec,
  compose,
  connect,
  echo,
  type Handler,
  json,
  type Message,
  type Session,
  serve,
  unchecked,
  withFaults,
} from '../../src/index.ts';

interface Order {
  item: string;
  amount: number;
}

interface Receipt {
  accepted: boolean;
}

declare const message: Message;
declare const batch: Batch;

test('json() has the types that it is given', () => {
  expectTypeOf(json()).toEqualTypeOf<Codec<unknown, unknown>>();
  expectTypeOf(json<Order, Receipt>()).toEqualTypeOf<Codec<Order, Receipt>>();
  expectTypeOf(json<Order, Receipt>(undefined, { invalid: 'close' })).toEqualTypeOf<Codec<Order, Receipt>>();
});

test('json() has the types of a schema of Zod, Valibot and ArkType', () => {
  const zod = z.object({ item: z.string(), at: z.string().transform((text) => new Date(text)) });
  expectTypeOf(json(zod)).toEqualTypeOf<Codec<{ item: string; at: Date }, unknown>>();
  const valibot = v.object({ item: v.string(), at: v.pipe(v.string(), v.transform(Number)) });
  expectTypeOf(json(valibot)).toEqualTypeOf<Codec<{ item: string; at: number }, unknown>>();
  const arktype = type({ item: 'string', at: 'string.numeric.parse' });
  expectTypeOf(json(arktype)).toEqualTypeOf<Codec<{ item: string; at: number }, unknown>>();
});

test('json() has the type of what is sent, from a schema or alone', () => {
  const order = z.object({ item: z.string(), amount: z.number() });
  const sent = z.object({ at: z.string().transform((text) => new Date(text)) });
  expectTypeOf(json(order, { sent })).toEqualTypeOf<Codec<Order, { at: string }>>();
  expectTypeOf(json(order, { sent: unchecked<Receipt>() })).toEqualTypeOf<Codec<Order, Receipt>>();
  expectTypeOf(json(unchecked<Order>(), { sent: unchecked<Receipt>() })).toEqualTypeOf<Codec<Order, Receipt>>();
  json(order, { sent: unchecked<Receipt>(), invalid: () => ({ accepted: false }) });
  // @ts-expect-error it is no receipt
  json(order, { sent: unchecked<Receipt>(), invalid: () => ({ accepted: 'no' }) });
  // @ts-expect-error it is no schema
  json({ item: 'string' });
  // @ts-expect-error a misspelt option
  json(order, { invalidd: 'close' });
});

const orders = json<Order, Receipt>();

test('a handler gets values and gives values, without annotations', () => {
  void serve({
    codec: orders,
    handler: (order, session) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      expectTypeOf(session).toEqualTypeOf<Session<Record<string, unknown>, Codec<Order, Receipt>>>();
      session.send({ accepted: true });
      session.send(message);
      session.encode({ accepted: true });
      session.server.room('all').send({ accepted: true });
      void session.server.room('all').store({ accepted: true });
      session.server.broadcast({ accepted: true });
      // @ts-expect-error text is no receipt
      session.send('text');
      // @ts-expect-error text is no receipt
      session.server.room('all').send('text');
      return { accepted: order.amount < 100 };
    },
  });
  void serve({
    codec: orders,
    data: (session) => ({ count: 0, confirm: () => session.send({ accepted: true }) }),
    handler: {
      open: (session) => ({ accepted: session.data.count === 0 }),
      message: async (order, session) => {
        session.data.count += order.amount;
        return { accepted: true };
      },
      end: () => undefined,
      missed: (_session, room, messages) => ({ accepted: room.length === messages }),
    },
  });
});

test('a handler may return nothing, messages, batches, and promises of all', () => {
  void serve({ codec: orders, handler: () => undefined });
  void serve({ codec: orders, handler: () => message });
  void serve({ codec: orders, handler: () => batch });
  void serve({ codec: orders, handler: async () => message });
  void serve({ codec: orders, handler: async () => {} });
  void serve({ codec: orders });
});

test('a handler that does not fit the codec does not compile', () => {
  // @ts-expect-error it returns text
  void serve({ codec: orders, handler: () => 'text' });
  // @ts-expect-error it returns another value
  void serve({ codec: orders, handler: (order) => ({ accept: order.amount }) });
  // @ts-expect-error it returns several: those are one value
  void serve({ codec: orders, handler: () => [{ accepted: true }] });
  // @ts-expect-error orders have no text
  void serve({ codec: orders, handler: (order) => ({ accepted: order.text === '' }) });
  // @ts-expect-error batches have no values
  void serve({ codec: orders, handler: { batch: (all) => all } });
  // @ts-expect-error echo is a handler of batches
  void serve({ codec: orders, handler: echo });
  const typed: Handler<unknown, typeof orders> = (order) => ({ accepted: order.amount > 0 });
  void serve({ codec: orders, handler: typed });
  // @ts-expect-error the codec is missing
  void serve({ handler: typed });
  // @ts-expect-error json is a function that returns a codec
  void serve({ codec: json, handler: () => undefined });
});

test('handlers with faults and middleware keep the types of the handler inside', () => {
  const typed: Handler<unknown, typeof orders> = (order) => ({ accepted: order.amount > 0 });
  void serve({ codec: orders, handler: withFaults(typed, []) });
  // @ts-expect-error the codec is missing
  void serve({ handler: withFaults(typed, []) });
  void serve({
    codec: orders,
    handler: compose<unknown, typeof orders>((order, _session, next) => {
      expectTypeOf(order).toEqualTypeOf<Order>();
      return order.amount > 100 ? { accepted: false } : next();
    }, typed),
  });
});

test('a server has sessions and rooms of its codec', async () => {
  const server = await serve({ codec: orders, data: () => ({ count: 0 }) });
  for (const session of server.sessions) {
    session.data.count++;
    session.send({ accepted: true });
  }
  server.room('all').send({ accepted: true });
  void server.reload({ codec: orders, handler: (order) => ({ accepted: order.item === 'tea' }) });
  // @ts-expect-error another codec
  void server.reload({ codec: json<string, string>() });
});

test('a client gets and gives values', async () => {
  const client = await connect(7878, { codec: json<Receipt, Order>() });
  expectTypeOf(await client.request({ item: 'tea', amount: 1 })).toEqualTypeOf<Receipt>();
  for await (const receipt of client) expectTypeOf(receipt).toEqualTypeOf<Receipt>();
  client.send({ item: 'tea', amount: 1 });
  client.send(message);
  // @ts-expect-error text is no order
  client.send('tea');
  // @ts-expect-error it has no amount
  void client.request({ item: 'tea' });
  const plain = await connect(7878);
  expectTypeOf(await plain.request('tea')).toEqualTypeOf<Message>();
});

test('without a codec a handler gets messages and returns replies', () => {
  void serve({
    handler: (received, session) => {
      expectTypeOf(received).toEqualTypeOf<Message>();
      session.send('text');
      return ['one', received, new Uint8Array()];
    },
  });
  // @ts-expect-error an object is no reply
  void serve({ handler: () => ({ accepted: true }) });
});
