// A web page and TCP clients in one room. Run it, open the address that it prints, and talk to the page with `nc 127.0.0.1 7878`.
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { serve } from 'yodel';

const [tcpPort = '7878', webPort = '8080'] = process.argv.slice(2);

const server = await serve({
  listen: Number(tcpPort),
  upgradePath: '/room',
  handler: {
    open: (session) => void session.join('everyone'),
    message: (message, session) => void session.server.room('everyone').send(message),
  },
});

// The page, and the module for browsers: one file, as it is in the package.
const files: Record<string, readonly [type: string, file: URL]> = {
  '/': ['text/html; charset=utf-8', new URL('page.html', import.meta.url)],
  '/yodel.js': ['text/javascript', new URL(import.meta.resolve('yodel/browser'))],
};

const web = createServer((request, response) => {
  const [type, file] = files[request.url ?? ''] ?? [];
  if (!type || !file) return void response.writeHead(404).end();
  readFile(file).then(
    (content) => response.writeHead(200, { 'Content-Type': type }).end(content),
    () => response.writeHead(500).end(),
  );
});
web.on('upgrade', (request, socket, head) => {
  if (!server.handleUpgrade(request, socket, head)) socket.destroy();
});
web.listen(Number(webPort), '127.0.0.1', () => {
  const { port } = web.address() as AddressInfo;
  console.log(`tcp: ${server.addresses[0]}, page: http://127.0.0.1:${port}/`);
});

process.once('SIGTERM', () => {
  web.close();
  void server.close();
});
