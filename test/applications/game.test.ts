import { beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import { fakeClock, message, testServer } from 'yodel/testing';
import { codec, createGame, tickMs } from '../../examples/applications/game.ts';
import { dial } from '../support/peer.ts';
import { start as startProgram } from '../support/process/command.ts';

// The ticks are timers of the game: vitest fakes them. The time-outs of yodel are moved by its own clock.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  return () => vi.useRealTimers();
});

async function start(options: { listen?: string } = {}) {
  const clock = fakeClock();
  const server = await testServer({ handler: createGame(), codec, data: () => ({ heard: 0 }), clock, ...options });
  onTestFinished(() => server.close());
  const tick = async (count = 1) => {
    for (let number = 0; number < count; number++) {
      vi.advanceTimersByTime(tickMs);
      await clock.advance(tickMs);
    }
  };
  const enter = async (name: string, path = {}) => {
    const player = await server.connect(path);
    expect(await player.say({ name })).toEqual({ welcome: name, size: 100 });
    return player;
  };
  return { server, clock, tick, enter };
}

test('each tick moves the players and sends the state to all', async () => {
  const { enter, tick } = await start();
  const [ana, bob] = [await enter('ana'), await enter('bob')];
  expect(await ana.say({ x: 1, y: -1 })).toBeUndefined();
  await tick(2);
  for (const player of [ana, bob]) {
    const state = (number: number, x: number, y: number) => ({
      tick: number,
      players: [
        { name: 'ana', x, y },
        { name: 'bob', x: 50, y: 50 },
      ],
    });
    expect(player.unread).toEqual([state(1, 51, 49), state(2, 52, 48)]);
  }
});

test('a player stays in the field', async () => {
  const { enter, tick } = await start();
  const ana = await enter('ana');
  await ana.say({ x: 1, y: 1 });
  await tick(60);
  expect(ana.unread.at(-1)).toEqual({ tick: 60, players: [{ name: 'ana', x: 99, y: 99 }] });
});

test('an input that is not valid gets an error, and the player stays', async () => {
  const { enter } = await start();
  const ana = await enter('ana');
  expect(await ana.say(message('{"x":5,"y":0}'))).toMatchObject({ error: expect.stringContaining('invalid message') });
  expect(await ana.say({ name: 'eva' })).toEqual({ error: 'you are ana' });
});

test('a name is given once, and again when its player has left', async () => {
  const { server, enter } = await start();
  const ana = await enter('ana');
  const other = await server.connect();
  expect(await other.say({ name: 'ana' })).toEqual({ error: 'choose another name' });
  await ana.abort();
  expect(await other.say({ name: 'ana' })).toEqual({ welcome: 'ana', size: 100 });
});

test('a player who leaves or breaks off is out of the game', async () => {
  const { enter, tick } = await start();
  const [ana, bob, eva] = [await enter('ana'), await enter('bob'), await enter('eva')];
  await ana.end();
  await bob.abort();
  await tick();
  expect(await eva.next()).toEqual({ tick: 1, players: [{ name: 'eva', x: 50, y: 50 }] });
});

test('a player who vanishes is out of the game after five seconds', async () => {
  const { enter, tick } = await start();
  const [ana, bob] = [await enter('ana'), await enter('bob')];
  await tick(60);
  bob.send({ x: 0, y: 0 });
  await tick(50);
  expect(await ana.closed).toMatchObject({ code: 'APP_VANISHED' });
  expect(ana.unread.at(-1)).toEqual({ error: 'are you still there?' });
  expect(bob.unread.at(-1)).toMatchObject({ players: [{ name: 'bob' }] });
  await expect(ana.say({ x: 0, y: 0 })).rejects.toMatchObject({ code: 'APP_VANISHED' });
});

test('a slow player gets only the latest state', async () => {
  const { server, enter, tick } = await start();
  const [slow, fast] = [await enter('slow'), await enter('fast')];
  for (let number = 0; number < 40; number++) await enter(`player${number}`);
  slow.peer.pause();
  await tick(90);
  slow.peer.resume();
  await slow.idle();
  const ticks = (states: readonly unknown[]) => states.map((state) => (state as { tick: number }).tick);
  expect(ticks(fast.unread)).toEqual(Array.from({ length: 90 }, (_, index) => index + 1));
  const seen = ticks(slow.unread);
  expect(seen.length).toBeLessThan(80);
  expect(seen.at(-1)).toBe(90);
  expect(server.server.sessions.size).toBe(42);
});

test('it is the same game over WebSocket', async () => {
  const { enter, tick } = await start({ listen: 'ws://test:80' });
  const ana = await enter('ana', { path: '/' });
  await ana.say({ x: 0, y: 1 });
  await tick();
  expect(await ana.next()).toEqual({ tick: 1, players: [{ name: 'ana', x: 50, y: 51 }] });
});

test('the example is a program, which stops at SIGTERM', async () => {
  const program = new URL('../../examples/applications/game.ts', import.meta.url).pathname;
  const server = startProgram([process.execPath, program], { env: { PORT: '0', WEB_PORT: '0' } });
  const [, port = ''] = await server.saw(/listening on tcp:\/\/127\.0\.0\.1:(\d+) and ws:/);
  const peer = await dial(Number(port));
  await peer.send('{"name":"ana"}\n');
  await peer.saw(/"players":\[\{"name":"ana","x":50,"y":50\}\]/);
  peer.end();
  expect((await server.stop()).status).toBe(0);
});
