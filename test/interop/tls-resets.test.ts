/** Clients of TLS that reset their connections right after a message: a client within this process cannot be as quick. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, vi } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { run, serve } from '../support/process/command.ts';
import { testWithPython } from '../support/tools.ts';

const clients = 60;

/** Connects, sends, and resets the connection without reading anything. */
const program = `
import socket, ssl, struct, sys
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
for client in range(${clients}):
    plain = socket.create_connection(('127.0.0.1', int(sys.argv[1])))
    plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    secured = context.wrap_socket(plain)
    secured.sendall(sys.argv[2].encode())
    secured.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
    secured.close()
`;

const later = 'export default ({ text }) => new Promise((resolve) => setTimeout(() => resolve(text), 300));';

testWithPython(['ssl'], ['/usr/bin/python3'], 'apt-get install python3').each([
  ['a whole message', 'a\n', 'export default ({ text }) => text;'],
  ['a part of one', 'a', 'export default ({ text }) => text;'],
  ['a message whose reply comes later', 'a\n', later],
])('a client that resets after %s frees its place', async (_what, sent, handler) => {
  const file = join(temporaryFolder(), 'handler.mjs');
  writeFileSync(file, handler);
  const server = await serve([file, '--listen', 'tls://127.0.0.1:0', '--tls-self-signed', '--metrics', '127.0.0.1:0']);
  const [, metrics = ''] = await server.saw(/(http:\S+\/metrics)/);
  expect((await run(['/usr/bin/python3', '-c', program, String(server.port), sent])).status).toBe(0);
  const all = new RegExp(`^yodel_connections_accepted_total ${clients}$`, 'm');
  const none = /^yodel_connections_open 0$/m;
  await vi.waitUntil(
    async () => {
      const text = await (await fetch(metrics)).text();
      return all.test(text) && none.test(text);
    },
    { timeout: 20_000, interval: 200 },
  );
  expect((await server.stop()).status).toBe(0);
});
