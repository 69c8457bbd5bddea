/** Handlers of all kinds in test sessions. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { compose } from '../../src/handlers/compose.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import { proxy } from '../../src/handlers/proxy.ts';
import { openJournal } from '../../src/journal/sqlite.ts';
import type { Handler, HandlerCallbacks } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { testServer, testSession } from '../../src/testing/test-server.ts';
import { temporaryFolder } from '../support/files.ts';

const upper: Handler = ({ text }) => text.toUpperCase();

it('a class', async () => {
  class Counter implements HandlerCallbacks<{ count: number }> {
    readonly #step = 2;

    message(_: unknown, { data }: Session<{ count: number }>) {
      data.count += this.#step;
      return String(data.count);
    }
  }
  const session = await testSession(new Counter(), { data: () => ({ count: 1 }) });
  expect(await session.exchange('a', 'b')).toEqual(['3', '5']);
  await session.close();
});

it('a handler with middleware', async () => {
  const session = await testSession(
    compose({ message: async (_, __, next) => ['before', (await next()) as string, 'after'] }, upper),
  );
  expect(await session.exchange('hello')).toEqual(['before', 'HELLO', 'after']);
  await session.close();
});

it('a handler with faults, by the clock of the test', async () => {
  const clock = fakeClock();
  const session = await testSession(withFaults(upper, ['reply latency 1s'], { clock }), { clock });
  session.send('hello');
  await clock.advance(999);
  expect(session.unread).toEqual([]);
  await clock.advance(1);
  expect(session.unread).toEqual(['HELLO']);
  await session.close();
});

it('a proxy to a server in memory', async () => {
  const server = await testServer({ handler: upper, listen: 'tcp://behind:1' });
  const { transport, clock, address } = server;
  const session = await testSession(proxy(address, { transport, clock }), {
    transport,
    clock,
    listen: 'tcp://before:1',
  });
  session.send('hello');
  expect(await session.next()).toBe('HELLO');
  await session.close();
  await server.close();
});

it('a handler whose messages are recorded first', async () => {
  const journal = await openJournal(join(temporaryFolder(), 'journal.db'));
  const session = await testSession(upper, { journal });
  expect(await session.exchange('one', 'two')).toEqual(['ONE', 'TWO']);
  await session.close();
  await journal.close();
});

it('close() throws what stop() of the handler threw', async () => {
  const failing = {
    stop() {
      throw new RangeError('cannot stop');
    },
  };
  const session = await testSession(failing);
  await expect(session.close()).rejects.toThrow('cannot stop');
  const server = await testServer({ handler: failing });
  await expect(server.close()).rejects.toThrow('cannot stop');
});

it('a handler with start and stop', async () => {
  const events: string[] = [];
  const session = await testSession({
    start: () => void events.push('start'),
    message: ({ text }) => text,
    stop: () => void events.push('stop'),
  });
  expect(await session.say('hello')).toBe('hello');
  await session.close();
  expect(events).toEqual(['start', 'stop']);
});
