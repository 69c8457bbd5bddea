/** `yodel serve --control`: faults and sessions change while the server runs. */
import { readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { type RunningServer, type RunOptions, run, serve, yodel } from '../../support/process/command.ts';
import { testWith } from '../../support/tools.ts';

/** A server with a control API, and its requests. */
async function controlled(
  args: readonly string[] = [],
  options: RunOptions = { env: { YODEL_CONTROL_TOKEN: 'secret' } },
) {
  const server = await serve([...args, '--control', '127.0.0.1:0', '--fault-seed', '7'], options);
  const [, url = ''] = await server.saw(/control at (\S+)\/faults/);
  const call = async (method: string, path: string, body?: object | string, headers = {}) => {
    const response = await fetch(url + path, {
      method,
      headers: { Authorization: 'Bearer secret', ...headers },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, body: text === '' ? undefined : (JSON.parse(text) as Record<string, unknown>) };
  };
  return { server, url, call };
}

/** Sends lines on a new connection, and returns what came back when it ended. */
async function exchange(server: RunningServer, input: string): Promise<string> {
  const peer = await dial(server.port);
  await peer.send(input);
  peer.end();
  return (await peer.ended).toString();
}

test('faults are added, listed, changed and removed, and apply to open sessions', async () => {
  const { server, call } = await controlled(['--drop', '0%']);
  const peer = await dial(server.port);
  expect(await peer.ask('a')).toBe('a');
  const added = await call('POST', '/faults', { name: 'no-b', fault: 'reply /b/ drop' });
  expect(added).toEqual({ status: 201, body: { name: 'no-b', fault: 'reply /b/ drop', applied: 0 } });
  await peer.send('b\n');
  expect(await peer.ask('c')).toBe('c');
  expect((await call('GET', '/faults/no-b')).body).toMatchObject({ applied: 1 });
  expect((await call('POST', '/faults/no-b', { fault: 'request duplicate' })).body).toMatchObject({
    fault: 'request duplicate',
  });
  expect(await exchange(server, 'b\n')).toBe('b\nb\n');
  expect((await call('GET', '/faults')).body).toMatchObject({
    seed: 7,
    faults: [{ name: 'drop_reply' }, { name: 'no-b' }],
  });
  expect((await call('DELETE', '/faults/no-b')).status).toBe(204);
  expect((await call('POST', '/faults', { fault: 'drop' })).body).toMatchObject({ name: 'drop_reply_2' });
  expect(await exchange(server, 'd\n')).toBe('');
  expect((await call('POST', '/reset')).status).toBe(204);
  expect((await call('GET', '/faults')).body).toEqual({ seed: 7, faults: [] });
  expect(await exchange(server, 'd\n')).toBe('d\n');
});

test('sessions are listed with what has passed, closed and reset', async () => {
  const upstream = await serve([]);
  const { server, call } = await controlled([`proxy:${upstream.address}`]);
  const [first, second] = [await dial(server.port), await dial(server.port)];
  second.ended.catch(() => undefined);
  await first.ask('hello');
  await second.ask('a');
  const { body } = await call('GET', '/sessions');
  expect(body).toMatchObject({
    sessions: [
      {
        ...{ id: 1, peer: `127.0.0.1:${first.port}`, upstream: upstream.address },
        ...{ requests: { messages: 1, bytes: 6 }, replies: { messages: 1, bytes: 6 }, queuedBytes: 0 },
      },
      { id: 2 },
    ],
  });
  expect((await call('GET', '/sessions/2')).body).toMatchObject({ id: 2 });
  expect((await call('POST', '/sessions/1/close')).status).toBe(204);
  await first.ended;
  expect((await call('POST', '/sessions/2/reset')).status).toBe(204);
  expect((await second.closed)?.code).toBe('ECONNRESET');
  await server.saw(/reset on purpose by the control API/);
  expect((await call('GET', '/sessions/2')).status).toBe(404);
});

test('a new fault can end what is open: the server is down, and up again', async () => {
  const { server, call } = await controlled();
  const peer = await dial(server.port);
  peer.ended.catch(() => undefined);
  await peer.ask('a');
  await call('POST', '/faults', { name: 'down', fault: 'after 0ms reset' });
  expect((await peer.closed)?.code).toBe('ECONNRESET');
  await call('DELETE', '/faults/down');
  expect(await exchange(server, 'b\n')).toBe('b\n');
});

test('after a reload that changes --fault, the API changes the new faults', async () => {
  const file = temporaryFile('yodel.toml', 'fault = ["/a/ drop"]\n');
  const { server, call } = await controlled(['--config', file]);
  await call('POST', '/faults', { name: 'mine', fault: 'drop' });
  server.process.kill('SIGHUP');
  await server.saw(/reloaded/);
  // Nothing has changed, so what was added is still there.
  expect((await call('GET', '/faults')).body).toMatchObject({
    faults: [{ fault: 'reply /a/ drop' }, { name: 'mine' }],
  });
  writeFileSync(file, 'fault = ["/b/ drop"]\n');
  server.process.kill('SIGHUP');
  await server.saw(/reloaded[\s\S]*reloaded/);
  expect((await call('GET', '/faults')).body).toMatchObject({ faults: [{ fault: 'reply /b/ drop' }] });
  await call('POST', '/reset');
  expect(await exchange(server, 'b\n')).toBe('b\n');
});

test('errors are JSON with a hint', async () => {
  const { call } = await controlled();
  const failure = async (...args: Parameters<typeof call>) => {
    const { status, body } = await call(...args);
    expect(typeof body?.hint).toBe('string');
    return `${status} ${body?.error}`;
  };
  expect(await failure('POST', '/faults', { fault: 'dorp' })).toMatch(/^400 .*column 1.*Did you mean "drop"\?/);
  expect(await failure('POST', '/faults', 'no JSON')).toBe('400 the body is not JSON');
  expect(await failure('POST', '/faults', '[]')).toMatch(/^400 the body has no "fault"/);
  expect(await failure('POST', '/faults', { fault: 'drop', nam: 'x' })).toMatch(/^400 the body has "nam"/);
  expect(await failure('POST', '/faults', { fault: 'drop', name: '../x' })).toMatch(/^400 "name" takes/);
  expect(await failure('POST', '/faults', 'x'.repeat(70_000))).toMatch(/^413 /);
  await call('POST', '/faults', { name: 'slow', fault: 'latency 1ms' });
  expect(await failure('POST', '/faults', { name: 'slow', fault: 'drop' })).toMatch(/^409 there is a fault "slow"/);
  expect(await failure('POST', '/faults/slow', { name: 'fast', fault: 'drop' })).toMatch(/^400 the name .* "fast"/);
  expect(await failure('GET', '/faults/slwo')).toBe('404 there is no fault "slwo". Did you mean "slow"?');
  expect(await failure('DELETE', '/faults/%')).toMatch(/^400 the path is invalid/);
  expect(await failure('GET', '/toxics')).toMatch(/^404 there is no \/toxics/);
  expect(await failure('PUT', '/faults')).toMatch(/^405 PUT is not allowed/);
  expect(await failure('GET', '/sessions/9')).toMatch(/^404 there is no session 9/);
});

test('a client that leaves in the middle of its request is no failure of the API', async () => {
  const { server, url, call } = await controlled();
  const peer = await dial(Number(new URL(url).port));
  peer.ended.catch(() => undefined);
  const head = ['POST /faults HTTP/1.1', 'Host: localhost', 'Authorization: Bearer secret', 'Content-Length: 100'];
  await peer.send(`${head.join('\r\n')}\r\n\r\n{"fault":`);
  // Until the API waits for the body.
  expect((await call('GET', '/version')).status).toBe(200);
  peer.socket.resetAndDestroy();
  await peer.closed;
  for (let round = 0; round < 3; round++) await call('GET', '/version');
  server.process.kill('SIGTERM');
  const { status, stderr } = await server.ended;
  expect([status, stderr.includes('failed')]).toEqual([0, false]);
});

test('a request needs the token and a host of loopback', async () => {
  const { url, call } = await controlled();
  expect((await fetch(`${url}/faults`)).status).toBe(401);
  expect((await call('GET', '/faults', undefined, { Authorization: 'Bearer wrong' })).status).toBe(401);
  const { hostname, port } = new URL(url);
  const status = await new Promise<number | undefined>((resolve, reject) => {
    const headers = { Host: 'evil.example', Authorization: 'Bearer secret' };
    request({ hostname, port, path: '/faults', headers }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
  expect(status).toBe(403);
});

test('without YODEL_CONTROL_TOKEN a token is printed, another one each time', async () => {
  const tokens = new Set<string>();
  for (let start = 0; start < 2; start++) {
    const { server, url } = await controlled(['--quiet'], {});
    const [, token = ''] = await server.saw(/control token: ([0-9a-f]{32})\n/);
    tokens.add(token);
    const response = await fetch(`${url}/version`, { headers: { Authorization: `Bearer ${token}` } });
    expect(await response.json()).toEqual({ version: expect.stringMatching(/^\d+\.\d+\.\d+/) });
  }
  expect(tokens.size).toBe(2);
});

test('a proxy without a framing warns of faults about messages', async () => {
  const upstream = await serve([]);
  const { call } = await controlled([`proxy:${upstream.address}`]);
  expect((await call('POST', '/faults', { fault: 'drop' })).body).toHaveProperty('note');
  expect((await call('POST', '/faults', { fault: 'latency 1ms' })).body).not.toHaveProperty('note');
});

testWith('curl', 'apt-get install curl')('the examples of the page do what it says', async () => {
  const page = readFileSync(new URL('../../../docs/handlers.md', import.meta.url), 'utf8');
  const [, block = ''] = /<!-- control -->\n```console\n(.*?)```/s.exec(page) ?? [];
  const upstream = await serve(['--framing', 'resp']);
  const { server, url } = await controlled([`proxy:${upstream.address}`, '--protocol', 'redis']);
  const peer = await dial(server.port);
  peer.ended.catch(() => undefined);
  await peer.send('*1\r\n$4\r\nPING\r\n');
  await peer.saw(/PING/);
  const steps = block.split(/^\$ /m).filter((step) => step.startsWith('curl'));
  expect(steps.length).toBeGreaterThan(5);
  for (const step of steps) {
    const [command = '', ...expected] = step.trimEnd().split('\n');
    const line = command.replace('curl', 'curl -sS').replace('localhost:8474', new URL(url).host);
    const { stdout, stderr } = await run(['bash', '-c', line]);
    expect(stderr).toBe('');
    // Ports, times and sizes differ.
    expect(shapeOf(stdout.toString()), command).toEqual(shapeOf(expected.join('\n')));
  }
});

function shapeOf(text: string): unknown {
  const body: unknown = text.trim() === '' ? undefined : JSON.parse(text);
  return JSON.parse(
    JSON.stringify(body ?? null, (_key, value: unknown) => (typeof value === 'number' ? 0 : value)).replace(
      /127\.0\.0\.1:\d+/g,
      '',
    ),
  );
}

test.each([
  [['--control', '0.0.0.0:8474'], /--control listens on loopback only; write 127\.0\.0\.1:8474/],
  [['--control', 'unix:///tmp/x'], /--control takes a TCP address/],
  [['--control', '127.0.0.1:0', '--workers', '2'], /cannot be combined with --workers/],
])('%j is a usage error', async (args, expected) => {
  const { status, stderr } = await yodel(['serve', ...args, '--listen', '127.0.0.1:0']);
  expect(stderr).toMatch(expected);
  expect(status).toBe(2);
});
