/** A way to a broker that can be blocked, as by a network that is cut, or a process that is stopped. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export class Passage {
  readonly port: number;
  readonly #sockets: Set<Socket>;
  #isBlocked = false;

  private constructor(port: number, sockets: Set<Socket>) {
    this.port = port;
    this.#sockets = sockets;
  }

  /** @param to a port of 127.0.0.1 */
  static async to(to: number): Promise<Passage> {
    const sockets = new Set<Socket>();
    const server = createServer({ noDelay: true }, (client) => {
      const upstream = connect({ host: '127.0.0.1', port: to, noDelay: true });
      for (const [from, into] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        from.on('error', () => undefined);
        from.on('close', () => {
          sockets.delete(from);
          into.destroy();
        });
        from.pipe(into);
      }
      if (passage.#isBlocked) for (const socket of [client, upstream]) socket.pause();
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const passage = new Passage((server.address() as AddressInfo).port, sockets);
    onTestFinished(() => {
      for (const socket of sockets) socket.destroy();
      server.close();
    });
    return passage;
  }

  /** Nothing passes any more, in either direction. */
  block(): void {
    this.#isBlocked = true;
    for (const socket of this.#sockets) socket.pause();
  }

  open(): void {
    this.#isBlocked = false;
    for (const socket of this.#sockets) socket.resume();
  }
}
