/** `--verbose` and `:wire`: how a connection came about. */
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { temporaryFolder } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { listenTls } from '../../support/servers.ts';
import { connectTo } from '../../support/talk.ts';
import { testWith } from '../../support/tools.ts';

const withOpenssl = testWith('openssl', 'apt-get install openssl');
const tmux = testWith('tmux', 'apt-get install tmux');

const connected =
  /\* connected {4}127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+ {2}[\d.]+ ms(?:, with the lookup of the name)?\n/;
const resolved = /\* resolved {5}localhost: 127\.0\.0\.1 {2}[\d.]+ ms\n/;

/** `yodel connect -v` and `yodel send -v`: both answer on stdout, and nothing else. Returns what they say on stderr. */
async function verboseTo(address: string, ...flags: string[]): Promise<string[]> {
  const connecting = yodel(['connect', address, '-v', ...flags], { input: 'hello\n' });
  const results = await Promise.all([connecting, yodel(['send', address, 'hello', '-v', ...flags])]);
  for (const { status, stdout } of results) expect([status, stdout.toString()]).toEqual([0, 'hello\n']);
  return results.map(({ stderr }) => stderr);
}

/** Nothing but this. */
function only({ source }: RegExp): RegExp {
  return new RegExp(`^${source}$`);
}

/** Serves WebSocket. Returns the address. */
async function listenWebSocket(scheme: 'ws' | 'wss' = 'ws', ...flags: string[]): Promise<string> {
  const server = await serve(['--listen', `${scheme}://127.0.0.1:0`, ...flags]);
  return /listening on (wss?:\/\/\S+)/.exec(server.stderr())?.[1] ?? 'no address';
}

/** The address, with a name for the host. */
function named(address: string): string {
  return address.replace('127.0.0.1', 'localhost');
}

describe('-v tells on stderr how the connection came about', () => {
  test('over TCP: the addresses, and how long that took', async () => {
    const { address } = await serve();
    for (const stderr of await verboseTo(address)) expect(stderr).toMatch(only(connected));
    // On Bun the lookup is part of connecting.
    for (const stderr of await verboseTo(named(address)))
      expect(stderr).toMatch(only(new RegExp(`(?:${resolved.source})?${connected.source}`)));
  });

  test('over a Unix socket, and with a program: what is connected', async () => {
    const path = join(temporaryFolder(), 'yodel.sock');
    await serve(['--listen', `unix:${path}`]);
    for (const stderr of await verboseTo(`unix:${path}`))
      expect(stderr).toMatch(only(/\* connected {4}unix:\S+ {2}[\d.]+ ms\n/));
    for (const stderr of await verboseTo('exec:cat'))
      expect(stderr).toMatch(only(/\* connected {4}exec:cat {2}[\d.]+ ms\n/));
  });

  withOpenssl('over TLS: the certificate and the handshake', async () => {
    const files = makeCertificate();
    const { address } = await listenTls(files, (socket) => socket.pipe(socket));
    for (const stderr of await verboseTo(named(address), '--cacert', files.certificate)) {
      expect(stderr).toMatch(resolved);
      expect(stderr).toMatch(connected);
      expect(stderr).toMatch(/\n\* TLS {10}TLSv1\.3, TLS_\w+, SNI localhost, ALPN none {2}[\d.]+ ms\n/);
      expect(stderr).toMatch(/\n\* certificate {2}CN=localhost\n\* {3}issuer {5}itself \(self-signed\)\n/);
      expect(stderr).toMatch(/\n\* {3}names {6}localhost\n/);
      expect(stderr).toMatch(/\n\* {3}trusted {4}yes\n$/);
    }
  });

  test("over WebSocket: the server's answer", async () => {
    for (const stderr of await verboseTo(await listenWebSocket())) {
      expect(stderr).toMatch(connected);
      expect(stderr).toMatch(/\n\* WebSocket {4}HTTP\/1\.1 101 Switching Protocols {2}[\d.]+ ms\n$/);
    }
  });

  withOpenssl('over WebSocket and TLS: both', async () => {
    const { certificate, key } = makeCertificate();
    const address = await listenWebSocket('wss', '--cert', certificate, '--key', key);
    for (const stderr of await verboseTo(named(address), '--cacert', certificate)) {
      expect(stderr).toMatch(connected);
      expect(stderr).toMatch(/\n\* TLS {10}TLSv1\.3, TLS_\w+, SNI localhost, ALPN none {2}[\d.]+ ms\n/);
      expect(stderr).toMatch(/\n\* {3}trusted {4}yes\n\* WebSocket {4}HTTP\/1\.1 101 /);
    }
  });

  withOpenssl('shows a certificate that is refused, before the error', async () => {
    const { address } = await listenTls(makeCertificate(), (socket) => socket.pipe(socket));
    const { status, stdout, stderr } = await yodel(['connect', named(address), '-v'], { input: 'hello\n' });
    expect([status, stdout.toString()]).toEqual([1, '']);
    expect(stderr).toMatch(/\n\* certificate {2}CN=localhost\n/);
    expect(stderr).toMatch(/\n\* {3}trusted {4}no: DEPTH_ZERO_SELF_SIGNED_CERT\nyodel: cannot connect .*--cacert/);
  });
});

withOpenssl('-v tells yodel send of the certificate, and of what is wrong with it', async () => {
  const { address } = await listenTls(makeCertificate(), (socket) => socket.pipe(socket));
  const { status, stdout, stderr } = await yodel(['send', address, 'hello', '-v', '--insecure']);
  expect([status, stdout.toString()]).toEqual([0, 'hello\n']);
  expect(stderr).toMatch(/\n\* TLS {10}TLSv1\.3, TLS_\w+, SNI localhost, ALPN none {2}[\d.]+ ms\n/);
  expect(stderr).toMatch(/\n\* certificate {2}CN=localhost\n\* {3}issuer {5}itself \(self-signed\)\n/);
  expect(stderr).toMatch(/\n\* {3}valid {6}\d{4}-\d\d-\d\d to \d{4}-\d\d-\d\d, 1 day left\n/);
  expect(stderr).toMatch(/\n\* {3}SHA-256 {4}(?:[\dA-F]{2}:){31}[\dA-F]{2}\n/);
  expect(stderr).toContain('no: DEPTH_ZERO_SELF_SIGNED_CERT (accepted with --insecure)');
});

test('-z with -v tells the answer to a WebSocket request', async () => {
  const { status, stderr } = await yodel(['connect', '-zv', await listenWebSocket()]);
  expect(status).toBe(0);
  expect(stderr).toMatch(
    /\* WebSocket {4}HTTP\/1\.1 101 Switching Protocols {2}[\d.]+ ms\nyodel: .* accepts connections/,
  );
});

tmux(':wire shows how the connection came about', async () => {
  const { address } = await serve();
  const terminal = await connectTo(address);
  terminal.enter(':wire');
  await terminal.sees(
    /\n> :wire\ntcp:\/\/127\.0\.0\.1:\d+, framing lines\nconnected {4}127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+ {2}[\d.]+ ms\n>$/,
  );
});
