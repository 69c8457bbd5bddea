/** A TCP relay that splits and records the bytes. */
import { hash } from 'node:crypto';
import { once } from 'node:events';
import * as net from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onTestFinished } from 'vitest';

/** The bytes of one connection. */
export interface Stream {
  readonly sent: Buffer;
  readonly replied: Buffer;
}

export interface Relay {
  readonly port: number;
  /** The bytes sent by clients. */
  sent(): Buffer;
  /** The bytes sent by the server. */
  replied(): Buffer;
  /** The same for each connection, in the order of their opening. */
  connections(): Stream[];
}

/**
 * Relays to a port of 127.0.0.1, in separate writes of at most `piece` bytes; `sentPiece` and `repliedPiece` set that for one
 * direction.
 */
export async function relay(
  to: number,
  options: { readonly piece?: number; readonly sentPiece?: number; readonly repliedPiece?: number } = {},
): Promise<Relay> {
  const { piece = Number.POSITIVE_INFINITY, sentPiece = piece, repliedPiece = piece } = options;
  const sent: Buffer[] = [];
  const replied: Buffer[] = [];
  const connections: { sent: Buffer[]; replied: Buffer[] }[] = [];
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
    const upstream = net.connect({ host: '127.0.0.1', port: to, allowHalfOpen: true, noDelay: true });
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()).on('close', () => sockets.delete(socket));
    }
    const own = { sent: [], replied: [] };
    connections.push(own);
    forward(client, upstream, sentPiece, [sent, own.sent]);
    forward(upstream, client, repliedPiece, [replied, own.replied]);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return {
    port: (server.address() as net.AddressInfo).port,
    sent: () => Buffer.concat(sent),
    replied: () => Buffer.concat(replied),
    connections: () =>
      connections.map((own) => ({ sent: Buffer.concat(own.sent), replied: Buffer.concat(own.replied) })),
  };
}

/** The length and hash of the bytes of each connection, which are short where they differ. */
export function digest(streams: readonly Stream[]): string[] {
  return streams.map(({ sent, replied }) => [sent, replied].map((it) => `${it.length}: ${hash('sha256', it)}`).join());
}

function forward(from: net.Socket, to: net.Socket, piece: number, records: readonly Buffer[][]): void {
  let last = Promise.resolve();
  from.on('data', (chunk: Buffer) => {
    for (const record of records) record.push(chunk);
    from.pause();
    last = writeInPieces(to, chunk, piece).then(() => void from.resume());
  });
  from.on('end', () => void last.then(() => to.end()));
  // A reset on one side resets the other.
  from.on('close', (broken) => broken && to.destroy());
}

async function writeInPieces(to: net.Socket, chunk: Buffer, piece: number): Promise<void> {
  for (let at = 0; at < chunk.length && !to.destroyed; at += piece) {
    // A turn of the event loop between two pieces, or the receiver would read them together.
    if (at > 0) await nextTurn();
    if (!to.write(chunk.subarray(at, at + piece))) await once(to, 'drain').catch(() => undefined);
  }
}
