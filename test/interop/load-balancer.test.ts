/** haproxy in front of yodel: the PROXY protocol carries the address of the client. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { makeCertificate } from '../support/certificate.ts';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { type RunningServer, serve, start } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const haproxy = testWith(['haproxy', 'ncat', 'openssl'], 'apt-get install haproxy ncat openssl');

/** Starts haproxy in front of a server. Resolves with its port. */
async function balance(server: RunningServer, how: string): Promise<number> {
  const port = await freePort();
  const configuration = join(temporaryFolder(), 'haproxy.cfg');
  writeFileSync(
    configuration,
    `defaults
  mode tcp
  timeout connect 5s
  timeout client 30s
  timeout server 30s
listen yodel
  bind 127.0.0.1:${port}
  server yodel 127.0.0.1:${server.port} ${how} check
`,
  );
  const balancer = start(['haproxy', '-db', '-f', configuration]);
  // Its health check shows that it is up, though the check may be reset before it is accepted.
  const failed = balancer.ended.then(({ stderr }) => Promise.reject(new Error(stderr)));
  await Promise.race([server.saw(/#1 connected|refused: /), failed]);
  return port;
}

haproxy.each(['send-proxy', 'send-proxy-v2'])('haproxy with %s', async (how) => {
  const server = await serve(['--proxy-protocol', '127.0.0.0/8']);
  const port = await balance(server, how);
  const client = start(['ncat', '--source', '127.0.0.9', '127.0.0.1', String(port)]);
  client.process.stdin?.write('hello\n');
  await client.saw(/^hello$/m);
  await server.saw(/127\.0\.0\.9:\d+#\d+ 5 B hello/);
});

haproxy('the header precedes the TLS handshake, often in the same segment', async () => {
  const { certificate, key } = makeCertificate();
  const tls = ['--cert', certificate, '--key', key, '--listen', 'tls://127.0.0.1:0'];
  const server = await serve(['--proxy-protocol', '127.0.0.0/8', ...tls]);
  const port = await balance(server, 'send-proxy-v2');
  const client = start(['ncat', '--ssl', '--source', '127.0.0.9', '127.0.0.1', String(port)]);
  client.process.stdin?.write('hello\n');
  await client.saw(/^hello$/m);
  await server.saw(/127\.0\.0\.9:\d+#\d+ 5 B hello/);
});

test('a load balancer connection without a header is closed, and the log has the reason', async () => {
  const server = await serve(['--proxy-protocol', '127.0.0.1']);
  const socket = connectSocket(server.port, '127.0.0.1').on('error', () => undefined);
  socket.write('hello\n');
  await once(socket, 'close');
  await server.saw(/refused: invalid header of the PROXY protocol: it has no signature of version 1 or 2/);
});

test('headers from untrusted addresses are not parsed', async () => {
  const server = await serve(['--proxy-protocol', '192.0.2.1']);
  const line = 'PROXY TCP4 203.0.113.1 10.0.0.1 1 2\r\n';
  const socket = connectSocket(server.port, '127.0.0.1');
  socket.write(line);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  expect(reply.toString()).toBe(line);
  socket.destroy();
});
