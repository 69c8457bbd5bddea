/** What the endpoints say to requests that name no host, or another one. */
import { expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { serveHealth } from '../../src/metrics/http.ts';
import { dial } from '../support/peer.ts';

/** The answer to a request for `/healthz`: its status and its text. */
async function ask(version: string, headers: string): Promise<string> {
  const metrics = { contentType: 'text/plain', text: async () => '' };
  const server = await serveHealth(new TcpAddress('127.0.0.1', 0), { metrics, isReady: () => true, hosts: [] });
  onTestFinished(() => server.close());
  const peer = await dial(server.address.port);
  await peer.send(`GET /healthz HTTP/${version}\r\n${headers}\r\n`);
  const [, status, body] = /^HTTP\/1\.1 (\d+) .*\r\n\r\n(.*)\n$/s.exec((await peer.ended).toString()) ?? [];
  return `${status} ${body}`;
}

const none = 'the request names no host; send the header Host';

test.each([
  ['1.1', '', `400 ${none}`],
  ['1.1', 'Host:\r\n', `403 ${none}`],
  ['1.1', 'Host: :9100\r\n', `403 ${none}`],
  ['1.1', 'Host: a b\r\n', `403 ${none}`],
  ['1.0', 'Host:\r\n', `403 ${none}`],
  // As browsers never do.
  ['1.0', '', '200 ok'],
])('HTTP/%s with %j', async (version, headers, answer) => {
  expect(await ask(version, headers)).toBe(answer);
});

test.each([
  ['evil.example:9100', 'evil.example'],
  ['[2001:db8::7]:9100', '2001:db8::7'],
])('the answer to %s says which name to allow', async (host, name) => {
  const hint = `this server is not known as "${name}"; if it is, start it with --metrics-host ${name}`;
  expect(await ask('1.1', `Host: ${host}\r\n`)).toBe(`403 ${hint}`);
});
