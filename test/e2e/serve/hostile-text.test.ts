/** No peer's text reaches a terminal or a log unescaped: a property test for each place where yodel prints. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import * as tls from 'node:tls';
import { expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { fc } from '../../support/fast-check.ts';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { expectEscaped, hostileBytes, newOutput, ownLine } from '../../support/hostile.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { commandPath, type Running, type RunningServer, serve, start, yodel } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';
import { listen, listenTls } from '../../support/servers.ts';
import { testWith } from '../../support/tools.ts';

const openssl = testWith('openssl', 'apt-get install openssl');
const terminal = testWith('script', 'apt-get install bsdutils');
const logLines = { text: /^\d\d:\d\d:\d\d\.\d\d\d \S+ /, json: /^\{"level":"/ };
type Format = keyof typeof logLines;

/** Every way for text to leave a handler. The first byte of a message chooses one, and how the rest is decoded. */
const ways = [
  '(text) => text',
  '(text) => { throw new Error(text); }',
  '(text) => { throw Object.assign(new Error("named"), { name: text }); }',
  '(text) => { throw Object.assign(new Error("with a stack"), { stack: text }); }',
  '(text) => { throw Object.assign(new Error(text), { message: "changed" }); }',
  '(text) => { throw Object.assign(new Error("changed"), { message: text }); }',
  '(text) => { throw text; }',
  '(text) => { throw { toString: () => text }; }',
  '(text) => { throw { toString() { throw new Error(text); } }; }',
  '(text) => { throw Symbol(text); }',
  '(text) => { throw new AggregateError([new Error(text)], text, { cause: new Error(text) }); }',
  '(text) => { throw new Error(`${text}\\ud83c`); }',
  '(text) => { throw new Error(`\\udf89${text}`); }',
  '(text) => Promise.reject(new Error(text))',
  '(text) => ({ [text]: text })',
  '(text, session) => { session.data.late = text; }',
  '(text, session) => session.close()',
];
const everyWay = `
  const ways = [${ways.join(',\n')}];
  export default {
    message({ bytes }, session) {
      const text = Buffer.from(bytes.subarray(1)).toString(bytes[0] < 128 ? 'utf8' : 'latin1');
      return ways[(bytes[0] % 128) % ways.length](text, session);
    },
    close({ data }) { if (data.late) throw new Error(data.late); },
  };
`;
const wayAndReading = fc
  .tuple(fc.integer({ min: 0, max: ways.length - 1 }), fc.constantFrom(0, 128))
  .map(([way, reading]) => way + reading);

/** Resolves when the log has reported this number of closed connections. */
async function ends(server: Running, count: number): Promise<void> {
  const end = / closed after |refused: |"event":"(?:closed|refused)"/g;
  await waitUntil(`${count} connections have ended`, () => (server.stdout().match(end)?.length ?? 0) >= count);
}

/** Runs many conversations with one server, and checks its output after each. */
async function haveMany<Values extends [unknown, ...unknown[]]>(
  server: RunningServer,
  format: Format,
  arbitraries: { [Index in keyof Values]: fc.Arbitrary<Values[Index]> },
  serveOneClient: (...values: Values) => Promise<void>,
  runs = 60,
): Promise<void> {
  const fresh = newOutput(server);
  let count = 0;
  const look = () => {
    const { stdout, stderr } = fresh();
    expectEscaped(stdout, logLines[format]);
    expectEscaped(stderr, ownLine);
  };
  const property = fc.asyncProperty(...(arbitraries as [fc.Arbitrary<unknown>]), async (...values) => {
    await serveOneClient(...(values as unknown as Values));
    await ends(server, ++count);
    look();
  });
  await fc.assert(property, { numRuns: runs });
  await server.stop();
  look();
}

function framed(body: Uint8Array): Buffer {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(body.length);
  return Buffer.concat([size, body]);
}

/** Sends, ends, and returns everything received. */
async function exchange(peer: Peer, bytes: Uint8Array): Promise<Buffer> {
  await peer.send(bytes);
  const reply = await peer.ended.catch(() => peer.received);
  peer.end();
  await peer.closed;
  return reply;
}

async function sayAndEnd(peer: Peer, bytes: Uint8Array): Promise<Buffer> {
  void peer.send(bytes).catch(() => undefined);
  peer.end();
  const reply = await peer.ended.catch(() => peer.received);
  await peer.closed;
  return reply;
}

for (const format of ['text', 'json'] as const) {
  test(`messages and handler errors: the log as ${format}, stderr, and error replies`, async () => {
    const args = ['--framing', 'length:4', '--log-format', format];
    const server = await serve([handlerFile(everyWay), ...args]);
    const said: string[] = [];
    await haveMany(server, format, [wayAndReading, hostileBytes], async (way, text) => {
      const message = Buffer.concat([Buffer.of(way), text]);
      const reply = await sayAndEnd(await dial(server.port), framed(message));
      if (way % 128 !== 0) expectEscaped(reply.subarray(4), /^error: /);
      said.push(message.toString('hex'));
    });
    // Escaped, and nothing is lost: JSON has every byte.
    if (format === 'json') expect(loggedMessages(server).map((bytes) => bytes.toString('hex'))).toEqual(said);
  });
}

