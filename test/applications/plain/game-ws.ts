/** The game of examples/applications/game.ts with ws, for players over WebSocket. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import * as z from 'zod';

const step = z.int().min(-1).max(1);
const received = z.union([z.object({ name: z.string().regex(/^\w{1,20}$/) }), z.object({ x: step, y: step })]);

export const tickMs = 50;
const silentTicks = 100;
const size = 100;
const maxConnections = 10_000;
const maxMessagesPerSecond = 30;
/** A player who has not read anything for so long is disconnected. */
const maxTicksBehind = 200;
const idleTimeoutMs = 300_000;
const shutdownTimeoutMs = 15_000;

const move = (from: number, by = 0) => Math.min(Math.max(from + by, 0), size - 1);

class Client {
  readonly socket: WebSocket;
  readonly #game: Game;
  readonly #idle: NodeJS.Timeout;
  player: { readonly name: string; x: number; y: number } | undefined;
  input: { readonly x: number; readonly y: number } | undefined;
  heard = 0;
  #ticksBehind = 0;
  #second = 0;
  #messages = 0;

  constructor(socket: WebSocket, game: Game) {
    this.socket = socket;
    this.#game = game;
    this.#idle = setTimeout(() => socket.close(1008, 'nothing was received or sent for too long'), idleTimeoutMs);
    socket.on('message', (data, isBinary) => this.#receive(data, isBinary));
    // A player who resets, or breaks the protocol, is gone: 'close' follows.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      clearTimeout(this.#idle);
      game.leave(this);
    });
  }

  send(message: object): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    this.#idle.refresh();
    this.socket.send(JSON.stringify(message));
  }

  /** One who has not read the last state does not get this one, but the first that comes when it has. */
  sendState(state: string): void {
    if (this.socket.readyState !== this.socket.OPEN) return;
    if (this.socket.bufferedAmount > 0) {
      if (++this.#ticksBehind > maxTicksBehind) this.socket.terminate();
      return;
    }
    this.#ticksBehind = 0;
    this.socket.send(state);
  }

  end(error: string): void {
    this.send({ error });
    this.socket.close(1008, error);
  }

  #receive(data: RawData, isBinary: boolean): void {
    this.#idle.refresh();
    const second = Math.floor(performance.now() / 1000);
    this.#messages = second === this.#second ? this.#messages + 1 : 1;
    this.#second = second;
    if (this.#messages > maxMessagesPerSecond) return this.end('too many messages');
    let value: unknown;
    try {
      value = isBinary ? undefined : JSON.parse(data.toString());
    } catch {
      return this.send({ error: 'invalid message: not JSON' });
    }
    const message = received.safeParse(value);
    if (message.success) this.#game.handle(message.data, this);
    else this.send({ error: `invalid message: ${message.error.issues[0]?.message}` });
  }
}

class Game {
  readonly clients = new Set<Client>();
  readonly #names = new Set<string>();
  readonly #timer = setInterval(() => this.#next(), tickMs);
  #tick = 0;

  handle(message: z.infer<typeof received>, client: Client): void {
    client.heard = this.#tick;
    if ('x' in message) client.input = message;
    else if (client.player) client.send({ error: `you are ${client.player.name}` });
    else if (this.#names.has(message.name)) client.send({ error: 'choose another name' });
    else {
      this.#names.add(message.name);
      client.player = { name: message.name, x: size / 2, y: size / 2 };
      client.send({ welcome: message.name, size });
    }
  }

  leave(client: Client): void {
    this.clients.delete(client);
    if (client.player) this.#names.delete(client.player.name);
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #next(): void {
    this.#tick++;
    const players: Client['player'][] = [];
    for (const client of this.clients) {
      const { player, input, heard } = client;
      if (!player || client.socket.readyState !== client.socket.OPEN) continue;
      if (this.#tick - heard > silentTicks) {
        client.end('are you still there?');
        continue;
      }
      player.x = move(player.x, input?.x);
      player.y = move(player.y, input?.y);
      players.push(player);
    }
    const state = JSON.stringify({ tick: this.#tick, players });
    for (const client of this.clients) if (client.player) client.sendState(state);
  }
}

/** @param where a port, or the path of a Unix socket */
export async function startGame(where: number | string) {
  const game = new Game();
  const http = createServer((_, response) => void response.writeHead(426).end());
  const sockets = new WebSocketServer({ server: http, maxPayload: 256 });
  sockets.on('connection', (socket) => {
    if (game.clients.size < maxConnections) game.clients.add(new Client(socket, game));
    else socket.close(1013);
  });
  http.listen(typeof where === 'string' ? { path: where } : { port: where, host: '127.0.0.1' });
  await once(http, 'listening');
  return {
    port: (http.address() as AddressInfo).port,
    async close() {
      game.stop();
      const limit = setTimeout(() => {
        for (const { socket } of game.clients) socket.terminate();
      }, shutdownTimeoutMs);
      for (const { socket } of game.clients) socket.close(1001);
      await new Promise((resolve) => http.close(resolve));
      clearTimeout(limit);
    },
  };
}

if (process.argv[1] === import.meta.filename) {
  const { port, close } = await startGame(Number(process.env.WEB_PORT ?? 8080));
  console.log(`listening on ws://127.0.0.1:${port}`);
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => void close());
}
