// Tests handlers with vitest, without sockets.
import { expect, onTestFinished, test } from 'vitest';
import type { Message } from 'yodel';
import { fakeClock, message, testServer, testSession } from 'yodel/testing';
import chat from './chat-room.ts';
import counter from './counter.ts';

const upper = ({ text }: Message) => text.toUpperCase();

test('a function is called as it is', () => {
  expect(upper(message('hello'))).toBe('HELLO');
});

test('each client counts its own messages', async () => {
  const session = await testSession(counter);
  expect(await session.next()).toBe('hello, what shall I count?');
  expect(await session.say('a')).toBe('1: a');
  expect(await session.say('b')).toBe('2: b');
  expect(session.data.count).toBe(2);
  expect(await session.say('bye')).toBe('see you');
  expect(await session.closed).toBeUndefined(); // the reason: none
  await session.close();
});

test('everyone in the room receives what one says', async () => {
  const server = await testServer({ handler: chat });
  onTestFinished(() => server.close());
  const [ana, bob] = [await server.connect(), await server.connect()];
  expect(await bob.next()).toBe('welcome, you are number 2 of 2');
  await ana.say('hello');
  expect(await bob.next()).toBe('1: hello');
  await ana.end();
  expect(await bob.next()).toBe('1 has left');
});

test('what a handler throws is the error of the test', async () => {
  const session = await testSession(() => {
    throw new RangeError('too many');
  });
  await expect(session.say('hello')).rejects.toThrow('too many');
  expect(await session.next()).toBe('error: the handler failed on the server'); // what a client sees
  await session.close();
});

test('a client that says nothing is disconnected', async () => {
  const clock = fakeClock();
  const session = await testSession(counter, { clock, idleTimeout: 60_000 });
  await clock.advance(60_000); // takes no time
  expect(await session.closed).toMatchObject({ code: 'YODEL_IDLE_TIMEOUT' });
  await session.close();
});
