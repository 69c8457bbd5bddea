/** The game is the same in both versions: with yodel, in memory, and with ws. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { beforeEach, describe, expect, onTestFinished, test, vi } from 'vitest';
import { connect, json } from 'yodel';
import { fakeClock, message, testServer } from 'yodel/testing';
import { codec, createGame, tickMs } from '../../examples/applications/game.ts';
import { temporaryFolder } from '../support/files.ts';
import { dial, type Peer } from '../support/peer.ts';
import { start as startProgram } from '../support/process/command.ts';
import { upgradeToWebSocket } from '../support/websocket-frames.ts';
import { startGame } from './plain/game-ws.ts';

// The ticks are timers of the game: vitest fakes them. The time-outs of yodel are moved by its own clock.
beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  return () => vi.useRealTimers();
});

/** A connection of a player. */
interface Player {
  /** Resolves with the reply when the message is handled; undefined: none. */
  say(value: object): Promise<unknown>;
  /** What was sent besides replies, once everything that was sent has arrived. */
  states(): Promise<readonly unknown[]>;
  end(): Promise<unknown>;
  abort(): Promise<void>;
  /** Resolves with the last message when the game has ended the connection. */
  ended(): Promise<unknown>;
}

interface RunningGame {
  connect(): Promise<Player>;
  tick(count?: number): Promise<void>;
}

async function startInMemory(options: { listen?: string } = {}) {
  const clock = fakeClock();
  const server = await testServer({ handler: createGame(), codec, data: () => ({ heard: 0 }), clock, ...options });
  onTestFinished(() => server.close());
  const tick = async (count = 1) => {
    for (let number = 0; number < count; number++) {
      vi.advanceTimersByTime(tickMs);
      await clock.advance(tickMs);
    }
  };
  return { server, tick };
}

async function startYodel(): Promise<RunningGame> {
  const { server, tick } = await startInMemory();
  return {
    tick,
    async connect() {
      const session = await server.connect();
      return {
        say: (value) => session.say(value as never),
        states: async () => session.unread,
        end: () => session.end(),
        abort: () => session.abort(),
        async ended() {
          expect(await session.closed).toMatchObject({ code: 'APP_VANISHED' });
          return session.unread.at(-1);
        },
      };
    },
  };
}

async function startWs(): Promise<RunningGame> {
  const { port, close } = await startGame(0);
  onTestFinished(close);
  return {
    async tick(count = 1) {
      for (let number = 0; number < count; number++) {
        vi.advanceTimersByTime(tickMs);
        await new Promise((resolve) => setImmediate(resolve));
      }
    },
    async connect() {
      const client = await connect(`ws://127.0.0.1:${port}`, { codec: json<object, object>() });
      onTestFinished(() => client.abort());
      const states: object[] = [];
      const replies: object[] = [];
      let received = () => {};
      /** Resolves when all replies to what was sent have arrived: this one is the last. */
      const settle = async (): Promise<void> => {
        client.send(message('no JSON'));
        while (!String(Object(replies.at(-1)).error).includes('not JSON')) {
          await new Promise<void>((resolve) => {
            received = resolve;
          });
        }
        replies.pop();
      };
      const done = (async () => {
        for await (const one of client) {
          ('tick' in one ? states : replies).push(one);
          received();
        }
      })().catch(() => undefined);
      return {
        async say(value) {
          client.send(value);
          await settle();
          return replies.pop();
        },
        async states() {
          await settle();
          return states;
        },
        end: () => client.close(),
        async abort() {
          client.abort();
          await client.closed;
        },
        async ended() {
          await done;
          return replies.at(-1);
        },
      };
    },
  };
}

/**
 * Repeats an assertion until it holds, not so often that a player says too much. `vi.waitFor` would move the timers of the game, also
 * while a player waits for a reply.
 */
async function eventually(assertion: () => Promise<void>): Promise<void> {
  for (const end = performance.now() + 20_000; ; await delay(200)) {
    try {
      return await assertion();
    } catch (error) {
      if (performance.now() > end) throw error;
    }
  }
}

async function enter({ connect: connectPlayer }: RunningGame, name: string): Promise<Player> {
  const player = await connectPlayer();
  expect(await player.say({ name })).toEqual({ welcome: name, size: 100 });
  return player;
}

