/** `yodel serve proxy:ADDRESS` between real clients and servers. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { residentBytes } from '../../support/process/process.ts';
import { listen, listenTls } from '../../support/servers.ts';
import { testWith } from '../../support/tools.ts';

/** A proxy, with a client and the upstream socket in the hands of the test. */
async function behindProxy(...flags: string[]) {
  const came = Promise.withResolvers<Socket>();
  const upstream = await listen((socket) => came.resolve(socket));
  const server = await serve([`proxy:${upstream.address}`, ...flags]);
  const peer = await dial(server.port);
  return { server, peer, upstream: await came.promise };
}

async function all(socket: Socket): Promise<string> {
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1');
  });
  await once(socket, 'end');
  return text;
}

test.each([
  ['lines', [], 'one\r\ntwo\n\nthree\r\nno ending'],
  ['lines of any bytes', ['--encoding', 'binary'], 'a\xff\x00\r\nb\xfe\n'],
  ['raw', ['--framing', 'raw'], 'a prompt without an end: \x00\xff'],
  ['length', ['--framing', 'length:2'], '\0\x03abc\0\0\0\x02\n\r'],
])('%s pass unchanged in both directions', async (_, flags, text) => {
  const echo = await listen((socket) => socket.pipe(socket));
  const server = await serve([`proxy:${echo.address}`, ...flags]);
  const peer = await dial(server.port);
  await peer.send(Buffer.from(text, 'latin1'));
  peer.end();
  expect((await peer.ended).toString('latin1')).toBe(text);
});

test('the upstream server may speak first, and each session has its own connection', async () => {
  let count = 0;
  const upstream = await listen((socket) => socket.write(`220 you are ${++count}\r\n`));
  const server = await serve([`proxy:${upstream.address}`]);
  for (const number of [1, 2]) await (await dial(server.port)).saw(new RegExp(`^220 you are ${number}\r\n$`));
});

test('a client that ends first still gets what the server sends', async () => {
  const { peer, upstream } = await behindProxy();
  await peer.send('a\n');
  peer.end();
  expect(await all(upstream)).toBe('a\n');
  upstream.write('late\n');
  await peer.saw(/late\n/);
  upstream.end('last');
  expect((await peer.ended).toString()).toBe('late\nlast');
});

test('a server that ends first still gets what the client sends', async () => {
  const { server, peer, upstream } = await behindProxy();
  upstream.end('bye\n');
  expect((await peer.ended).toString()).toBe('bye\n');
  const received = all(upstream);
  const lines = 'more\n'.repeat(100_000);
  await peer.send(lines);
  peer.end();
  expect(await received).toBe(lines);
  await server.saw(/closed after [^\n]*100000 messages [^\n]*the peer ended it/);
});

