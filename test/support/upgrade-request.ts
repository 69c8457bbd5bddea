import { connect, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

/** The request of a client that upgrades a connection to this port. @param more headers, such as `Cookie: a=b` */
export function upgradeRequest(port: number, path = '/', more: readonly string[] = []): string {
  return [
    `GET ${path} HTTP/1.1`,
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
    ...more,
    '\r\n',
  ].join('\r\n');
}

/** A client that has sent a request, and the head of the response. */
export interface Requested {
  readonly socket: Socket;
  /** In lower case. */
  readonly head: string;
  /** What followed the head. */
  readonly rest: string;
}

/** Requests an upgrade and waits for the head of the response, or the end of the connection. It is paused then. */
export async function requestUpgrade(port: number, path = '/', more: readonly string[] = []): Promise<Requested> {
  const socket = connect(port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write(upgradeRequest(port, path, more));
  let text = '';
  await new Promise<void>((resolve) => {
    socket.on('close', resolve).on('end', resolve);
    socket.on('data', function read(chunk) {
      text += chunk.toString('latin1');
      if (!text.includes('\r\n\r\n')) return;
      socket.off('data', read).pause();
      resolve();
    });
  });
  const [head = '', ...rest] = text.split('\r\n\r\n');
  return { socket, head: head.toLowerCase(), rest: rest.join('\r\n\r\n') };
}
