/** `yodel serve proxy:ADDRESS` between real clients and servers. */
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
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

/** What a client receives that the proxy closes at once, perhaps before the client knows that it is connected. */
async function closedAtOnce(port: number): Promise<{ text: string; code: string | undefined }> {
  let text = '';
  let code: string | undefined;
  const socket = connect(port, '127.0.0.1');
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    code = error.code;
  });
  await new Promise((resolve) => socket.on('close', resolve));
  return { text, code };
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
  ['lines of any bytes', [], 'a\xff\x00\r\nb\xfe\n'],
  ['raw', ['--framing', 'raw'], 'a prompt without an end: \x00\xff'],
  ['slip, with ends between frames', ['--framing', 'slip'], '\xc0\xc0a\xc0\xc0b\xc0\xc0'],
  ['cobs, with empty frames', ['--framing', 'cobs'], '\x00\x02a\x00\x00'],
  ['mllp, with line ends between messages', ['--protocol', 'mllp'], '\r\n\x0ba\x1c\r\n\x0bb\x1c\r\r\n'],
  ['length', ['--framing', 'length:2'], '\0\x03abc\0\0\0\x02\n\r'],
])('%s pass unchanged in both directions', async (_, flags, text) => {
  const echo = await listen((socket) => socket.pipe(socket));
  const server = await serve([`proxy:${echo.address}`, ...flags]);
  const peer = await dial(server.port);
  await peer.send(Buffer.from(text, 'latin1'));
  peer.end();
  expect((await peer.ended).toString('latin1')).toBe(text);
});

test('a ring of two proxies ends at the limit of one, with the reason, and leaves nothing behind', async () => {
  const file = join(temporaryFolder(), 'yodel.toml');
  writeFileSync(file, 'maxConnections = 20\n');
  const first = await serve(['--config', file, '--quiet']);
  const second = await serve([`proxy:${first.address}`, '--quiet']);
  writeFileSync(file, `handler = "proxy:${second.address}"\nmaxConnections = 20\n`);
  first.process.kill('SIGHUP');
  await first.saw(/yodel: reloaded/);
  for (const round of [1, 2]) {
    expect(await closedAtOnce(first.port)).toEqual({ text: '', code: 'ECONNRESET' });
    const refused = 'refused: the server has reached its limit of 20 connections; .* the upstream may lead back here';
    await first.saw(new RegExp(`(?:${refused}[^]*){${round}}`));
  }
  for (const { process } of [first, second]) process.kill('SIGTERM');
  expect(await Promise.all([first.ended, second.ended])).toMatchObject([{ status: 0 }, { status: 0 }]);
});

test('the upstream server may speak first, and each session has its own connection', async () => {
  let count = 0;
  const upstream = await listen((socket) => socket.write(`220 you are ${++count}\r\n`));
  const server = await serve([`proxy:${upstream.address}`]);
  for (const number of [1, 2]) await (await dial(server.port)).saw(new RegExp(`^220 you are ${number}\r\n$`));
});

