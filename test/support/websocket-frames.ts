/** WebSocket frames that no client library sends, for raw sockets. */
import { dial, type Peer } from './peer.ts';
import { upgradeRequest } from './upgrade-request.ts';

/** A frame of a client (RFC 6455, section 5.2). */
export interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly length: number;
}

/** The bytes of the frame, masked with zeros, with a payload of `x`. */
export function frameBytes({ opcode, isFinal, length }: Frame): Buffer {
  const first = (isFinal ? 0x80 : 0) | opcode;
  const mask = Buffer.alloc(4);
  const payload = Buffer.alloc(length, 'x');
  if (length < 126) return Buffer.concat([Buffer.of(first, 0x80 | length), mask, payload]);
  const long = Buffer.alloc(length < 65_536 ? 4 : 10);
  long[0] = first;
  long[1] = 0x80 | (length < 65_536 ? 126 : 127);
  if (length < 65_536) long.writeUInt16BE(length, 2);
  else long.writeBigUInt64BE(BigInt(length), 2);
  return Buffer.concat([long, mask, payload]);
}

/** A text message in one frame. */
export function textFrame(length: number): Buffer {
  return frameBytes({ opcode: 1, isFinal: true, length });
}

/** Sends a WebSocket handshake to a port of 127.0.0.1, with more bytes right after it. Resolves when it is accepted. */
export async function dialWebSocket(port: number, after: Uint8Array = new Uint8Array()): Promise<Peer> {
  const peer = await dial(port);
  await upgradeToWebSocket(peer, port, after);
  return peer;
}

/** Does the same on a connection to that port. */
export async function upgradeToWebSocket(
  peer: Peer,
  port: number,
  after: Uint8Array = new Uint8Array(),
): Promise<void> {
  await peer.send(Buffer.concat([Buffer.from(upgradeRequest(port)), after]));
  await peer.saw(/^HTTP\/1\.1 101 [\s\S]*?\r\n\r\n/);
}
