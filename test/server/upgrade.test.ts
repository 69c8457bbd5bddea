/** What a handler sees of the request that opened a WebSocket. */
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import { connect } from '../../src/client/connect.ts';
import type { AnyServeOptions } from '../../src/server/options.ts';
import { serve } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import type { UpgradeRequest } from '../../src/transport/transport.ts';
import { requestUpgrade } from '../support/upgrade-request.ts';

async function serveWebSocket(options: AnyServeOptions): Promise<number> {
  const server = await serve({ listen: 'ws://127.0.0.1:0', ...options });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return (server.addresses[0] as { port: number }).port;
}

/** The session of a client with these headers. `open` is called with it before it resolves. */
async function opened(path: string, headers: string[], open: (session: Session) => unknown = () => undefined) {
  const session = Promise.withResolvers<Session>();
  const port = await serveWebSocket({
    handler: {
      open(one: Session) {
        const result = open(one);
        session.resolve(one);
        return result as undefined;
      },
      message: () => undefined,
    },
  });
  const { socket, head } = await requestUpgrade(port, path, headers);
  expect(head).toMatch(/^http\/1.1 101 /);
  return { session: await session.promise, port, socket };
}

test('the URL that was requested, with its query', async () => {
  const { session, port } = await opened('/chat/t%C3%A9a?room=a%26b&room=c', []);
  const url = session.upgrade?.url as URL;
  expect(url.href).toBe(`ws://127.0.0.1:${port}/chat/t%C3%A9a?room=a%26b&room=c`);
  expect(url.searchParams.getAll('room')).toEqual(['a&b', 'c']);
});

test.each([
  ['//other.example/x', '//other.example/x'],
  ['/é', '/%C3%A9'],
  ['/a@b:c', '/a@b:c'],
])('the path %j is never taken for a host', async (path, pathname) => {
  const { session } = await opened(path, []);
  expect(session.upgrade?.url.hostname).toBe('127.0.0.1');
  expect(session.upgrade?.url.pathname).toBe(pathname);
});

test('headers are found by a name in any case, with all their values', async () => {
  const { session } = await opened('/', ['X-Trace: one', 'x-TRACE: two, three', 'X-Empty:']);
  const { headers } = session.upgrade as UpgradeRequest;
  expect(headers.get('x-trace')).toBe('one, two, three');
  expect(headers.getAll('X-Trace')).toEqual(['one', 'two, three']);
  expect(headers.get('X-Empty')).toBe('');
  expect(headers.has('x-empty')).toBe(true);
  expect(headers.get('absent')).toBeUndefined();
  expect(headers.getAll('absent')).toEqual([]);
  expect(headers.has('__proto__')).toBe(false);
  expect([...headers].filter(([name]) => name.startsWith('x-'))).toEqual([
    ['x-trace', 'one'],
    ['x-trace', 'two, three'],
    ['x-empty', ''],
  ]);
});

test('the origin of the page that connects, and none of a program', async () => {
  const origins: unknown[] = [];
  const port = await serveWebSocket({
    origins: ['https://app.example.org'],
    handler: { open: ({ upgrade }: Session) => void origins.push(upgrade?.origin) },
  });
  await requestUpgrade(port, '/', ['Origin: https://app.example.org']);
  await requestUpgrade(port);
  await expect.poll(() => origins).toEqual(['https://app.example.org', undefined]);
});

test('an origin may be named in capitals, and with its usual port', async () => {
  const port = await serveWebSocket({ origins: ['HTTPS://App.example.org:443', 'chrome-extension://ABC'] });
  for (const origin of ['https://app.example.org', 'chrome-extension://abc'])
    expect((await requestUpgrade(port, '/', [`Origin: ${origin}`])).head).toMatch(/^http\/1\.1 101 /);
  const other = await requestUpgrade(port, '/', ['Origin: https://app.example.org:444']);
  expect(other.head).toMatch(/^http\/1\.1 403 /);
});

test('subprotocols: all that are offered, and the chosen one', async () => {
  const { session } = await opened('/', ['Sec-WebSocket-Protocol: chat.v2, chat.v1', 'Sec-WebSocket-Protocol: x']);
  expect(session.upgrade?.protocols).toEqual(['chat.v2', 'chat.v1', 'x']);
  expect(session.upgrade?.protocol).toBe('chat.v2');
  const { session: plain } = await opened('/', []);
  expect(plain.upgrade?.protocols).toEqual([]);
  expect(plain.upgrade?.protocol).toBeUndefined();
});

test('cookies and credentials can be read as long as the session lives', async () => {
  const secrets = ['Cookie: a=1; b="two%20words"; b=3; c=%zz', 'Authorization: Bearer xyz', 'X-Other: other'];
  const { session } = await opened('/', secrets);
  await new Promise((resolve) => setImmediate(resolve));
  const { headers } = session.upgrade as UpgradeRequest;
  expect(['a', 'b', 'c', 'd'].map((name) => session.upgrade?.cookie(name))).toEqual([
    '1',
    'two words',
    '%zz',
    undefined,
  ]);
  expect(headers.get('Authorization')).toBe('Bearer xyz');
  expect(headers.has('cookie')).toBe(true);
  expect([...headers].map(([name]) => name)).toEqual(expect.arrayContaining(['cookie', 'authorization', 'x-other']));
});

test('a client without cookies has none, also later', async () => {
  const { session } = await opened('/', []);
  await new Promise((resolve) => setImmediate(resolve));
  expect(session.upgrade?.headers.get('cookie')).toBeUndefined();
  expect(session.upgrade?.cookie('a')).toBeUndefined();
});

test('sessions that are no WebSockets have no upgrade', async () => {
  const server = await serve({ listen: '127.0.0.1:0', handler: (_, session) => String(session.upgrade) });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const client = await connect(server.addresses[0] as never);
  onTestFinished(() => client.abort());
  expect((await client.request('?')).text).toBe('undefined');
});

test('the data of a session may come from the request', async () => {
  const port = await serveWebSocket({
    data: ({ upgrade }: Session) => ({ room: upgrade?.url.searchParams.get('room'), user: upgrade?.cookie('user') }),
    handler: (_: unknown, { data }: Session<object>) => JSON.stringify(data),
  });
  const socket = new WebSocket(`ws://127.0.0.1:${port}/?room=tea`, { headers: { cookie: 'user=ada' } });
  onTestFinished(() => socket.terminate());
  await once(socket, 'open');
  socket.send('who am I?');
  const [message] = await once(socket, 'message');
  expect(JSON.parse(String(message))).toEqual({ room: 'tea', user: 'ada' });
});

test('what is kept of long headers counts as pending, as long as the session lasts', async () => {
  const server = await serve({ listen: 'ws://127.0.0.1:0' });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const { port } = server.addresses[0] as { port: number };
  const usual = await requestUpgrade(port, '/', [`User-Agent: ${'u'.repeat(100)}`]);
  await expect.poll(() => server.sessions.size).toBe(1);
  expect(server.pendingBytes).toBe(0);
  const long = await requestUpgrade(port, '/', [`X-Long: ${'x'.repeat(8000)}`]);
  await expect.poll(() => server.sessions.size).toBe(2);
  expect(server.pendingBytes).toBeGreaterThan(8000);
  expect(server.pendingBytes).toBeLessThan(9000);
  long.socket.destroy();
  await expect.poll(() => server.pendingBytes).toBe(0);
  usual.socket.destroy();
});