test.each([
  ['limit 20MB', 20_000_000],
  ['limit 9B', 9],
])('a slow server gets everything before "%s", and the end instead of a reset', async (fault, size) => {
  const { peer, upstream } = await behindProxy('--framing', 'raw', '--fault', `request ${fault}`, '--quiet');
  peer.ended.catch(() => undefined);
  peer.socket.end(Buffer.alloc(size + 100_000));
  let received = 0;
  upstream.on('data', (chunk: Buffer) => {
    received += chunk.length;
    // It answers each chunk, also after the proxy has ended.
    upstream.write('ok\n'.repeat(100));
    upstream.pause();
    setTimeout(() => upstream.resume(), 1);
  });
  await once(upstream, 'end');
  expect(received).toBe(size);
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
  // A line that arrives in two chunks is passed on as two.
  await server.saw(/closed after [^\n]*1000\d\d messages \(500000 B\)[^\n]*the handler ended it/);
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

test.each([[], ['--quiet']])(
  'an unreachable server is a reset without a reply, and a line on stderr (%s)',
  async (...flags) => {
    const path = join(temporaryFolder(), 's');
    const server = await serve([`proxy:unix:${path}`, ...flags]);
    expect(await closedAtOnce(server.port)).toEqual({ text: '', code: 'ECONNRESET' });
    await server.saw(/yodel: \S+#1: the upstream server cannot be reached: cannot connect to unix:\S+: there is no /);
    await serve(['--listen', `unix:${path}`]);
    expect(await (await dial(server.port)).ask('now')).toBe('now');
  },
);

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
  expect((await closedAtOnce(wary.port)).text).toBe('');
  await wary.saw(/cannot be reached: .*its certificate is not signed/);
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

test.each([[], ['--quiet']])(
  'a client at fault gets no reply of the proxy, and its connection ends (%s)',
  async (...flags) => {
    const { server, peer } = await behindProxy('--max-message', '8', ...flags);
    peer.ended.catch(() => undefined);
    await peer.send('longer than that\n');
    expect((await peer.ended).toString()).toBe('');
    await server.saw(/yodel: \S+#1: message 1 is longer than the limit of 8 bytes/);
  },
);

test('a client that is refused gets no reply of the proxy', async () => {
  const { server } = await behindProxy('--max-connections', '1');
  expect((await closedAtOnce(server.port)).text).toBe('');
});

test('the log has both directions, attributed; with --quiet there is none', async () => {
  const echo = await listen((socket) => socket.once('data', () => socket.end('login: ')));
  const talk = async (...flags: string[]) => {
    const server = await serve([`proxy:${echo.address}`, ...flags]);
    const peer = await dial(server.port);
    await peer.send('hello\r\n');
    // A prompt without an end arrives, too.
    await peer.saw(/login: /);
    peer.end();
    await peer.ended;
    return { server, lines: async () => (await server.stop()).stdout.toString().split('\n').filter(Boolean) };
  };
  const text = await talk('--log-format', 'text');
  await text.server.saw(/closed/);
  const line = String.raw`^\S+ 127\.0\.0\.1:\d+#1 `;
  expect(await text.lines()).toEqual([
    expect.stringMatching(`${line}connected$`),
    expect.stringMatching(`${line}> 5 B hello$`),
    expect.stringMatching(`${line}< 7 B login: $`),
    expect.stringMatching(`${line}closed after`),
  ]);
  const json = await talk('--json');
  await json.server.saw(/"event":"closed"/);
  const messages = (await json.lines()).map((one) => JSON.parse(one)).filter(({ event }) => event === 'message');
  expect(messages).toMatchObject([
    { session: 1, direction: 'request', bytes: 5, text: 'hello' },
    { session: 1, direction: 'reply', bytes: 7, text: 'login: ' },
  ]);
  expect(await (await talk('--quiet')).lines()).toEqual([]);
});

test('without a framing, bytes pass at once and there is no limit on a message', async () => {
  const { peer, upstream } = await behindProxy('--quiet');
  await peer.send('no end');
  expect((await once(upstream, 'data')).toString()).toBe('no end');
  upstream.write('password: ');
  await peer.saw(/^password: $/);
  const large = 'x'.repeat(20_000_000);
  const received = all(upstream);
  await peer.send(large);
  peer.end();
  expect((await received).length).toBe(large.length);
});

test('line endings pass unchanged, whatever the client uses itself', async () => {
  const { peer, upstream } = await behindProxy();
  await peer.send('crlf\r\n');
  await once(upstream, 'data');
  upstream.write('lf\nand crlf\r\n');
  await peer.saw(/^lf\nand crlf\r\n$/);
});

test('a server with another framing: lines in front, a length behind', async () => {
  const came = Promise.withResolvers<Socket>();
  const upstream = await listen((socket) => came.resolve(socket));
  const server = await serve([`proxy:${upstream.address}`, '--upstream-framing', 'length:2']);
  const peer = await dial(server.port);
  await peer.send('hi\nthere\n');
  const socket = await came.promise;
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  await expect.poll(() => Buffer.concat(chunks).toString('latin1')).toBe('\0\x02hi\0\x05there');
  socket.write('\0\x03yes');
  await peer.saw(/^yes\n$/);
  // A reply that is two lines cannot be expressed in front: it is reported, and the next one arrives.
  socket.write('\0\x03a\nb\0\x03end');
  await peer.saw(/^yes\nend\n$/);
});

test('a server that speaks WebSocket, behind WebSocket: text and binary messages keep their kind', async () => {
  const echo = await serve(['--listen', 'ws://127.0.0.1:0']);
  const server = await serve([`proxy:${echo.address.replace(/^tcp/, 'ws')}`, '--listen', 'ws://127.0.0.1:0']);
  const socket = new WebSocket(server.address.replace(/^tcp/, 'ws'));
  socket.binaryType = 'arraybuffer';
  await once(socket, 'open');
  const ask = async (message: string | Uint8Array<ArrayBuffer>) => {
    socket.send(message);
    const [{ data }] = (await once(socket, 'message')) as [{ data: string | ArrayBuffer }];
    return typeof data === 'string' ? data : new Uint8Array(data);
  };
  expect(await ask('two\nlines')).toBe('two\nlines');
  expect(await ask(Uint8Array.of(0x61, 0x0a))).toEqual(Uint8Array.of(0x61, 0x0a));
  expect(await ask(Uint8Array.of(0xff))).toEqual(Uint8Array.of(0xff));
  socket.close();
});

test('a server that speaks WebSocket, behind lines', async () => {
  const echo = await serve(['--listen', 'ws://127.0.0.1:0']);
  const server = await serve([`proxy:${echo.address.replace(/^tcp/, 'ws')}`]);
  const peer = await dial(server.port);
  expect(await peer.ask('hello')).toBe('hello');
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
  [['proxy:127.0.0.1:1', '--upstream-framing', 'line'], /unknown framing "line"/],
])('%s is a usage error', async (args, expected) => {
  const { status, stderr } = await yodel(['serve', ...args, '--listen', '127.0.0.1:0']);
  expect(stderr).toMatch(expected);
  expect(status).toBe(2);
});
