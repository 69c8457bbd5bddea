import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Address } from '../../src/address.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { Peer } from '../../src/testing/peer.ts';
import { nodeTransport } from '../../src/transport/node.ts';

/** A server on a free TCP port, unless the options say otherwise. It is closed when the test is over. */
export async function serveOnSockets(options: ServeOptions = {}): Promise<Server> {
  const server = await serve({ listen: '127.0.0.1:0', ...options });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return server;
}

/** A new connection to a server; by default to the first of its addresses. */
export async function connectTo(server: Server, address = server.addresses[0] as Address): Promise<Peer> {
  const peer = new Peer(await nodeTransport.connect(address));
  onTestFinished(() => peer.connection.abort());
  return peer;
}

/** A path for a Unix socket. It is removed when the test is over. */
export function freshSocketPath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return join(folder, 'server.sock');
}
