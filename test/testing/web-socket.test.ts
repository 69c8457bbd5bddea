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
