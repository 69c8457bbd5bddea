/** `--verbose` and `:wire`: how a connection came about. */
import { expect, test } from 'vitest';
import { makeCertificate } from '../../support/certificate.ts';
import { serve, yodel } from '../../support/process/command.ts';
import { listenTls } from '../../support/servers.ts';
import { connectTo } from '../../support/talk.ts';
import { testWith } from '../../support/tools.ts';

const withOpenssl = testWith('openssl', 'apt-get install openssl');
const tmux = testWith('tmux', 'apt-get install tmux');

test('-v tells in a pipe which addresses are connected, on stderr', async () => {
  const { address } = await serve();
  const { status, stdout, stderr } = await yodel(['connect', address, '-v'], { input: 'hello\n' });
  expect([status, stdout.toString()]).toEqual([0, 'hello\n']);
  expect(stderr).toMatch(/^\* connected {4}127\.0\.0\.1:\d+ -> 127\.0\.0\.1:\d+ {2}[\d.]+ ms\n$/);
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
  const server = await serve(['--listen', 'ws://127.0.0.1:0']);
  const [, address = ''] = /listening on (ws:\/\/\S+)/.exec(server.stderr()) ?? [];
  const { status, stderr } = await yodel(['connect', '-zv', address]);
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
