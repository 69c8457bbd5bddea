/** The beginning of a TLS handshake, for clients that do not complete it. */
import { Duplex } from 'node:stream';
import * as tls from 'node:tls';

/** What a client of TLS sends first. */
export async function clientHello(): Promise<Buffer> {
  return await new Promise((resolve) => {
    const stream = new Duplex({
      read: () => undefined,
      write: (chunk: Buffer, _encoding, written) => {
        resolve(chunk);
        written();
      },
    });
    tls.connect({ socket: stream, rejectUnauthorized: false }).on('error', () => undefined);
  });
}
