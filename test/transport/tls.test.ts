/** Connecting over TLS, to real servers. */
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import * as tls from 'node:tls';
import { expect } from 'vitest';
import { parseAddress } from '../../src/address.ts';
import { connect } from '../../src/client/connect.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import { makeCertificate } from '../support/certificate.ts';
import { start } from '../support/process/command.ts';
import { listen, listenTls } from '../support/servers.ts';
import { testWith } from '../support/tools.ts';

const test = testWith('openssl', 'apt-get install openssl');

const echo = (socket: NodeJS.ReadWriteStream) => void socket.pipe(socket);

test('a client talks to a TLS server whose authority it trusts, and both sides end normally', async () => {
  const certificate = makeCertificate();
  const { address } = await listenTls(certificate, echo);
  const client = await connect(address, { tls: { ca: readFileSync(certificate.certificate, 'utf8') } });
  const replies = await Promise.all(['one', 'wörld 你好'].map((text) => client.request(text)));
  expect(replies.map(({ text }) => text)).toEqual(['one', 'wörld 你好']);
  await client.close();
  expect(client.state).toBe('closed');
});

test('megabytes arrive whole, and a FIN after them', async () => {
  const certificate = makeCertificate();
  const { address } = await listenTls(certificate, echo);
  const client = await connect(address, {
    tls: { insecure: true },
    framing: 'length',
    maxMessageLength: 8_388_608,
    highWaterMark: 16_777_216,
  });
  const message = Buffer.alloc(5_000_000, 'yodel');
  const reply = await client.request(message);
  expect(message.equals(reply.bytes)).toBe(true);
  client.send(message);
  client.end();
  let received = 0;
  for await (const one of client) received += one.size;
  expect(received).toBe(message.length);
});

test('an untrusted certificate is refused, with advice', async () => {
  const { address } = await listenTls(makeCertificate(), echo);
  await expect(connect(address)).rejects.toMatchObject({
    code: 'YODEL_TLS',
    message: expect.stringMatching(
      /^cannot connect to tls:\/\/localhost:\d+: its certificate is not signed by a trusted authority.*--cacert/,
    ),
  });
});

test('a certificate for another name is refused, unless that name is configured', async () => {
  const certificate = makeCertificate();
  const { port } = await listenTls(certificate, echo);
  const ca = readFileSync(certificate.certificate, 'utf8');
  const address = `tls://127.0.0.1:${port}`;
  await expect(connect(address, { tls: { ca } })).rejects.toMatchObject({
    code: 'YODEL_TLS',
    message: expect.stringContaining('is for another name'),
  });
  const client = await connect(address, { tls: { ca, servername: 'localhost' } });
  expect((await client.request('hello')).text).toBe('hello');
  client.abort();
});

test('a server that does not speak TLS is recognised', async () => {
  const { port } = await listen((socket) => void socket.end('220 welcome to something else\r\n'));
  await expect(connect(`tls://localhost:${port}`)).rejects.toMatchObject({
    code: 'YODEL_TLS',
    message: `cannot connect to tls://localhost:${port}: the server does not speak TLS`,
  });
});

test('connecting to a server that never answers the handshake times out', async () => {
  const { port } = await listen((socket) => void socket.resume());
  await expect(connect(`tls://127.0.0.1:${port}`, { connectTimeout: 100 })).rejects.toMatchObject({
    code: 'YODEL_CONNECT_TIMEOUT',
  });
});

test('TLS 1.1 is refused', async () => {
  const { certificate, key } = makeCertificate();
  const old = ['-tls1_1', '-cipher', 'DEFAULT@SECLEVEL=0', '-accept', '127.0.0.1:0'];
  const server = start(['openssl', 's_server', ...old, '-cert', certificate, '-key', key]);
  const [, port] = await server.saw(/ACCEPT 127\.0\.0\.1:(\d+)/);
  await expect(connect(`tls://127.0.0.1:${port}`, { tls: { insecure: true } })).rejects.toMatchObject({
    code: 'YODEL_TLS',
    message: `cannot connect to tls://127.0.0.1:${port}: it does not support TLS 1.2 or newer`,
  });
});

test('an unknown option of tls is refused', async () => {
  await expect(connect('tls://localhost:1', { tls: { serverName: 'x' } as never })).rejects.toMatchObject({
    code: 'YODEL_INVALID_OPTION',
    message: expect.stringContaining('servername'),
  });
});

test('the handshake requests the host name', async () => {
  const certificate = makeCertificate();
  const requested = Promise.withResolvers<string>();
  const { address } = await listenTls(certificate, echo, {
    SNICallback: (name, done) => {
      requested.resolve(name);
      done(
        null,
        tls.createSecureContext({ cert: readFileSync(certificate.certificate), key: readFileSync(certificate.key) }),
      );
    },
  });
  const client = await connect(address, { tls: { insecure: true } });
  expect(await requested.promise).toBe('localhost');
  client.abort();
});

// Bun's sockets encrypt each write at once.
const testOnNode = process.versions.bun ? test.skip : test;

testOnNode('small writes that have to wait are sent together', async () => {
  let records = 0;
  let received = 0;
  const all = Promise.withResolvers<void>();
  const { address } = await listenTls(makeCertificate(), (socket) => {
    socket.on('data', (chunk: Buffer) => {
      records++;
      received += chunk.length;
      if (received === 10_000) all.resolve();
    });
  });
  const connection = await runtimeTransport.connect(parseAddress(address), { tls: { insecure: true } });
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  for (let i = 0; i < 1000; i++) connection.write(Buffer.alloc(10, 'y'));
  await all.promise;
  expect(records).toBeLessThan(10);
  connection.abort();
});

test('the handshake tells version, cipher, names and the certificate of the server', async () => {
  const certificate = makeCertificate();
  const { address } = await listenTls(certificate, echo, { ALPNProtocols: ['chat/1'] });
  const client = await connect(address, { tls: { insecure: true } });
  const { tls: secured, resolved, lookupMs } = client.handshake ?? {};
  expect(secured).toMatchObject({
    protocol: 'TLSv1.3',
    cipher: expect.stringMatching(/^TLS_\w+$/),
    servername: 'localhost',
    alpn: undefined,
    untrusted: 'DEPTH_ZERO_SELF_SIGNED_CERT',
    certificate: { subject: 'CN=localhost', issuer: 'CN=localhost', names: ['localhost'] },
  });
  const file = new X509Certificate(readFileSync(certificate.certificate));
  expect(secured?.certificate).toMatchObject({
    fingerprint: file.fingerprint256,
    validFrom: new Date(file.validFrom),
    validTo: new Date(file.validTo),
  });
  expect(secured?.tookMs).toBeGreaterThanOrEqual(0);
  expect(resolved).toContain('127.0.0.1');
  expect(lookupMs).toBeGreaterThanOrEqual(0);
  client.abort();
});

test('a trusted certificate is one without a reason not to trust it', async () => {
  const certificate = makeCertificate();
  const { address } = await listenTls(certificate, echo);
  const client = await connect(address, { tls: { ca: readFileSync(certificate.certificate, 'utf8') } });
  expect(client.handshake?.tls?.untrusted).toBeUndefined();
  client.abort();
});
