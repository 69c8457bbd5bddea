/** Clients that try to fill a server's memory. Their sockets are not read unless an attack says so. */
import { once } from 'node:events';
import * as net from 'node:net';
import * as tls from 'node:tls';
import { frameBytes } from '../../support/websocket-frames.ts';

/** Connections that are opened at a time: fewer than the backlog of a listener. */
const atOnce = 120;

/** Clients of one server, which are all closed together. */
export class Clients {
  readonly #address: URL;
  readonly #sockets: net.Socket[] = [];

  /** @param address as the server prints it */
  constructor(address: string) {
    this.#address = new URL(address);
  }

  /**
   * Opens connections, and lets each of them do something. Resolves when all are done or disconnected.
   *
   * @param isRaw whether they do no handshake
   */
  async each(count: number, act: (client: net.Socket) => Promise<unknown>, isRaw = false): Promise<void> {
    let next = 0;
    const work = async () => {
      while (next++ < count) await act(await this.#dial(isRaw));
    };
    await Promise.all(Array.from({ length: atOnce }, work));
  }

  /** Disconnects all. */
  close(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async #dial(isRaw: boolean): Promise<net.Socket> {
    const { protocol, hostname, port, pathname } = this.#address;
    const isSecure = !isRaw && (protocol === 'tls:' || protocol === 'wss:');
    const to = protocol === 'unix:' ? { path: pathname } : { host: hostname, port: Number(port) };
    const socket = isSecure ? tls.connect({ ...to, rejectUnauthorized: false }) : net.connect(to);
    socket.on('error', () => undefined);
    this.#sockets.push(socket);
    await once(socket, isSecure ? 'secureConnect' : 'connect');
    if (!isSecure) socket.setNoDelay(true);
    if (!isRaw && (protocol === 'ws:' || protocol === 'wss:')) await upgrade(socket, hostname);
    socket.pause();
    return socket;
  }
}

async function upgrade(socket: net.Socket, host: string): Promise<void> {
  const lines = ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='];
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n${lines.join('\r\n')}\r\nSec-WebSocket-Version: 13\r\n\r\n`);
  await once(socket, 'data');
}

/** Resolves when the kernel has taken the bytes, or the client is disconnected. */
export function send(client: net.Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve) => {
    if (client.destroyed) return resolve();
    client.once('close', resolve);
    client.write(bytes, () => {
      client.off('close', resolve);
      resolve();
    });
  });
}

/** Sends as much as the kernel takes within a moment: the server stops reading at some point. */
export async function sendWhatFits(client: net.Socket, bytes: string | Uint8Array): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const stuck = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, 300);
  });
  await Promise.race([send(client, bytes), stuck]);
  clearTimeout(timer);
}

/** A fragment of a WebSocket message with one byte of payload. */
export function fragment(isFirst: boolean): Buffer {
  return frameBytes({ opcode: isFirst ? 1 : 0, isFinal: false, length: 1 });
}

export const pong: Buffer = frameBytes({ opcode: 10, isFinal: true, length: 0 });
export const ping: Buffer = frameBytes({ opcode: 9, isFinal: true, length: 125 });
