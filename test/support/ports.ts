/** Ports for programs that cannot choose a free one themselves. */
import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Below the ports that Linux gives to those that ask for any (32768 and up): a port of those could be given to another program
 * between being found free here and being used.
 */
const [first, last] = [10_000, 32_000] as const;

/** A port of 127.0.0.1 that no other test gets while this process runs, and that nothing listens on. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(first, last);
    if ((await isReserved(port)) && (await isFree(port))) return port;
  }
}

/** Reserves a port: who has it for UDP at an address that nothing else uses may use it for TCP. */
async function isReserved(port: number): Promise<boolean> {
  const lock = createSocket('udp4').unref();
  try {
    lock.bind({ port, address: '127.0.0.2', exclusive: true });
    await once(lock, 'listening');
    return true;
  } catch {
    // Another test has it.
    lock.close();
    return false;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  } catch {
    return false;
  }
  server.close();
  await once(server, 'close');
  return true;
}
