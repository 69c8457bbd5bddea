/** The server's side of a WebSocket. */
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Address } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Connection, Security } from '../transport.ts';
import { WebSocketConnection } from './connection.ts';
import { FrameProgress } from './frame-progress.ts';

class ServedWebSocket extends WebSocketConnection {
  readonly security: Security | undefined;
  readonly #tcp: Socket;
  readonly #limit: number;
  readonly #progress = new FrameProgress();

  constructor(socket: WebSocket, tcp: Socket, ends: [Address, Address], security: Security | undefined, limit: number) {
    super(socket, ...ends);
    this.#tcp = tcp;
    this.security = security;
    this.#limit = limit;
    // Added after the listener of `ws`, which by then has delivered the messages that a chunk completes.
    tcp.on('data', (chunk: Buffer) => {
      this.#progress.take(chunk);
      this.reportUnfinished();
    });
  }

  protected override get unfinished(): number {
    return this.#progress.unfinished;
  }

  override write(bytes: Uint8Array): void {
    // Corked, so that the socket sends all messages in one write.
    this.#tcp.cork();
    super.write(bytes);
    this.#tcp.uncork();
  }

  protected override explain(error: Error): Error {
    if (!/max payload size/i.test(error.message)) return error;
    const text = `a message is longer than the limit of ${this.#limit} bytes`;
    return new YodelError('YODEL_MESSAGE_TOO_LONG', text, { cause: error });
  }
}

/** The server's side of a WebSocket after the handshake. @param tcp the socket that it runs on */
export function servedConnection(
  socket: WebSocket,
  tcp: Socket,
  ends: { readonly local: Address; readonly peer: Address },
  security: Security | undefined,
  maxMessageLength: number,
): Connection {
  socket.binaryType = 'nodebuffer';
  return new ServedWebSocket(socket, tcp, [ends.local, ends.peer], security, maxMessageLength);
}
