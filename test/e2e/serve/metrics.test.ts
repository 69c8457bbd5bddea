/** `yodel serve --metrics`, for Prometheus and process managers. */

import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { type RunningServer, serve, yodel } from '../../support/process/command.ts';

const flags = ['--no-messages', '--metrics', '127.0.0.1:0'];

async function metricsOf(server: RunningServer): Promise<string> {
  const [, url = ''] = await server.saw(/metrics at (\S+)\/metrics/);
  return url;
}

/** The values by name and labels. */
async function read(url: string): Promise<Map<string, number>> {
  const response = await fetch(`${url}/metrics`);
  expect(response.headers.get('content-type')).toContain('text/plain; version=0.0.4');
  const lines = (await response.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return new Map(
    lines.map((line) => [line.slice(0, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]),
  );
}

async function client(server: RunningServer): Promise<Socket> {
  const socket = connect(server.port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  return socket;
}

test('the counters count connections, messages, bytes and errors', async () => {
  const server = await serve([...flags, '--max-connections', '2', '--max-message', '100']);
  const url = await metricsOf(server);
  expect((await yodel(['connect', server.address], { input: 'one\ntwo\nthree\n' })).status).toBe(0);
  await yodel(['connect', server.address], { input: `${'x'.repeat(101)}\n` });
  // The server may see the end of these after they have exited.
  await expect.poll(async () => (await read(url)).get('yodel_connections_open'), { timeout: 15_000 }).toBe(0);
  const clients = [await client(server), await client(server)];
  const refused = await client(server);
  await once(refused.resume(), 'end');
  // After many requests the values may be a second old.
  const accepted = async () => (await read(url)).get('yodel_connections_accepted_total');
  await expect.poll(accepted, { timeout: 15_000 }).toBe(4);
  const values = await read(url);
  expect(Object.fromEntries(values)).toMatchObject({
    yodel_connections_accepted_total: 4,
    yodel_connections_refused_total: 1,
    yodel_connections_open: 2,
    yodel_connections_limit: 2,
    yodel_messages_received_total: 3,
    yodel_messages_sent_total: 4,
    yodel_bytes_received_total: 14 + 102,
    'yodel_errors_total{code="YODEL_MESSAGE_TOO_LONG"}': 1,
    'yodel_errors_total{code="YODEL_TOO_MANY_CONNECTIONS"}': 1,
    yodel_queued_bytes: 0,
    yodel_unsent_bytes: 0,
  });
  expect(values.get('yodel_handler_seconds_count')).toBeGreaterThan(0);
  expect(values.get('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  expect([...values.keys()].some((name) => name.startsWith('nodejs_eventloop_lag'))).toBe(true);
  for (const socket of clients) socket.destroy();
});

test('handler durations are a histogram, async handlers included', async () => {
  const handler = join(temporaryFolder(), 'slow.mjs');
  writeFileSync(
    handler,
    'export default (message) => message.text === "now" ? "x" : new Promise((resolve) => setTimeout(resolve, 600, "y"));\n',
  );
  const server = await serve([handler, ...flags]);
  const url = await metricsOf(server);
  await yodel(['connect', server.address], { input: 'now\nnow\nlater\n' });
  const values = await read(url);
  expect(values.get('yodel_handler_seconds_count')).toBe(3);
  expect(values.get('yodel_handler_seconds_bucket{le="0.5"}')).toBe(2);
  expect(values.get('yodel_handler_seconds_bucket{le="+Inf"}')).toBe(3);
});

test('unsent replies count as queued bytes', async () => {
  const server = await serve([...flags, '--drain-timeout', 'off']);
  const url = await metricsOf(server);
  const deaf = await client(server);
  deaf.pause();
  const line = Buffer.from(`${'x'.repeat(60_000)}\n`);
  for (let each = 0; each < 1000; each++) deaf.write(line);
  // Only what exceeds the kernel's buffers, a few megabytes.
  while (((await read(url)).get('yodel_unsent_bytes') ?? 0) < 60_000);
});

test('the server is healthy, and ready until shutdown; --drain-delay keeps serving meanwhile', async () => {
  const server = await serve([...flags, '--drain-delay', '60s']);
  const url = await metricsOf(server);
  const status = async (path: string) => (await fetch(url + path)).status;
  expect(await Promise.all(['/healthz', '/readyz', '/metrics', '/'].map(status))).toEqual([200, 200, 200, 404]);
  expect((await fetch(`${url}/metrics`, { method: 'POST' })).status).toBe(405);
  server.process.kill('SIGTERM');
  while ((await status('/readyz')) !== 503);
  expect(await status('/healthz')).toBe(200);
  const { stdout } = await yodel(['connect', server.address], { input: 'still here\n' });
  expect(stdout.toString()).toBe('still here\n');
  server.process.kill('SIGTERM');
  expect((await server.ended).status).toBe(143);
});

test('requests for a host that is not this server are refused, whatever they ask for', async () => {
  const server = await serve([...flags, '--metrics-host', 'mine.example,other.example']);
  const url = await metricsOf(server);
  const ask = async (host: string, path: string) => {
    const peer = await dial(Number(new URL(url).port));
    await peer.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
    return (await peer.ended).toString();
  };
  for (const path of ['/metrics', '/healthz', '/readyz']) {
    const refusal = await ask('evil.example:9100', path);
    expect(refusal).toMatch(/^HTTP\/1\.1 403 /);
    expect(refusal).toMatch(/not known as "evil\.example"; if it is, start it with --metrics-host evil\.example\n$/);
    for (const host of ['127.0.0.1:9100', 'localhost', '[::1]:9100', 'mine.example', 'OTHER.example:9100']) {
      expect(await ask(host, path)).toMatch(/^HTTP\/1\.1 200 /);
    }
  }
});

test('many requests share few renderings', async () => {
  const server = await serve(flags);
  const url = await metricsOf(server);
  const started = performance.now();
  const texts = new Set<string>();
  for (let request = 0; request < 100; request++) texts.add(await (await fetch(`${url}/metrics`)).text());
  // Three at once, and then one in each second.
  expect(texts.size).toBeLessThanOrEqual(4 + (performance.now() - started) / 1000);
  expect(texts.size).toBeGreaterThan(1);
});

test('a flood of requests and of idle connections delays neither clients nor health checks nor a shutdown', async () => {
  const server = await serve(flags);
  const port = Number(new URL(await metricsOf(server)).port);
  const attack = async (text: string) => {
    // Some are closed for others, even before they know that they are connected.
    const peer = await dial(port).catch(() => undefined);
    peer?.ended.catch(() => undefined);
    await peer?.send(text).catch(() => undefined);
    return peer;
  };
  const pipelined = 'GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n'.repeat(3000);
  const innocent = await dial(server.port);
  const flood = [
    ...Array.from({ length: 8 }, () => attack(pipelined)),
    ...Array.from({ length: 150 }, () => attack('')),
  ];
  expect(await innocent.ask('hello')).toBe('hello');
  const peers = await Promise.all(flood);
  const health = await attack('GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n');
  expect((await health?.ended)?.toString()).toMatch(/^HTTP\/1\.1 200 /);
  server.process.kill('SIGTERM');
  innocent.end();
  expect((await server.ended).status).toBe(0);
  await Promise.allSettled(peers.map((peer) => peer?.ended));
  const answers = peers.map((peer) => peer?.text.match(/HTTP\/1\.1 200/g)?.length ?? 0);
  expect(Math.max(...answers)).toBeLessThanOrEqual(1);
});

test('a metrics port that is taken is an error, and the server exits', async () => {
  const first = await serve(flags);
  const place = (await metricsOf(first)).slice('http://'.length);
  const second = await yodel(['serve', '--listen', '127.0.0.1:0', '--metrics', place]);
  expect(second.stderr).toContain(`cannot listen on http://${place} for metrics: the address is in use`);
  expect(second.status).toBe(1);
});
