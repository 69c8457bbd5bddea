/** Where transports that use real sockets are tested. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import { TcpAddress, UnixAddress } from '../../src/address.ts';
import { type Place, socketSizes as sizes } from './network.ts';

const folder = mkdtempSync(join(tmpdir(), 'yodel-'));
afterAll(() => rmSync(folder, { recursive: true }));
let lastSocket = 0;

function tcp(host: string): Place {
  const freshAddress = () => new TcpAddress(host, 0);
  return { name: `TCP on ${host}`, freshAddress, hasResets: true, hasHostNames: true, sizes };
}

/** Unix sockets in the test file's own folder. */
export const unix: Place = {
  name: 'Unix sockets',
  freshAddress: () => new UnixAddress(join(folder, `${++lastSocket}.sock`)),
  hasResets: false,
  hasHostNames: false,
  sizes,
};

/** All of them. */
export const socketPlaces: readonly Place[] = [tcp('127.0.0.1'), tcp('::1'), unix];
