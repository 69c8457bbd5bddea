/** The client of `yodel/browser` on WebSockets that the test plays: what each event of a WebSocket means. */
import { describe, expect, it } from 'vitest';
import { Message } from '../../src/framing/message.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, readAll } from '../client/host.ts';
import { FakeSockets } from './fake-sockets.ts';

describe('a client in a browser', () => {
  it('receives text and binary messages, and sends them', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    const messages = client[Symbol.asyncIterator]();
    await network.newest.says('grüße', Uint8Array.of(1, 2));
    const text = (await messages.next()).value;
    expect(text).toMatchObject({ kind: 'text', text: 'grüße', size: 7, header: new Uint8Array(0) });
    expect([...(text?.bytes ?? [])]).toEqual([...Buffer.from('grüße')]);
    const binary = (await messages.next()).value;
    expect(binary).toMatchObject({ kind: 'binary', text: '\u0001\u0002', size: 2 });
    expect(client.send('a')).toBe(true);
    client.send(Uint8Array.of(0, 255));
    if (text) client.send(text);
    client.send(Message.of('of the library'));
    expect(network.newest.sent).toEqual(['a', Uint8Array.of(0, 255), 'grüße', 'of the library']);
  });

  it('matches replies to requests', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    const replies = [client.request('one'), client.request('two')];
    expect(network.newest.sent).toEqual(['one', 'two']);
    await network.newest.says('1', '2');
    expect((await Promise.all(replies)).map(String)).toEqual(['1', '2']);
  });

  it.each([1000, 1001, 1005])('ends with the server that closes with %d', async (code) => {
    const network = new FakeSockets();
    const client = await network.connect();
    const all = readAll(client);
    await network.newest.says('last');
    await network.newest.closes(code);
    expect(await all).toEqual(['last']);
    expect(await client.closed).toBeUndefined();
  });

  it.each([
    [1006, 'YODEL_CONNECTION_RESET', /broke: it ended without a close frame/],
    [1009, 'YODEL_WEBSOCKET_CLOSED', /code 1009 \(message too big\): why$/],
    [1011, 'YODEL_WEBSOCKET_CLOSED', /code 1011 \(internal error\): why$/],
    [4000, 'YODEL_WEBSOCKET_CLOSED', /code 4000: why$/],
  ])('fails when the WebSocket is closed with %d', async (closeCode, code, message) => {
    const network = new FakeSockets();
    const client = await network.connect();
    const all = fateOf(readAll(client));
    const request = fateOf(client.request('a'));
    await network.newest.closes(closeCode, 'why');
    const error = { code, message: expect.stringMatching(message) };
    expect(await client.closed).toMatchObject(error);
    expect(all.error).toMatchObject(error);
    expect(request.error).toMatchObject(error);
  });

  it('says how many bytes were lost with the connection', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    client.send('hello');
    network.newest.bufferedAmount = 5;
    await network.newest.closes(1006);
    expect((await client.closed)?.message).toContain('5 bytes were not sent');
  });

  it('has the replies that are due before it ends the WebSocket, which drops what comes later', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    const request = fateOf(client.request('a'));
    const closed = fateOf(client.close());
    await settled();
    expect(network.newest.closeCode).toBeUndefined();
    await network.newest.says('reply');
    expect(String(request.value)).toBe('reply');
    expect(network.newest.closeCode).toBe(1000);
    expect(closed.settled).toBe(false);
    await network.newest.closes(1000);
    expect(closed.settled).toBe(true);
    expect(await client.closed).toBeUndefined();
  });

  it('waits for replies no longer than closeTimeout', async () => {
    const network = new FakeSockets();
    const client = await network.connect({ closeTimeout: 500 });
    const request = fateOf(client.request('a'));
    const closed = fateOf(client.close());
    await network.passes(500);
    expect(closed.settled).toBe(true);
    expect(request.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
    expect(network.newest.closeCode).toBeDefined();
  });

  it('ends at once when no reply is due', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    client.end();
    expect(network.newest.closeCode).toBe(1000);
    expect(() => client.send('a')).toThrow('closed');
    // Servers that do not answer a close frame end the connection.
    await network.newest.closes(1006);
    expect(await client.closed).toBeUndefined();
  });

  it('is aborted without waiting for the server', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    const request = fateOf(client.request('a'));
    client.abort();
    await settled();
    expect(request.error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
    expect(client.state).toBe('closed');
    await network.newest.says('too late');
  });

  it('refuses a message that is longer than maxMessageLength, in bytes', async () => {
    const network = new FakeSockets();
    const client = await network.connect({ maxMessageLength: 6 });
    const messages = fateOf(readAll(client));
    await network.newest.says('ééé', 'éééé');
    expect(messages.error).toMatchObject({ code: 'YODEL_MESSAGE_TOO_LONG', message: expect.stringContaining('8') });
    expect(network.newest.closeCode).toBe(4009);
  });

  it('reports back-pressure, and looks at the unsent bytes until there are none', async () => {
    const network = new FakeSockets();
    const client = await network.connect({ highWaterMark: 100 });
    network.newest.bufferedAmount = 101;
    expect(client.send('a')).toBe(false);
    expect(client.unsent).toBe(101);
    const drained = fateOf(client.drained());
    await network.passes(100);
    expect(drained.settled).toBe(false);
    network.newest.bufferedAmount = 0;
    await network.passes(10);
    expect(drained.settled).toBe(true);
  });

  it('refuses values that are no message', async () => {
    const network = new FakeSockets();
    const client = await network.connect();
    expect(client.send({ a: 1 } as never)).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    expect(network.newest.sent).toEqual([]);
  });
});