test('a reset by the server resets the client', async () => {
  const { server, peer, upstream } = await behindProxy();
  peer.ended.catch(() => undefined);
  await peer.send('a\n');
  await once(upstream, 'data');
  upstream.resetAndDestroy();
  expect((await peer.closed)?.code).toBe('ECONNRESET');
  await server.saw(/yodel: \S+#1: the upstream server disconnected: /);
});

test('a reset by the client resets the server', async () => {
  const { peer, upstream } = await behindProxy();
  peer.ended.catch(() => undefined);
  await peer.send('a\n');
  await once(upstream, 'data');
  const broken = new Promise((resolve) => upstream.resume().on('close', resolve));
  peer.reset();
  await broken;
});

test('an unreachable server is one error reply and one log line, and later clients are served', async () => {
  const path = join(temporaryFolder(), 's');
  const server = await serve([`proxy:unix:${path}`]);
  const peer = await dial(server.port);
  expect((await peer.ended).toString()).toBe('error: the upstream server cannot be reached\n');
  await server.saw(/yodel: \S+#1: the upstream server cannot be reached: cannot connect to unix:\S+: there is no /);
  await serve(['--listen', `unix:${path}`]);
  expect(await (await dial(server.port)).ask('now')).toBe('now');
});

test('back-pressure reaches the other side, in both directions', async () => {
  const line = `${'x'.repeat(1023)}\n`;
  const block = Buffer.from(line.repeat(1024));
  const { server, peer, upstream } = await behindProxy('--quiet', '--drain-timeout', 'off');
  const before = residentBytes(server.pid);
  upstream.pause();
  let sent = 0;
  for (let isTaken = true; isTaken && sent < 64; sent++) {
    isTaken = await Promise.race([peer.send(block).then(() => true), delay(1000, false)]);
  }
  expect(sent).toBeLessThan(64);
  peer.socket.pause();
  let replied = 0;
  for (let isTaken = true; isTaken && replied < 64; replied++) {
    const taken = new Promise<boolean>((resolve) => upstream.write(block, () => resolve(true)));
    isTaken = await Promise.race([taken, delay(1000, false)]);
  }
  expect(replied).toBeLessThan(64);
  expect(residentBytes(server.pid) - before).toBeLessThan(48_000_000);
  // Nothing is lost when both continue.
  peer.socket.resume();
  let received = 0;
  upstream.on('data', (chunk: Buffer) => {
    received += chunk.length;
  });
  upstream.resume();
  await peer.sawBytes(replied * block.length);
  peer.end();
  await once(upstream, 'end');
  expect(received).toBe(sent * block.length);
});

testWith('openssl', 'apt-get install openssl')('the upstream server may speak TLS', async () => {
  const certificate = makeCertificate();
  const upstream = await listenTls(certificate, (socket) => socket.pipe(socket));
  const trusting = await serve([`proxy:${upstream.address}`, '--proxy-cacert', certificate.certificate]);
  expect(await (await dial(trusting.port)).ask('secret')).toBe('secret');
  const wary = await serve([`proxy:${upstream.address}`]);
  const peer = await dial(wary.port);
  expect((await peer.ended).toString()).toBe('error: the upstream server cannot be reached\n');
});

test('WebSocket clients can talk to a server with line framing', async () => {
  const echo = await serve([]);
  const server = await serve([`proxy:${echo.address}`, '--listen', 'ws://127.0.0.1:0']);
  const socket = new WebSocket(server.address.replace(/^tcp/, 'ws'));
  await once(socket, 'open');
  socket.send('hello');
  const [{ data }] = (await once(socket, 'message')) as [MessageEvent];
  expect(typeof data === 'string' ? data : Buffer.from(data).toString()).toBe('hello');
  socket.close();
});

test('a shutdown answers what has arrived', async () => {
  const echo = await serve([]);
  const server = await serve([`proxy:${echo.address}`]);
  const peer = await dial(server.port);
  expect(await peer.ask('a')).toBe('a');
  await peer.send('b\n');
  const { status } = await server.stop();
  expect((await peer.ended).toString()).toBe('a\nb\n');
  expect(status).toBe(0);
});

testWith(['redis-server', 'redis-cli'], 'apt-get install redis')(
  'redis-cli sees no difference from the server',
  async () => {
    const { start, run } = await import('../../support/process/command.ts');
    const path = join(temporaryFolder(), 'r');
    const redis = start(['redis-server', '--port', '0', '--unixsocket', path, '--save', '']);
    await redis.saw(/ready to accept connections/i);
    const server = await serve([`proxy:unix:${path}`, '--encoding', 'binary']);
    const cli = async (...words: string[]) =>
      (await run(['redis-cli', '-p', String(server.port), ...words])).stdout.toString();
    expect(await cli('set', 'k', 'a\r\nb')).toBe('OK\n');
    expect(await cli('--no-raw', 'get', 'k')).toBe('"a\\r\\nb"\n');
  },
);

test.each([
  [['proxy:'], /proxy: needs an address/],
  [['proxy:host:port'], /the port "port" is not a number/],
  [['proxy:ws://127.0.0.1:80'], /a proxy supports tcp:\/\/, tls:\/\/ and unix:\/\/ addresses, not ws:/],
])('%s is a usage error', async (args, expected) => {
  const { status, stderr } = await yodel(['serve', ...args, '--listen', '127.0.0.1:0']);
  expect(stderr).toMatch(expected);
  expect(status).toBe(2);
});
