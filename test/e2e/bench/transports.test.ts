/** `yodel bench` and `yodel connect` over TLS, `yodel bench` over WebSocket. */
import { expect, test } from 'vitest';
import { bench } from '../../support/bench.ts';
import { makeCertificate } from '../../support/certificate.ts';
import { start, yodel } from '../../support/process/command.ts';
import { listenTls, listenWebSocket } from '../../support/servers.ts';
import { testWith } from '../../support/tools.ts';

const withOpenssl = testWith('openssl', 'apt-get install openssl');
const withSocat = testWith(['openssl', 'socat'], 'apt-get install openssl socat');

withSocat('a TLS server of other people is measured, and talked to', async () => {
  const { both, certificate } = makeCertificate();
  const listen = `OPENSSL-LISTEN:0,bind=127.0.0.1,fork,cert=${both},verify=0`;
  const socat = start(['socat', '-d', '-d', listen, 'PIPE'], { hasChildren: true });
  const [, port = ''] = await socat.saw(/listening on .*:(\d+)/);
  const address = `tls://localhost:${port}`;
  const { report, status } = await bench([address, '-n', '200', '-c', '4', '--cacert', certificate]);
  expect({ status, errors: report.errors }).toEqual({ status: 0, errors: [] });
  expect(report.messages).toEqual({ sent: 200, answered: 200, unanswered: 0 });

  const client = await yodel(['connect', address, '--cacert', certificate], { input: 'one\ntwo\n' });
  expect({ status: client.status, stdout: client.stdout.toString() }).toEqual({ status: 0, stdout: 'one\ntwo\n' });
});

withOpenssl('a certificate that is not trusted is one clear line, and exit status 1', async () => {
  const { address, port } = await listenTls(makeCertificate(), (socket) => void socket.pipe(socket));
  for (const command of ['bench', 'connect']) {
    const { status, stderr, stdout } = await yodel([command, address]);
    expect(stderr).toMatch(
      /^yodel: cannot connect to tls:\/\/localhost:\d+: its certificate is not signed by a trusted authority[^\n]*\n$/,
    );
    expect({ status, stdout: stdout.toString() }).toEqual({ status: 1, stdout: '' });
  }
  const taken = await bench([`tls://127.0.0.1:${port}`, '-n', '10', '-c', '2', '--insecure', '--threads', '2']);
  expect(taken.stderr).toBe(`yodel: --insecure: the certificate of tls://127.0.0.1:${port} is not verified\n`);
  expect({ status: taken.status, answered: taken.report.messages.answered }).toEqual({ status: 0, answered: 10 });
});

test.each([
  ['echo', ['--size', '0']],
  ['echo', ['--message', 'wörld']],
  ['count', ['--size', '1000']],
  ['none', ['--size', '1000']],
])('a WebSocket server is measured with --replies %s %s', async (replies, message) => {
  const { address } = await listenWebSocket((socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  });
  const load = ['-n', '300', '-c', '3', '-P', '10', '--replies', replies];
  const { report, status } = await bench([address, ...load, ...message]);
  expect({ status, errors: report.errors, sent: report.messages.sent }).toEqual({ status: 0, errors: [], sent: 300 });
  expect(report.options.framing).toBe('websocket');
});

test('reports a WebSocket server that splits messages or sends unexpected ones, with exit status 3', async () => {
  const { address: cutting } = await listenWebSocket((socket) => {
    socket.on('message', (data: Buffer) => {
      socket.send(data.subarray(0, 5));
      socket.send(data.subarray(5));
    });
  });
  const cut = await bench([cutting, '-n', '5', '-c', '1']);
  expect(cut.report.errors).toEqual([
    { code: 'YODEL_WRONG_REPLY', count: 5, example: expect.stringContaining('expected 66 bytes "\\x81@1-1-') },
  ]);
  expect(cut.status).toBe(3);

  const { address: greeting } = await listenWebSocket((socket) => socket.send('welcome'));
  const greeted = await bench([greeting, '-d', '200ms', '-c', '1', '--timeout', '5s']);
  const unasked = ['YODEL_WRONG_REPLY', 'YODEL_UNEXPECTED_REPLY'];
  expect(greeted.report.errors.filter(({ code }) => !unasked.includes(code))).toEqual([]);
  expect(greeted.report.messages.answered).toBe(0);
  expect(greeted.status).toBe(3);
});

withOpenssl('a WebSocket server over TLS is measured at a fixed rate', async () => {
  const certificate = makeCertificate();
  const { address } = await listenWebSocket((socket) => {
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }));
  }, certificate);
  const rate = ['--rate', '200/s', '-d', '500ms', '-c', '2', '--cacert', certificate.certificate];
  const { report, status } = await bench([address, ...rate]);
  expect({ status, errors: report.errors }).toEqual({ status: 0, errors: [] });
  expect(report.messages.answered).toBe(100);
});
