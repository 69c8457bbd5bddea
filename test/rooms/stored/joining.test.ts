/** Joining with a history: what is asked for, and what can go wrong. */
import { expect, onTestFinished, test } from 'vitest';
import type { Client } from '../../../src/client/client.ts';
import { connect } from '../../../src/client/connect.ts';
import type { ServeOptions } from '../../../src/server/options.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import type { Session } from '../../../src/session/public-session.ts';

/** A server with one client, whose session the test controls. */
async function start(options: Omit<ServeOptions, 'listen'> = {}) {
  const opened = Promise.withResolvers<Session>();
  const server: Server = await serve({
    listen: 0,
    ...options,
    handler: { missed: () => 'missed', ...(options.handler as object), open: (session) => opened.resolve(session) },
  });
  onTestFinished(() => server.close());
  const client = await connect(server.addresses[0] as never);
  onTestFinished(() => client.close());
  return { server, client, session: await opened.promise, room: server.room('news') };
}

async function next(client: Client, count: number): Promise<string[]> {
  const texts: string[] = [];
  if (count === 0) return texts;
  for await (const { text } of client) if (texts.push(text) === count) break;
  return texts;
}

test('the last messages, then what follows; a position; and what was stored since', async () => {
  const { client, session, room } = await start();
  const positions: string[] = [];
  for (const text of ['a', 'b', 'c']) positions.push(await room.store(text));
  expect(await session.join('news', { history: 2 })).toEqual({
    recovered: false,
    messages: 2,
    position: positions[2],
  });
  expect(session.rooms.has('news')).toBe(true);
  await room.store('d');
  expect(await next(client, 3)).toEqual(['b', 'c', 'd']);
  session.leave('news');
  await room.store('e');
  const recovery = await session.join('news', { since: positions[1] as string });
  expect(recovery).toMatchObject({ recovered: true, messages: 3 });
  expect(await next(client, 3)).toEqual(['c', 'd', 'e']);
});

test('a position within what was stored in one turn', async () => {
  const { client, session, room } = await start();
  const positions = await Promise.all(['a', 'b', 'c'].map((text) => room.store(text)));
  expect(new Set(positions).size).toBe(3);
  await session.join('news', { since: positions[0] as string });
  expect(await next(client, 2)).toEqual(['b', 'c']);
});

test('a position that is not in the history any more, or of another history', async () => {
  const { client, session, room } = await start({ storedMessages: 2 });
  const first = await room.store('a');
  for (const text of ['b', 'c', 'd']) await room.store(text);
  expect(await session.join('news', { since: first })).toMatchObject({ recovered: false, messages: 0 });
  expect(await session.join('news', { since: first, history: 1 })).toMatchObject({ recovered: false, messages: 1 });
  expect(await next(client, 1)).toEqual(['d']);
  const elsewhere = await (await start()).room.store('x');
  expect(await session.join('news', { since: elsewhere })).toMatchObject({ recovered: false });
});

test('a message right after the removed ones continues from the position before', async () => {
  const { session, room } = await start({ storedMessages: 1 });
  const first = await room.store('a');
  await room.store('b');
  expect(await session.join('news', { since: first })).toMatchObject({ recovered: true, messages: 1 });
});

test('what is no position, and what is no room', async () => {
  const { session, room } = await start();
  for (const since of [
    '',
    'x',
    '1-0-short',
    '-1-0-aaaaaaaaaaaaaaaa',
    '0-0-aaaaaaaaaaaaaaaa',
    'zzzzzzzzzzzz-0-aaaaaaaaaaaaaaaa',
  ]) {
    await expect(session.join('news', { since })).rejects.toMatchObject({ code: 'YODEL_INVALID_POSITION' });
    await expect(room.read({ since })).rejects.toMatchObject({ code: 'YODEL_INVALID_POSITION' });
  }
  await expect(session.join('', { history: 1 })).rejects.toMatchObject({ code: 'YODEL_INVALID_ROOM' });
  expect(session.rooms.size).toBe(0);
});

test('what is no number of messages', async () => {
  const { session, room } = await start();
  await room.store('a');
  for (const history of [-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY, '3' as never]) {
    await expect(session.join('news', { history })).rejects.toMatchObject({ code: 'YODEL_INVALID_OPTION' });
    await expect(room.read({ history })).rejects.toMatchObject({ code: 'YODEL_INVALID_OPTION' });
  }
  expect(session.rooms.size).toBe(0);
});

test('an empty history', async () => {
  const { client, session, room } = await start();
  expect(await room.read({ history: 5 })).toEqual({ recovered: false, messages: [], position: '0', hasMore: false });
  expect(await session.join('news', { since: '0' })).toEqual({ recovered: true, messages: 0, position: '0' });
  await room.store('a');
  expect(await next(client, 1)).toEqual(['a']);
});

