/** The framing of examples/checksum.ts, and a server of it, with node:net. */
import { createServer } from 'node:net';
import { Connection, type Framing, listen, PeerError } from './connection.ts';

const maxLength = 65_536;

const sentences: Framing = {
  findEnd(bytes) {
    if (bytes[0] !== 0x24) throw new PeerError('not a valid sentence: at byte 1: expected "$"');
    const end = bytes.indexOf('\r\n');
    if ((end === -1 ? bytes.length - 1 : end) > maxLength + 4) {
      throw new PeerError(`a message is longer than the limit of ${maxLength} bytes`);
    }
    return end === -1 ? -1 : end + 2;
  },
  decode(frame) {
    if (frame.length < 6) throw new PeerError('not a valid sentence: at byte 1: it is shorter than a checksum');
    const expected = checksum(frame.subarray(1, -5));
    const found = frame.toString('latin1', frame.length - 5, frame.length - 2);
    if (found === expected) return frame.toString('latin1', 1, frame.length - 5);
    throw new PeerError(
      `not a valid sentence: at byte ${frame.length - 4}: expected the checksum ${expected}, not ${found}`,
    );
  },
  encode(text) {
    if (/[\r\n]/.test(text)) throw new Error('it contains a line end');
    return Buffer.from(`$${text}${checksum(Buffer.from(text, 'latin1'))}\r\n`, 'latin1');
  },
};

/** All bytes XORed, after a star. */
function checksum(bytes: Uint8Array): string {
  const sum = bytes.reduce((before, byte) => before ^ byte, 0);
  return `*${sum.toString(16).toUpperCase().padStart(2, '0')}`;
}

export async function startServer(handle: (text: string) => string) {
  const accept = { framing: sentences, handle, formatError: (text: string) => `error: ${text}` };
  const server = createServer({ allowHalfOpen: true });
  return await listen(server, { port: 0 }, (socket) => new Connection(socket, accept));
}
