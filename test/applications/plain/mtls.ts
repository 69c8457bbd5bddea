/** What a client may do depends on its certificate, as in examples/mtls.ts, with node:tls. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createServer, type TLSSocket } from 'node:tls';
import { Connection, lines, listen, PeerError } from './connection.ts';

const read = (name: string) => readFileSync(join(process.env.FOLDER ?? '.', name), 'utf8');

const rights = new Map([
  ['spiffe://example.org/billing', ['read', 'write']],
  ['spiffe://example.org/reports', ['read']],
]);

/** The alternative names are one text. In a name that is quoted, commas are escaped. */
function uriNames({ subjectaltname = '' }: { readonly subjectaltname?: string | undefined }): string[] {
  const names = subjectaltname.split(', ').filter((name) => name.startsWith('URI:'));
  return names.map((name) => name.slice(4)).map((name) => (name.startsWith('"') ? JSON.parse(name) : name));
}

const server = createServer({
  cert: read('server.pem'),
  key: read('server.key'),
  ca: read('ca.pem'),
  requestCert: true,
  rejectUnauthorized: true,
  minVersion: 'TLSv1.2',
  handshakeTimeout: 10_000,
  allowHalfOpen: true,
});
// A client that breaks off its handshake, or has no certificate of the authority.
server.on('tlsClientError', (_, socket) => socket.destroy());

const accept = (socket: TLSSocket) => {
  const [identity, ...others] = uriNames(socket.getPeerCertificate());
  const isClear = identity !== undefined && others.length === 0;
  const may = new Set(isClear ? rights.get(identity) : []);
  return new Connection(socket, {
    framing: lines(),
    formatError: (text) => `error: ${text}`,
    handle(text) {
      const [action = ''] = text.split(' ');
      if (may.has(action)) return `${action}: done`;
      console.log(`log: APP_FORBIDDEN: ${identity} may not ${action}`);
      throw new PeerError('your certificate is not for this');
    },
  });
};
const { port } = await listen(server, { port: 0 }, (socket) => accept(socket as TLSSocket), 'secureConnection');
console.log(`listening on tls://127.0.0.1:${port}`);
