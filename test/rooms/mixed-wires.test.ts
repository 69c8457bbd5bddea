/** Members whose connections differ: line endings, framings, WebSocket. Each kind gets its own frames, encoded once. */
import { expect, it } from 'vitest';
import type { SocketAddress } from '../../src/address.ts';
import { connect } from '../../src/client/connect.ts';
import { Message } from '../../src/framing/message.ts';
import { serve } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';

it('members with LF and CRLF in one room receive their own line endings', async () => {
  const harness = await Harness.open({ handler: (_message, session) => session.join('a') });
  const [lf, crlf, silent] = [await harness.connect(), await harness.connect(), await harness.connect()];
  [...harness.server.sessions].at(-1)?.join('a');
  await lf.says('x\n');
  await crlf.says('x\r\n');
  harness.server.room('a').send('one');
  harness.server.room('a').send('two');
  await settled();
  expect([lf.text, crlf.text, silent.text]).toEqual(['one\ntwo\n', 'one\r\ntwo\r\n', 'one\ntwo\n']);
});

it('what a framing cannot express is undelivered to those members only', async () => {
  const undelivered: number[] = [];
  const harness = await Harness.open({
    handler: { open: (session) => session.join('a') },
    telemetry: { undelivered: ({ id }) => undelivered.push(id) },
  });
  const peers = [await harness.connect(), await harness.connect()];
  const room = harness.server.room('a');
  room.send('one');
  room.send('two\nlines');
  room.send('three');
  await settled();
  for (const peer of peers) expect(peer.text).toBe('one\nthree\n');
  expect(undelivered).toHaveLength(2);
  expect(harness.server.counters.messagesUndelivered).toBe(2);
});

it('many that a framing cannot express are reported once for each member and turn', async () => {
  const undelivered: number[] = [];
  const harness = await Harness.open({
    handler: { open: (session) => session.join('a') },
    telemetry: { undelivered: (_session, _error, messages) => undelivered.push(messages) },
  });
  const peers = [await harness.connect(), await harness.connect()];
  const [first] = harness.server.sessions;
  const room = harness.server.room('a');
  for (let count = 0; count < 100; count++) room.send('two\nlines');
  room.send('one');
  room.send('\n', { except: first });
  await settled();
  for (const peer of peers) expect(peer.text).toBe('one\n');
  expect(undelivered).toEqual([100, 101]);
  expect(harness.server.counters.messagesUndelivered).toBe(201);
  expect(harness.server.counters.errors.get('YODEL_UNENCODABLE_MESSAGE')).toBe(201);
  expect([...harness.server.sessions].map(({ messagesSent }) => messagesSent)).toEqual([1, 1]);
});

it('members over TCP and WebSocket talk in one room', async () => {
  await using server = await serve({
    listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'],
    encoding: 'binary',
    handler: {
      open: (session) => session.join('a'),
      message: (message, session) => void session.server.room('a').send(message),
    },
  });
  const open = (address: SocketAddress) => connect(String(address), { encoding: 'binary' });
  const clients = await Promise.all(server.addresses.flatMap((address) => [open(address), open(address)]));
  await expect.poll(() => server.room('a').size).toBe(4);
  const received = clients.map(async (client) => {
    const all: string[] = [];
    for await (const { text, kind } of client) {
      all.push(`${kind ?? ''} ${text}`);
      if (text === 'last') return all;
    }
    return all;
  });
  await clients[0]?.send('from TCP');
  await expect.poll(() => server.counters.roomMessages).toBe(1);
  await clients[2]?.send('from a WebSocket');
  await expect.poll(() => server.counters.roomMessages).toBe(2);
  server.room('a').send(Message.of(Buffer.from([0xff, 0xfe]), { kind: 'binary' }));
  server.room('a').send('last');
  const all = await Promise.all(received);
  expect(all.slice(0, 2)).toEqual(Array(2).fill([' from TCP', ' from a WebSocket', ' \ufffd\ufffd', ' last']));
  expect(all.slice(2)).toEqual(
    Array(2).fill(['text from TCP', 'text from a WebSocket', 'binary \ufffd\ufffd', 'text last']),
  );
  await Promise.all(clients.map((client) => client.close()));
});

it('a turn’s messages are encoded once for each kind of connection, not for each member', async () => {
  const harness = await Harness.open({ handler: { open: (session) => session.join('a') } });
  for (let count = 0; count < 50; count++) await harness.connect();
  let read = 0;
  const message = Message.of('hello');
  Object.defineProperty(message, 'bytes', {
    get() {
      read++;
      return Buffer.from('hello');
    },
  });
  harness.server.room('a').send(message);
  await settled();
  expect(harness.writes).toHaveLength(50);
  expect(read).toBeLessThan(4);
  expect((harness.session as Session).messagesSent).toBe(1);
});
