// What an idle connection costs the server: resident memory with N connected clients, each of which has exchanged one
// message, less the memory before, divided by N. The clients live in another process. Linux only.
//
//   npm run bench:idle            on Node
//   npm run bench:idle -- bun     on Bun
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import * as net from 'node:net';

const count = 10_000;
const command = new URL('../dist/cli/yodel.cjs', import.meta.url).pathname;

if (process.argv[2] === 'clients') await connectClients(Number(process.argv[3]));
else await measure(process.argv[2] ?? 'node');

async function measure(runtime: string): Promise<void> {
  const server = spawn(runtime, [command, 'serve', '--quiet', '--listen', '127.0.0.1:0', '--max-connections', '20000']);
  const port = await new Promise<string>((resolve) => {
    server.stderr.on('data', (text) => {
      const match = /listening on .*:(\d+)/.exec(String(text));
      if (match?.[1]) resolve(match[1]);
    });
  });
  // One client first, so that what the first connection alone costs (code, pools) is not counted as connection memory.
  await connectOne(Number(port)).then((socket) => socket.destroy());
  const before = residentMemory(server.pid);
  const clients = spawn(process.execPath, [import.meta.filename, 'clients', port], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(clients.stdout, 'data');
  const each = (residentMemory(server.pid) - before) / count;
  console.log(`${runtime}: ${count} idle connections, ${(each / 1024).toFixed(1)} KiB of resident memory each`);
  clients.kill();
  await once(clients, 'close');
  server.kill();
}

async function connectClients(port: number): Promise<void> {
  for (let made = 0; made < count; made += 100) {
    await Promise.all(Array.from({ length: 100 }, () => connectOne(port)));
  }
  process.stdout.write('connected\n');
}

async function connectOne(port: number): Promise<net.Socket> {
  const socket = net.connect({ host: '127.0.0.1', port });
  socket.write(`${'x'.repeat(63)}\n`);
  await once(socket, 'data');
  return socket;
}

function residentMemory(pid: number | undefined): number {
  return 1024 * Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
}