describe('connecting in a browser', () => {
  it('takes no longer than connectTimeout', async () => {
    const network = new FakeSockets();
    const connecting = fateOf(network.begin({ connectTimeout: 500 }));
    await network.passes(499);
    expect(connecting.settled).toBe(false);
    await network.passes(1);
    expect(connecting.error).toMatchObject({ code: 'YODEL_CONNECT_TIMEOUT' });
    expect(network.newest.closeCode).toBeDefined();
  });

  it('is aborted by the signal, before and after', async () => {
    const network = new FakeSockets();
    const aborter = new AbortController();
    const connecting = fateOf(network.begin({ signal: aborter.signal }));
    await settled();
    aborter.abort(new Error('enough'));
    await settled();
    expect(connecting.error).toMatchObject({ message: 'enough' });
    expect(network.newest.closeCode).toBeDefined();
    const second = new AbortController();
    const client = await network.connect({ signal: second.signal });
    second.abort();
    await settled();
    expect(client.state).toBe('closed');
  });

  it('happens again after a lost connection, and prepares it before anything else is sent', async () => {
    const network = new FakeSockets();
    const client = await network.connect({
      reconnect: { minDelay: 100 },
      onConnect: (connection) => void connection.send(connection.isReconnect ? 'again' : 'first'),
    });
    await network.newest.closes(1001);
    expect(client.state).toBe('reconnecting');
    const ready = client.ready().then(() => client.send('after'));
    await network.passes(100);
    expect(network.all).toHaveLength(2);
    await network.newest.opens();
    await ready;
    expect(network.all.map(({ sent }) => sent)).toEqual([['first'], ['again', 'after']]);
  });

  it('happens at once when the network is back or the page is visible', async () => {
    const network = new FakeSockets();
    const client = await network.connect({ reconnect: { minDelay: 60_000, maxDelay: 60_000 } });
    await network.newest.closes(1006);
    network.page.dispatchEvent(new Event('online'));
    await settled();
    expect(network.all).toHaveLength(2);
    await network.newest.opens();
    expect(client.state).toBe('open');
    await network.newest.closes(1006);
    network.page.document.dispatchEvent(new Event('visibilitychange'));
    await settled();
    expect(network.all).toHaveLength(3);
  });

  it('waits while the browser is offline, without counting attempts', async () => {
    const network = new FakeSockets();
    network.page.navigator.onLine = false;
    const client = await network.connect({ reconnect: { minDelay: 10, maxAttempts: 1 } });
    await network.newest.closes(1006);
    await network.passes(3_600_000);
    expect(network.all).toHaveLength(1);
    network.page.navigator.onLine = true;
    network.page.dispatchEvent(new Event('online'));
    await settled();
    await network.newest.opens();
    expect(client.state).toBe('open');
  });
});