test('more of the last messages than there are, and many of them', async () => {
  const { client, session, room } = await start();
  const texts = Array.from({ length: 3000 }, (_, index) => `${index}`);
  await Promise.all(texts.map((text) => room.store(text)));
  expect(await session.join('news', { history: 5000 })).toMatchObject({ messages: 3000 });
  expect(await next(client, 3000)).toEqual(texts);
  expect(await session.join('news', { history: 2000 })).toMatchObject({ messages: 2000 });
  expect(await next(client, 2000)).toEqual(texts.slice(-2000));
  expect(await session.join('news', { history: 900 })).toMatchObject({ messages: 900 });
  expect(await next(client, 900)).toEqual(texts.slice(-900));
});

test('limits apply, and leave no trace', async () => {
  const { session, room } = await start({ maxRoomsPerSession: 1 });
  await room.store('a');
  session.join('other');
  await expect(session.join('news', { history: 1 })).rejects.toMatchObject({ code: 'YODEL_TOO_MANY_ROOMS' });
  expect(session.rooms).toEqual(new Set(['other']));
  expect(room.size).toBe(0);
});

test('leaving, or joining without a history, ends the reading', async () => {
  const { client, session, room } = await start();
  await room.store('a');
  const left = session.join('news', { history: 1 });
  session.leave('news');
  expect(await left).toMatchObject({ recovered: false });
  expect(session.rooms.size).toBe(0);
  const joined = session.join('news', { history: 1 });
  session.join('news');
  await joined;
  await room.store('b');
  expect(await next(client, 1)).toEqual(['b']);
});

test('a session that ends meanwhile', async () => {
  const { server, session, room } = await start();
  await room.store('a');
  const joining = session.join('news', { history: 1 });
  session.abort();
  await joining;
  expect(room.size).toBe(0);
  expect(server.counters.rooms).toBe(0);
});

test('the callback "stored" decides what members receive; one that fails makes them miss it', async () => {
  const events: string[] = [];
  const { client, session, room } = await start({
    handler: {
      stored({ message, time, position }, name) {
        if (message.text === 'bad') throw new Error('oops');
        if (message.text === 'plain') return undefined;
        return `${name} ${message.text} ${typeof time} ${position === last}`;
      },
      missed: (_session, _room, messages) => `missed ${messages}`,
    },
    telemetry: { bus: (event, reason) => events.push(`${event}: ${reason.split('\n')[0]}`) },
  });
  let last = '';
  last = await room.store('a');
  await session.join('news', { history: 1 });
  await room.store('plain');
  await room.store('bad');
  await room.store('plain');
  expect(await next(client, 4)).toEqual(['news a number true', 'plain', 'missed 1', 'plain']);
  expect(events).toEqual(['refused: the history of room "news": the handler\'s "stored" has thrown Error: oops']);
});

test('messages keep their headers, kinds and bytes', async () => {
  const { room } = await start();
  await room.store(Buffer.from([0xff, 0]));
  await room.store('ä');
  const { messages, hasMore } = await room.read({ since: '0' });
  expect(messages.map(({ message }) => [...message.bytes])).toEqual([
    [0xff, 0],
    [0xc3, 0xa4],
  ]);
  expect(hasMore).toBe(false);
});

test('a long history is read in parts, with the position that was returned', async () => {
  const { room } = await start();
  const texts = Array.from({ length: 30 }, (_, index) => `${index}-${'x'.repeat(50_000)}`);
  for (const text of texts) await room.store(text);
  const read: string[] = [];
  let since = '0';
  for (let hasMore = true; hasMore; ) {
    const part = await room.read({ since });
    expect(part.recovered).toBe(true);
    read.push(...part.messages.map(({ message }) => message.text));
    ({ position: since, hasMore } = part);
  }
  expect(read).toEqual(texts);
});

test('what waits for the store is limited, and a message that it cannot take is refused', async () => {
  const { room, server } = await start({ busBuffer: 1000 });
  const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => room.store('x'.repeat(200))));
  expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBe(2);
  for (const outcome of outcomes.slice(2)) {
    expect((outcome as PromiseRejectedResult).reason).toMatchObject({ code: 'YODEL_STORE_FULL' });
  }
  expect(server.counters.roomMessagesStored).toBe(2);
  await room.store('again');
});

test('what is being stored when the server closes is stored', async () => {
  const { room, server } = await start();
  const stored = room.store('last');
  await server.close();
  expect(await stored).toMatch(/^1-0-/);
});
