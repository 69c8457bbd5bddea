// A game: players send where they go, and 20 times a second the server moves them and sends the state to all, over TCP and WebSocket.
// Run it with `node game.ts`, and talk to it: {"name":"ana"}, then {"x":1,"y":0}
import { type HandlerObject, json, type SessionServer, serve, YodelError } from 'yodel';
import * as z from 'zod';

const step = z.int().min(-1).max(1);
const received = z.union([z.object({ name: z.string().regex(/^\w{1,20}$/) }), z.object({ x: step, y: step })]);
interface Player {
  readonly name: string;
  x: number;
  y: number;
}
interface Data {
  player?: Player;
  /** Where the player goes. */
  input?: { readonly x: number; readonly y: number };
  /** The tick of the last message. */
  heard: number;
}
export const codec = json(received);

export const tickMs = 50;
/** A client sends an input every few seconds, also the same again: one that has vanished sends none. */
const silentTicks = 100;
const size = 100;

const move = (from: number, by = 0) => Math.min(Math.max(from + by, 0), size - 1);

/** Creates the game of one server. */
export function createGame(): HandlerObject<Data, typeof codec> {
  let timer: NodeJS.Timeout;
  let tick = 0;

  function next(server: SessionServer<Data, typeof codec>): void {
    tick++;
    const players: Player[] = [];
    for (const session of server.room('game').members) {
      const { player, input, heard } = session.data;
      if (!player) continue;
      if (tick - heard > silentTicks) {
        session.close(new YodelError('APP_VANISHED', `${player.name} has vanished`, { reply: 'are you still there?' }));
        continue;
      }
      player.x = move(player.x, input?.x);
      player.y = move(player.y, input?.y);
      players.push(player);
    }
    // A player who has not read the last state yet receives this one instead.
    server.room('game').send({ tick, players }, { key: 'state' });
  }

  return {
    start(server) {
      timer = setInterval(next, tickMs, server);
    },
    message(message, session) {
      const { data } = session;
      data.heard = tick;
      if ('x' in message) {
        data.input = message;
        return;
      }
      if (data.player) return { error: `you are ${data.player.name}` };
      try {
        session.join(`player/${message.name}`, { alone: true });
      } catch (error) {
        if (error instanceof YodelError && error.code === 'YODEL_ROOM_TAKEN') return { error: 'choose another name' };
        throw error;
      }
      session.join('game');
      data.player = { name: message.name, x: size / 2, y: size / 2 };
      return { welcome: message.name, size };
    },
    // Only if a single state is larger than `roomBuffer`.
    missed: (_session, _room, states) => ({ missed: states }),
    stop: () => clearInterval(timer),
  };
}

if (process.argv[1] === import.meta.filename) {
  const { PORT = 7878, WEB_PORT = 8080 } = process.env;
  const server = await serve({
    listen: [Number(PORT), `ws://127.0.0.1:${WEB_PORT}`],
    codec,
    data: () => ({ heard: 0 }),
    handler: createGame(),
    rate: 30,
    maxMessageLength: 256,
  });
  console.log(`listening on ${server.addresses.join(' and ')}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void server.close());
}