describe.each(Object.entries({ yodel: startYodel, ws: startWs }))('the game with %s', (_, start) => {
  test('moves the players and sends the state to all at each tick', async () => {
    const game = await start();
    const [ana, bob] = [await enter(game, 'ana'), await enter(game, 'bob')];
    expect(await ana.say({ x: 1, y: -1 })).toBeUndefined();
    await game.tick(2);
    for (const player of [ana, bob]) {
      const state = (number: number, x: number, y: number) => ({
        tick: number,
        players: [
          { name: 'ana', x, y },
          { name: 'bob', x: 50, y: 50 },
        ],
      });
      expect(await player.states()).toEqual([state(1, 51, 49), state(2, 52, 48)]);
    }
  });

  test('keeps players in the field', async () => {
    const game = await start();
    const ana = await enter(game, 'ana');
    await ana.say({ x: 1, y: 1 });
    await game.tick(60);
    expect((await ana.states()).at(-1)).toEqual({ tick: 60, players: [{ name: 'ana', x: 99, y: 99 }] });
  });

  test('answers an input that is not valid with an error, and the player stays', async () => {
    const game = await start();
    const ana = await enter(game, 'ana');
    for (const wrong of [{ x: 5, y: 0 }, { name: 'two words' }, [1]]) {
      expect(await ana.say(wrong)).toMatchObject({ error: expect.stringContaining('invalid message') });
    }
    expect(await ana.say({ name: 'eva' })).toEqual({ error: 'you are ana' });
  });

  test('gives a name once, and again when its player has left', async () => {
    const game = await start();
    const ana = await enter(game, 'ana');
    const other = await game.connect();
    expect(await other.say({ name: 'ana' })).toEqual({ error: 'choose another name' });
    await ana.abort();
    await eventually(async () => expect(await other.say({ name: 'ana' })).toEqual({ welcome: 'ana', size: 100 }));
  });

  test('goes on without players who leave or break off', async () => {
    const game = await start();
    const [ana, bob, eva] = [await enter(game, 'ana'), await enter(game, 'bob'), await enter(game, 'eva')];
    await ana.end();
    await bob.abort();
    await eventually(async () => {
      await game.tick();
      expect((await eva.states()).at(-1)).toMatchObject({ players: [{ name: 'eva', x: 50, y: 50 }] });
    });
  });

  test('ends the connection of a player who has vanished, after five seconds', async () => {
    const game = await start();
    const [ana, bob] = [await enter(game, 'ana'), await enter(game, 'bob')];
    await game.tick(60);
    await bob.say({ x: 0, y: 0 });
    await game.tick(50);
    expect(await ana.ended()).toEqual({ error: 'are you still there?' });
    expect((await bob.states()).at(-1)).toMatchObject({ players: [{ name: 'bob' }] });
  });
});

test('a slow player gets only the latest state, with yodel', async () => {
  const { server, tick } = await startInMemory();
  const enterServer = async (name: string) => {
    const player = await server.connect();
    expect(await player.say({ name })).toEqual({ welcome: name, size: 100 });
    return player;
  };
  const [slow, fast] = [await enterServer('slow'), await enterServer('fast')];
  for (let number = 0; number < 40; number++) await enterServer(`player${number}`);
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

test('a slow player gets only the latest state, with ws', async () => {
  // The buffers of Unix sockets are smaller than those of TCP.
  const path = join(temporaryFolder(), 'socket');
  const { close } = await startGame(path);
  onTestFinished(close);
  const say = (peer: Peer, value: object) => {
    const payload = Buffer.from(JSON.stringify(value));
    return peer.send(Buffer.concat([Buffer.of(0x81, 0x80 | payload.length, 0, 0, 0, 0), payload]));
  };
  const names = ['slow', ...Array.from({ length: 21 }, (_, number) => `${number}`.padStart(20, 'x'))];
  const peers = await Promise.all(
    names.map(async (name) => {
      const peer = await dial(path);
      await upgradeToWebSocket(peer, 80);
      await say(peer, { name });
      await peer.saw(/welcome/);
      return peer;
    }),
  );
  const [slow, fast] = peers as [Peer, Peer];
  slow.socket.pause();
  const last = 300;
  for (let tick = 1; tick <= last; tick++) {
    if (tick % 90 === 0) {
      // Nobody vanishes: what a player says is handled before its next state leaves.
      for (const peer of peers) await say(peer, { x: 0, y: 0 });
      await Promise.all(peers.slice(1).map((peer) => say(peer, { name: 'a' }).then(() => answered(peer, tick / 90))));
    }
    vi.advanceTimersByTime(tickMs);
    await fast.saw(new RegExp(`"tick":${tick},`));
  }
  const ticksOf = (peer: Peer) => [...peer.text.matchAll(/"tick":(\d+),/g)].map(([, number]) => Number(number));
  slow.socket.resume();
  expect(ticksOf(fast)).toEqual(Array.from({ length: last }, (_, index) => index + 1));
  await eventually(async () => {
    vi.advanceTimersByTime(tickMs);
    expect(ticksOf(slow).at(-1)).toBeGreaterThan(last);
  });
  expect(ticksOf(slow).length).toBeLessThan(last - 50);
});

/** Resolves when the player has been told so many times who it is. */
async function answered(peer: Peer, times: number): Promise<void> {
  await peer.saw(new RegExp(`(you are [^]*){${times}}`));
}

test('it is the same game over WebSocket', async () => {
  const { server, tick } = await startInMemory({ listen: 'ws://test:80' });
  const ana = await server.connect({ path: '/' });
  expect(await ana.say({ name: 'ana' })).toEqual({ welcome: 'ana', size: 100 });
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
