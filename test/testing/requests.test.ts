/** Handlers that ask their clients, and that handle several messages at a time: the test answers. */
import { expect, it } from 'vitest';
import { json } from '../../src/codec/json.ts';
import { testSession } from '../../src/testing/test-server.ts';

it('the test answers what the handler requests', async () => {
  const session = await testSession(async (_, client) => `welcome, ${await client.request('who are you?')}`);
  const reply = session.say('login');
  expect(await session.next()).toBe('who are you?');
  session.send('ana');
  expect(await reply).toBe('welcome, ana');
  await session.close();
});

it('the test answers what `open` requests', async () => {
  const session = await testSession({
    open: async (client) => `welcome, ${await client.request('who are you?')}`,
    message: ({ text }) => text,
  });
  expect(await session.next()).toBe('who are you?');
  expect(await session.say('ana')).toBe('welcome, ana');
  expect(await session.say('hello')).toBe('hello');
  await session.close();
});

it('replies are matched by ids, also between other messages', async () => {
  type Value = Readonly<Record<string, string | number>>;
  const codec = json<Value, Value>();
  const session = await testSession(
    async ({ ping }, client) => {
      if (ping !== undefined) return { pong: ping };
      const { name } = await client.request({ id: 7, ask: 'name' });
      return { welcome: String(name) };
    },
    {
      codec,
      concurrency: 2,
      replyOrder: 'finished',
      correlate: {
        requestId: (value) => ('id' in value ? (value.id as number) : undefined),
        replyId: (value) => value.re,
      },
    },
  );
  const reply = session.say({ login: 1 });
  expect(await session.next()).toEqual({ id: 7, ask: 'name' });
  session.send({ ping: 1 });
  expect(await session.next()).toEqual({ pong: 1 });
  session.send({ re: 7, name: 'ana' });
  expect(await reply).toEqual({ welcome: 'ana' });
  await session.close();
});

it('several messages are handled at a time, and replies come as they are finished', async () => {
  const finish = new Map<string, () => void>();
  const session = await testSession(
    ({ text }) => new Promise<string>((resolve) => void finish.set(text, () => resolve(text))),
    { concurrency: 4, replyOrder: 'finished' },
  );
  session.send('a', 'b', 'c');
  await session.clock.advance(0);
  finish.get('b')?.();
  expect(await session.next()).toBe('b');
  finish.get('c')?.();
  finish.get('a')?.();
  await session.idle();
  expect(session.unread).toEqual(['c', 'a']);
  await session.close();
});
