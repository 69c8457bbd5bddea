/** WebSocket by hand: frames that no client library sends, cut where the test wants. */
import { dial, type Peer } from './peer.ts';

/** One frame of a client (RFC 6455, section 5.2). */
export interface Frame {
  readonly opcode: number;
  readonly isFinal: boolean;
  readonly length: number;
}

/** The frame, masked with zeros, its payload all `x`. */
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

/** The whole of a text message. */
export function textFrame(length: number): Buffer {
  return frameBytes({ opcode: 1, isFinal: true, length });
}

/** Asks a port of 127.0.0.1 for WebSocket, with bytes right behind the request; resolves when the server has agreed. */
export async function dialWebSocket(port: number, behind: Uint8Array = new Uint8Array()): Promise<Peer> {
  const peer = await dial(port);
  const lines = [
    'GET / HTTP/1.1',
    `Host: 127.0.0.1:${port}`,
    'Upgrade: websocket',
    'Connection: Upgrade',
    'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==',
    'Sec-WebSocket-Version: 13',
  ];
  await peer.send(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), behind]));
  await peer.saw(/^HTTP\/1\.1 101 [\s\S]*?\r\n\r\n/);
  return peer;
}
