/** Test sessions over WebSocket: the upgrade is a real one, in memory. */
import { expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import type { Handler } from '../../src/session/handler.ts';
import { message } from '../../src/testing/message.ts';
import { testServer, testSession } from '../../src/testing/test-server.ts';

const kinds: Handler = (received) => `${received.kind} ${received.text}`;

it('a session over WebSocket sends text and binary messages', async () => {
  const session = await testSession(kinds, { listen: 'ws://example.org:80' });
  expect(await session.say('hello')).toBe('text hello');
  expect(await session.say(message('hello', { kind: 'binary' }))).toBe('binary hello');
  await session.close();
});

it('a handler reads the request of the upgrade', async () => {
  const handler: Handler = (_, { upgrade }) => [
    String(upgrade?.url.pathname),
    String(upgrade?.url.searchParams.get('token')),
    String(upgrade?.headers.get('x-from')),
  ];
  const headers = { origin: 'http://example.org', 'x-from': 'a test' };
  const origins = ['http://example.org'];
  const session = await testSession(handler, { listen: 'ws://test:80', origins, path: '/chat?token=1', headers });
  expect(await session.exchange('who am I?')).toEqual(['/chat', '1', 'a test']);
  await session.close();
});

it('a page of another origin is refused', async () => {
  const server = await testServer({ listen: 'ws://example.org:80', handler: kinds });
  const refused = server.connect({ headers: { origin: 'https://evil.example' } });
  await expect(refused).rejects.toMatchObject({ code: 'YODEL_WEBSOCKET_REFUSED' });
  const session = await server.connect();
  expect(await session.say('hello')).toBe('text hello');
  expect(await session.end()).toEqual([]);
  expect(await session.closed).toBeUndefined();
  await server.close();
});

it('a client of the library speaks WebSocket in memory', async () => {
  const server = await testServer({ listen: 'ws://a:1', handler: kinds });
  const { transport, clock } = server;
  const client = await connect('ws://a:1', { transport, clock });
  expect(String(await client.request('hello'))).toBe('text hello');
  expect(client.handshake?.upgrade?.status).toBe('HTTP/1.1 101 Switching Protocols');
  client.abort();
  await server.close();
});

it('the time for a handshake is that of the test', async () => {
  const refused: unknown[] = [];
  const authorizeUpgrade = () => new Promise<boolean>(() => {});
  const telemetry = { refused: (_: unknown, error: unknown) => refused.push(error) };
  const server = await testServer({ listen: 'ws://a:1', handshakeTimeout: 5000, authorizeUpgrade, telemetry });
  const connecting = expect(server.connect()).rejects.toThrow('cannot connect to ws://a:1/');
  await server.clock.advance(4999);
  expect(refused).toEqual([]);
  await server.clock.advance(1);
  expect(refused).toMatchObject([{ code: 'YODEL_HANDSHAKE_TIMEOUT' }]);
  await connecting;
  await server.close();
});

it('pings are sent at the time of the test: who answers none is disconnected', async () => {
  const server = await testServer({ listen: 'ws://a:1', pingInterval: 1000, idleTimeout: 0, handler: kinds });
  const [reads, sleeps] = [await server.connect(), await server.connect()];
  const { transport, clock } = server;
  const client = await connect('ws://a:1', { transport, clock, pingInterval: 700 });
  sleeps.peer.pause();
  await clock.advance(60_000);
  expect(await sleeps.closed).toMatchObject({ code: 'YODEL_PING_TIMEOUT' });
  expect(server.server.sessions.size).toBe(2);
  expect(await reads.say('hello')).toBe('text hello');
  expect(String(await client.request('hello'))).toBe('text hello');
  client.abort();
  await server.close();
});

it('a client gives up a server that answers no ping, at the time of the test', async () => {
  const server = await testServer({ listen: 'ws://a:1', handler: kinds, network: { latencyMs: 2000 } });
  const { transport, clock } = server;
  const connecting = connect('ws://a:1', { transport, clock, pingInterval: 1000 });
  await clock.advance(10_000);
  const client = await connecting;
  await clock.advance(10_000);
  expect(await client.closed).toMatchObject({ code: 'YODEL_PING_TIMEOUT' });
  await server.close();
});