/** The messages in a JSON log. */
function loggedMessages(server: Running): Buffer[] {
  const lines = server
    .stdout()
    .split('\n')
    .filter((line) => line.includes('"event":"message"'));
  return lines.map((line) => {
    const { text, base64 } = JSON.parse(line) as { text?: string; base64?: string };
    return text === undefined ? Buffer.from(base64 ?? '', 'base64') : Buffer.from(text);
  });
}

test('refused messages: the log, and the error replies', async () => {
  const server = await serve(['--max-message', '6', '--on-too-long', 'discard']);
  await haveMany(server, 'text', [hostileBytes, hostileBytes], async (one, two) => {
    const reply = await sayAndEnd(await dial(server.port), Buffer.concat([one, Buffer.of(10), two, Buffer.of(10)]));
    // Short messages were echoed unchanged. Error lines end as the client's lines do.
    const errors = reply.toString('latin1').match(/^error: .*?(?=\r?$)/gm) ?? [];
    for (const line of errors) expectEscaped(Buffer.from(line, 'latin1'), /^error: /);
  });
});

for (const format of ['text', 'json'] as const) {
  test(`WebSocket handshakes, with their paths and origins: the log as ${format}`, async () => {
    const args = ['--listen', 'ws://127.0.0.1:0/chat', '--handshake-timeout', '1s', '--log-format', format];
    const server = await serve(args);
    const [, port] = await server.saw(/ws:\/\/127\.0\.0\.1:(\d+)/);
    await haveMany(server, format, [fc.boolean(), hostileBytes], async (inPath, text) => {
      const [path, origin] = inPath ? [text, 'http://example.org'] : ['chat', text];
      const [before, between] = ['GET /', ' HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n'];
      const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nOrigin: ';
      const parts = [before, path, between + key, origin, '\r\n\r\n'].map((part) => Buffer.from(part as Buffer));
      const reply = await exchange(await dial(Number(port)), Buffer.concat(parts));
      expectEscaped(Buffer.from(reply.toString('latin1').replaceAll('\r\n', '\n'), 'latin1'), /^(?!FORGED)/);
    });
  });

  test(`PROXY protocol headers: the log as ${format}`, async () => {
    const server = await serve(['--proxy-protocol', '127.0.0.1', '--log-format', format]);
    const begins = fc.constantFrom('PROXY ', 'PROXY TCP4 ', 'PROXY UNKNOWN ', '\r\n\r\n\0\r\nQUIT\n', '');
    await haveMany(server, format, [begins, hostileBytes], async (begin, text) => {
      await sayAndEnd(await dial(server.port), Buffer.concat([Buffer.from(begin), text, Buffer.from('\r\n')]));
    });
  });
}

openssl('names in TLS certificates, SNI and ALPN: the log, and a handler that repeats them', async () => {
  const [own, client] = [makeCertificate(), hostileCertificate()];
  const telling = `export default {
    open: ({ security }) => { throw new Error([security.subject, security.servername, security.alpn].join()); },
  };`;
  const flags = ['--cert', own.certificate, '--key', own.key, '--client-ca', client.certificate, '--alpn', 'chat/1'];
  const server = await serve([handlerFile(telling), '--listen', 'tls://127.0.0.1:0', ...flags]);
  const identity = { cert: readFileSync(client.certificate), key: readFileSync(client.key) };
  const [, port] = await server.saw(/tls:\/\/127\.0\.0\.1:(\d+)/);
  const serveOneClient = async (name: Buffer, protocol: Buffer, isOffered: boolean) => {
    const socket = tls.connect({
      port: Number(port),
      host: '127.0.0.1',
      rejectUnauthorized: false,
      servername: name.toString().replaceAll('\0', ''),
      ALPNProtocols: Buffer.concat([
        Buffer.of(protocol.length),
        protocol,
        isOffered ? Buffer.from('\x06chat/1') : Buffer.of(),
      ]),
      ...identity,
    });
    socket.on('error', () => undefined).resume();
    await new Promise((resolve) => socket.once('close', resolve));
  };
  await haveMany(server, 'text', [hostileBytes, hostileBytes, fc.boolean()], serveOneClient, 30);
  // The certificate was accepted, and its name was printed.
  expect(server.stderr()).toContain('CN=pwned \\1B[31m');
});

