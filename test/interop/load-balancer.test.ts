/** haproxy in front: with the PROXY protocol the real peer is known. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect as connectSocket } from 'node:net';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { serve, start } from '../support/command.ts';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { testWith } from '../support/tools.ts';

const haproxy = testWith(['haproxy', 'ncat'], 'apt-get install haproxy ncat');

haproxy.each(['send-proxy', 'send-proxy-v2'])('haproxy with %s', async (how) => {
  const server = await serve(['--proxy-protocol', '127.0.0.0/8']);
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
  // Its health check shows that it is up.
  await Promise.race([
    server.saw(/#1 connected/),
    balancer.ended.then(({ stderr }) => Promise.reject(new Error(stderr))),
  ]);
  const client = start(['ncat', '--source', '127.0.0.9', '127.0.0.1', String(port)]);
  client.process.stdin?.write('hello\n');
  await client.saw(/^hello$/m);
  await server.saw(/127\.0\.0\.9:\d+#\d+ 5 B hello/);
});

test('a connection of a balancer without a header is broken off, and the log says why', async () => {
  const server = await serve(['--proxy-protocol', '127.0.0.1']);
  const socket = connectSocket(server.port, '127.0.0.1').on('error', () => undefined);
  socket.write('hello\n');
  await once(socket, 'close');
  await server.saw(/refused: the PROXY protocol's header cannot be read: it begins as no version of it does/);
});

test('what others send is never taken for a header', async () => {
  const server = await serve(['--proxy-protocol', '192.0.2.1']);
  const line = 'PROXY TCP4 203.0.113.1 10.0.0.1 1 2\r\n';
  const socket = connectSocket(server.port, '127.0.0.1');
  socket.write(line);
  const [reply] = (await once(socket, 'data')) as [Buffer];
  expect(reply.toString()).toBe(line);
  socket.destroy();
});
