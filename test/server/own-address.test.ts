/** A server whose handler would connect to the server itself. */
import { mkdirSync, symlinkSync } from 'node:fs';
import { hostname, networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { parseAddress, type SocketAddress } from '../../src/address.ts';
import { connect } from '../../src/client/connect.ts';
import { proxy } from '../../src/handlers/proxy.ts';
import { refuseOwnAddress, refuseOwnAddressNow } from '../../src/server/own-address.ts';
import { serve } from '../../src/server/server.ts';
import { temporaryFolder } from '../support/files.ts';

const isItself = { code: 'YODEL_INVALID_ADDRESS', message: expect.stringContaining('is this server itself') };
const refuse = (upstream: string, ...listening: string[]) =>
  refuseOwnAddress(
    parseAddress(upstream),
    listening.map((one) => parseAddress(one) as SocketAddress),
  );

const own = Object.values(networkInterfaces())
  .flatMap((all) => all ?? [])
  .find(({ family, internal }) => family === 'IPv4' && !internal)?.address;

it.each([
  ['127.0.0.1:7000', '127.0.0.1:7000'],
  ['localhost:7000', '127.0.0.1:7000'],
  ['tls://localhost:7000', '0.0.0.0:7000'],
  ['ws://127.0.0.1:7000/chat', '[::]:7000'],
  ['[::ffff:127.0.0.1]:7000', '127.0.0.1:7000'],
  ['[0:0:0:0:0:0:0:1]:7000', '[::1]:7000'],
  ['127.0.0.9:7000', '0.0.0.0:7000'],
  ['0.0.0.0:7000', '127.0.0.1:7000'],
  [`${own ?? '127.0.0.1'}:7000`, '0.0.0.0:7000'],
])('%s is refused where the server listens on %s', async (upstream, listening) => {
  await expect(refuse(upstream, '127.0.0.1:1', listening)).rejects.toMatchObject(isItself);
});

it.each([
  ['127.0.0.1:7001', '127.0.0.1:7000'],
  ['127.0.0.2:7000', '127.0.0.1:7000'],
  ['[::1]:7000', '0.0.0.0:7000'],
  ['192.0.2.1:7000', '[::]:7000'],
  ['no-such-host.invalid:7000', '0.0.0.0:7000'],
  [`${hostname()}:7001`, '0.0.0.0:7000'],
  ['unix:///no/such/file', '127.0.0.1:7000'],
  ['exec:cat', '127.0.0.1:7000'],
])('%s is another server than one that listens on %s', async (upstream, listening) => {
  await refuse(upstream, listening);
});

it.each([
  ['127.0.0.1:7000', '127.0.0.1:7000'],
  ['LOCALHOST:7000', '0.0.0.0:7000'],
  ['[::1]:7000', 'localhost:7000'],
])('%s is refused at once where the server listens on %s, without looking up names', (upstream, listening) => {
  const refuseNow = () => refuseOwnAddressNow(parseAddress(upstream), [parseAddress(listening) as SocketAddress]);
  expect(refuseNow).toThrow(/is this server itself/);
});

it('a server does not become a proxy to itself by a reload, and goes on as before', async () => {
  const server = await serve({ listen: '127.0.0.1:0' });
  const { port } = server.addresses[0] as { readonly port: number };
  await expect(server.reload({ handler: proxy(port), maxMessages: 1 })).rejects.toThrow(/is this server itself/);
  const client = await connect(port);
  expect((await client.request('a')).text).toBe('a');
  expect((await client.request('b')).text).toBe('b');
  await client.close();
  await server.close();
});

it('a socket is found by any path before it is made, because workers start before it is', async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, 'real'));
  symlinkSync(join(folder, 'real'), join(folder, 'way'));
  symlinkSync('way/own.sock', join(folder, 'first'));
  symlinkSync('first', join(folder, 'second'));
  symlinkSync('round', join(folder, 'round'));
  const own = `unix:${join(folder, 'real', 'own.sock')}`;
  for (const path of ['real/own.sock', 'way/own.sock', 'real/../way/own.sock', 'first', 'second']) {
    await expect(refuse(`unix:${folder}/${path}`, own), path).rejects.toMatchObject(isItself);
  }
  for (const path of ['real/other.sock', 'own.sock', 'round', 'nowhere/own.sock'])
    await refuse(`unix:${folder}/${path}`, own);
});

it('a server does not start as a proxy to its own socket, by whatever path, and leaves nothing behind', async () => {
  const folder = temporaryFolder();
  const path = join(folder, 'own.sock');
  const link = join(folder, 'link.sock');
  symlinkSync(path, link);
  const listen = `unix:${path}`;
  await expect(serve({ listen, handler: proxy(`unix:${link}`) })).rejects.toMatchObject(isItself);
  const server = await serve({ listen, handler: proxy(`unix:${join(folder, 'other.sock')}`) });
  await server.close();
});