/** A certificate for a hostile name. */
function hostileCertificate(): { certificate: string; key: string } {
  const folder = temporaryFolder();
  const [certificate, key] = [join(folder, 'certificate.pem'), join(folder, 'key.pem')];
  const name = ['-utf8', '-subj', '/CN=pwned \x1b[31m \u009b31m \u202e\n FORGED'];
  const alternatives = ['-addext', 'subjectAltName=DNS:pwned\x1b[31m.example.org'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  const files = ['-keyout', key, '-out', certificate];
  execFileSync('openssl', ['req', '-x509', ...kind, ...files, ...name, ...alternatives], { stdio: 'ignore' });
  return { certificate, key };
}

openssl('the name in the certificate of a server: the error of yodel connect', async () => {
  const certificate = hostileCertificate();
  const { address } = await listenTls({ ...certificate, both: '' }, (socket) => socket.on('data', () => undefined));
  for (const trust of [[], ['--cacert', certificate.certificate]]) {
    const { stderr, status } = await yodel(['connect', address, ...trust]);
    expectEscaped(Buffer.from(stderr), /^yodel: cannot connect /);
    expect(status).toBe(1);
  }
});

/** Runs a yodel command line on a new terminal. */
function onTerminal(words: string): Running {
  const line = `stty cols 100 rows 40; exec '${process.execPath}' '${commandPath}' ${words}`;
  const env = { NO_COLOR: '1', TERM: 'xterm-256color', XDG_STATE_HOME: temporaryFolder() };
  return start(['script', '-qfec', line, '/dev/null'], { env });
}

/** The escape sequences of the line editor. No hostile text looks like them. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the purpose is to find them
const cursorMoves = /\x1b\[(\d+[ABCDG]|[ABCDGJK]|0[JK]|\?2004[hl])/g;

for (const [how, words] of Object.entries({ 'by hand': '', 'from a pipe': '--wait 0 < /dev/null' })) {
  terminal(`replies of a hostile server: yodel connect on a terminal, ${how}`, async () => {
    const came = Promise.withResolvers<Socket>();
    const { address } = await listen((socket) => came.resolve(socket.resume()));
    const client = onTerminal(`connect ${address} ${words}`);
    const server = await came.promise;
    if (how === 'by hand') await client.saw(/Ctrl-D ends/);
    let count = 0;
    let seen = 0;
    const property = fc.asyncProperty(hostileBytes, async (bytes) => {
      server.write(Buffer.concat([bytes, Buffer.from(`\nEND ${++count}.\n`)]));
      await client.saw(new RegExp(`END ${count}\\.\\r*\\n`));
      const { stdout } = client.bytes();
      const end = stdout.lastIndexOf('\n') + 1;
      const shown = stdout.subarray(seen, end).toString('latin1');
      seen = end;
      // The terminal adds a carriage return before each newline; piped output keeps its lines and tabs.
      const text = shown
        .replaceAll(cursorMoves, '')
        .replaceAll(/\r{1,2}\n/g, '\n')
        .replaceAll('\t', ' ');
      expectEscaped(Buffer.from(text, 'latin1'), how === 'by hand' ? /^(> )*(< |connected to )/ : /^/);
    });
    await fc.assert(property, { numRuns: 60 });
    server.end();
    await client.ended;
  });
}

test('wrong replies: the output of yodel bench', async () => {
  let hostile: Uint8Array = Buffer.alloc(0);
  const replies = await listen((socket) => {
    socket.on('data', () => socket.write(Buffer.concat([hostile, Buffer.from('\n')])));
  });
  const answers = await listen((socket) => {
    socket.once('data', () =>
      socket.end(Buffer.concat([Buffer.from('HTTP/1.1 200 '), hostile, Buffer.from('\r\n\r\n')])),
    );
  });
  const property = fc.asyncProperty(hostileBytes, fc.constantFrom('--json', '--replies=count'), async (bytes, flag) => {
    hostile = bytes;
    const limits = ['-n', '2', '-c', '1', '--timeout', '300ms'];
    for (const target of [replies.address, `ws://${answers.address}/chat`]) {
      const { stdout, stderr } = await yodel(['bench', target, flag === '--json' ? flag : '--replies=echo', ...limits]);
      expectEscaped(stdout, /^(?!FORGED)/);
      expectEscaped(Buffer.from(stderr), ownLine);
    }
  });
  await fc.assert(property, { numRuns: 6 });
});

test('command-line arguments and environment variables: the errors that quote them', async () => {
  const property = fc.asyncProperty(hostileBytes, async (bytes) => {
    const word = bytes.toString().replaceAll('\0', '');
    for (const words of [['serve', word], ['connect', `${word}:x`], ['bench', ':1', '--duration', word], [word]]) {
      const { stdout, stderr } = await yodel(words);
      expectEscaped(Buffer.from(stderr), ownLine);
      if (stdout.length > 0) expect(word).toMatch(/^-|^$/);
    }
  });
  await fc.assert(property, { numRuns: 3 });
});
