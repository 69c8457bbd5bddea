/** What the attacks have in common: clients that connect again and again, always a limited number at a time. */
import * as net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';

/** Time before a client whose connection failed connects again. A refusal must not become an attack on this machine's own kernel. */
const retryMs = 20;

/** Uses the socket from the moment it is connected; `over` closes it, and another one takes its place. */
export type Use = (socket: net.Socket, number: number) => void;

/**
 * Keeps this number of connections open. A connection that is closed, by whichever side, is replaced.
 *
 * @returns a promise that resolves when each has been connected once
 */
export async function keepOpen(clients: number, port: number, use: Use): Promise<void> {
  // More than the backlog of the listener at a time would be retried by the kernel only after a second.
  const atOnce = 256;
  for (let from = 0; from < clients; from += atOnce) {
    const group = Array.from({ length: Math.min(atOnce, clients - from) }, (_, at) => stay(from + at, port, use));
    await Promise.all(group);
  }
}

/** Resolves when it has been connected once. */
function stay(number: number, port: number, use: Use): Promise<void> {
  return new Promise((resolve) => {
    const connect = () => {
      let wasConnected = false;
      const socket = net.connect({ host: '127.0.0.1', port, localAddress: sourceOf(number), noDelay: true });
      socket.on('connect', () => {
        wasConnected = true;
        resolve();
        use(socket, number);
      });
      socket.on('error', () => undefined);
      socket.on('close', () => (wasConnected ? setImmediate(connect) : setTimeout(connect, retryMs)));
    };
    connect();
  });
}

/** Connections that are closed occupy their ports for a while, so the clients use several addresses of 127.0.0.0/8. */
function sourceOf(number: number): string {
  return `127.0.${1 + (number % 200)}.1`;
}

/** Writes the bytes again and again, as long as the other end accepts them. */
export function pour(socket: net.Socket, bytes: Uint8Array): void {
  const more = () => {
    // A few blocks at a time, so that one socket does not occupy the loop.
    for (let block = 0; block < 4; block++) if (!socket.write(bytes)) return;
    setImmediate(more);
  };
  socket.on('drain', more);
  more();
}

/** Calls `act` for each of the clients once per interval, spread over it. Resolves when all have acted once. */
export async function inTurn<Client>(clients: Set<Client>, intervalMs: number, act: (client: Client) => void) {
  const groups = 50;
  let turn = 0;
  setInterval(() => {
    turn = (turn + 1) % groups;
    let at = 0;
    for (const client of clients) if (at++ % groups === turn) act(client);
  }, intervalMs / groups);
  await delay(intervalMs);
}
