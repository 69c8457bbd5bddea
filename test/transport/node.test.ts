import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { TcpAddress, UnixAddress } from '../../src/address.ts';
import { nodeTransport } from '../../src/transport/node.ts';
import { describeTransport } from './contract.ts';
import { socketSizes as sizes } from './network.ts';
import { describeUnixSockets } from './unix-sockets.ts';

const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
afterAll(() => rmSync(folder, { recursive: true }));
let lastSocket = 0;
const freshSocket = () => new UnixAddress(join(folder, `${++lastSocket}.sock`));

const tcp = (host: string) => ({
  name: `TCP on ${host}`,
  freshAddress: () => new TcpAddress(host, 0),
  hasResets: true,
  hasHostNames: true,
  sizes,
});
const unix = { name: 'Unix sockets', freshAddress: freshSocket, hasResets: false, hasHostNames: false, sizes };

describeTransport('node:net', () => nodeTransport, [tcp('127.0.0.1'), tcp('::1'), unix]);
describeUnixSockets('node:net', () => nodeTransport, unix);
