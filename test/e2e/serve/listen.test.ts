import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { commandPath, serve, start, yodel } from '../../support/process/command.ts';

const hasIpv6 = Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === '::1'));

test('without --listen, the server listens on 127.0.0.1:7878, the default address', async () => {
  // If another process has the port, the error names the same address.
  const running = start([process.execPath, commandPath, 'serve']);
  const [, address] = await running.saw(/listen(?:ing)? on (tcp:\/\/[\d.]+:\d+)/);
  expect(address).toBe('tcp://127.0.0.1:7878');
});

test('serve listens at every --listen, prints each address with its port, and removes its socket file', async () => {
  const path = join(temporaryFolder(), 'socket');
  const server = await serve(['--listen', ':0', '--listen', `unix://${path}`, '--listen', '127.0.0.1:0']);
  await server.saw(/(.*listening on .*\n){3}/);
  const addresses = server.stderr().match(/(?<=listening on )\S+/g) ?? [];
  expect(addresses).toEqual([
    expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/),
    `unix://${path}`,
    expect.stringMatching(/^tcp:\/\/127\.0\.0\.1:\d+$/),
  ]);
  for (const address of addresses) {
    const where = address.startsWith('unix') ? path : Number(address.split(':').at(-1));
    const peer = await dial(where);
    expect(await peer.ask(`to ${address}`)).toBe(`to ${address}`);
    peer.end();
  }
  expect((await server.stop()).status).toBe(0);
  expect(existsSync(path)).toBe(false);
});

test.skipIf(!hasIpv6)('serve listens on IPv6, and prints addresses and peers in brackets', async () => {
  const server = await serve(['--listen', '[::1]:0']);
  expect(server.address).toMatch(/^tcp:\/\/\[::1\]:\d+$/);
  const peer = await dial(server.port, '::1');
  expect(await peer.ask('hello')).toBe('hello');
  await server.saw(/ \[::1\]:\d+#1 5 B hello/);
  const { stdout } = await yodel(['connect', server.address], { input: 'by yodel\n' });
  expect(stdout.toString()).toBe('by yodel\n');
});

test('a port that is taken is one clear line and exit status 1', async () => {
  const first = await serve();
  const { status, stdout, stderr } = await yodel(['serve', '--listen', first.address]);
  expect(stderr).toMatch(/^yodel: cannot listen on tcp:\/\/127\.0\.0\.1:\d+: the address is in use: [^\n]+\n$/);
  expect(stdout.toString()).toBe('');
  expect(status).toBe(1);
});

test('when one of several addresses is taken, none is served', async () => {
  const first = await serve();
  const path = join(temporaryFolder(), 'socket');
  const { status, stderr } = await yodel(['serve', '--listen', `unix://${path}`, '--listen', first.address]);
  expect(stderr).toMatch(/^yodel: cannot listen on [^\n]+\n$/);
  expect(status).toBe(1);
  expect(existsSync(path)).toBe(false);
});

test('an address that this machine does not have is one clear line and exit status 1', async () => {
  const { status, stderr } = await yodel(['serve', '--listen', '192.0.2.1:0']);
  expect(stderr).toBe('yodel: cannot listen on tcp://192.0.2.1:0: this machine does not have that address\n');
  expect(status).toBe(1);
});

test('a Unix socket in a directory that does not exist is one clear line and exit status 1', async () => {
  const path = join(temporaryFolder(), 'nowhere', 'socket');
  const { status, stderr } = await yodel(['serve', '--listen', `unix://${path}`]);
  expect(stderr).toBe(`yodel: cannot listen on unix://${path}: there is no such socket file or directory\n`);
  expect(status).toBe(1);
});

test('the socket file of a killed server is replaced', async () => {
  const listen = ['--listen', `unix://${join(temporaryFolder(), 'socket')}`];
  await (await serve(listen)).stop('SIGKILL');
  const server = await serve(listen);
  expect((await server.stop()).status).toBe(0);
});

test('listening on every interface is warned about once, on stderr', async () => {
  const server = await serve(['--listen', '0.0.0.0:0', '--listen', '127.0.0.1:0']);
  await server.saw(/anyone who can reach/);
  const { stderr, stdout } = await server.stop();
  expect(stderr.match(/anyone who can reach this machine can connect/g)).toHaveLength(1);
  expect(stdout.toString()).not.toContain('anyone');
});

test('listening on loopback gives no warning', async () => {
  const server = await serve(['--listen', 'localhost:0', '--listen', '127.0.0.2:0']);
  await server.saw(/(.*listening on .*\n){2}/);
  expect((await server.stop()).stderr).not.toContain('anyone');
});

test('YODEL_LISTEN names one or more addresses, and --listen overrides it', async () => {
  const env = { YODEL_LISTEN: '127.0.0.1:0, 127.0.0.1:0' };
  const both = start([process.execPath, commandPath, 'serve'], { env });
  await both.saw(/listening on tcp:\/\/127\.0\.0\.1:\d+\n.*listening on tcp:\/\/127\.0\.0\.1:\d+\n/);
  const path = join(temporaryFolder(), 'socket');
  const other = await serve(['--listen', `unix://${path}`], { env });
  expect(other.address).toBe(`unix://${path}`);
  expect((await other.stop()).stderr).not.toContain('tcp://');
});
