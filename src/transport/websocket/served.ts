/** The server's side of a WebSocket. */
import { isUtf8 } from 'node:buffer';
import type { Socket } from 'node:net';
import type { WebSocket } from 'ws';
import type { Address } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import type { Framing } from '../../framing/framing.ts';
import { length } from '../../framing/length.ts';
import type { Connection, Security } from '../transport.ts';
import { WebSocketConnection } from './connection.ts';
import { FrameProgress } from './frame-progress.ts';

/**
 * A session sees the messages of a WebSocket as frames of this framing, so that its decoder, limits and output work
 * unchanged. Each message is preceded by one byte for its kind. A reply has the kind of the message it answers.
 */
const served: Framing = { ...length({ bytes: 4, offset: 1 }), name: 'websocket' };
const headerSize = 5;
const kind = { byContent: 0, text: 1, binary: 2 };

class ServedWebSocket extends WebSocketConnection {
  override readonly carriesMessages = false;
  readonly framing = served;
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

  /** Takes whole frames: an output never splits them. */
  override write(bytes: Uint8Array): void {
    const frames = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    // Corked, so that the socket sends them in one write.
    this.#tcp.cork();
    for (let at = 0; at < frames.length; ) {
      const end = at + headerSize + frames.readUInt32BE(at + 1);
      const message = frames.subarray(at + headerSize, end);
      const isBinary = frames[at] === kind.byContent ? !isUtf8(message) : frames[at] === kind.binary;
      this.send(message, isBinary);
      at = end;
    }
    this.#tcp.uncork();
  }

  protected override chunkOf(message: Buffer, isBinary: boolean): Buffer {
    const frame = Buffer.allocUnsafe(headerSize + message.length);
    frame[0] = isBinary ? kind.binary : kind.text;
    frame.writeUInt32BE(message.length, 1);
    frame.set(message, headerSize);
    return frame;
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
