/** How WebSocket connections end, and what each side is told: close codes, pings, and refused handshakes. */
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { TcpAddress, WebSocketAddress } from '../../src/address.ts';
import { connect } from '../../src/client/connect.ts';
import type { ErrorCode, YodelError } from '../../src/errors.ts';
import type { ServeOptions } from '../../src/server/options.ts';
import { type Server, serve } from '../../src/server/server.ts';
import { eventually } from '../support/eventually.ts';
import { dial } from '../support/peer.ts';
import { listenWebSocket } from '../support/servers.ts';
import { dialWebSocket, frameBytes, textFrame } from '../support/websocket-frames.ts';

interface Served {
  readonly server: Server;
  readonly port: number;
  readonly url: string;
  /** Resolves with the error with which the first session ends. */
  readonly closed: Promise<YodelError | undefined>;
}

async function serveWebSocket(options: ServeOptions = {}): Promise<Served> {
  const { promise, resolve } = Promise.withResolvers<YodelError | undefined>();
  const server = await serve({
    listen: 'ws://127.0.0.1:0',
    telemetry: { closed: (_, error) => resolve(error) },
    ...options,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const { port } = server.addresses[0] as unknown as TcpAddress;
  return { server, port, url: `ws://127.0.0.1:${port}/`, closed: promise };
}

/** A client by `ws`, and how it is closed. */
async function open(url: string): Promise<{ socket: WebSocket; closed: Promise<[number, string]> }> {
  const socket = new WebSocket(url, { perMessageDeflate: false });
  onTestFinished(() => socket.terminate());
  const closed = once(socket, 'close').then(([code, reason]) => [code, String(reason)] as [number, string]);
  await once(socket, 'open');
  return { socket, closed };
}

describe('a server closes with a code that says why', () => {
  const failing = () => {
    throw new Error('secret');
  };
  const hanging = () => new Promise<never>(() => undefined);
  test.each<[string, ServeOptions, number, string]>([
    ['the handler closes', { handler: (_, session) => session.close() }, 1000, ''],
    ['the handler throws', { handler: failing }, 1011, 'the handler failed on the server'],
    ['a message is too long', { maxMessageLength: 3 }, 1009, 'message 1 is longer than the limit of 3 bytes'],
    ['there are too many messages', { maxMessages: 1 }, 1008, 'this connection has reached its limit of 1 messages'],
    ['messages come too fast', { rate: 1, ratePolicy: 'close' }, 1008, 'more than 1 messages per second'],
    [
      'the handler takes too long',
      { handlerTimeout: 50, handler: hanging },
      1011,
      'the handler took longer than 50 ms',
    ],
    ['nothing is received', { idleTimeout: 50 }, 1008, 'nothing was received or sent for 50 ms'],
  ])('when %s', async (_, options, code, reason) => {
    const { url } = await serveWebSocket(options);
    const { socket, closed } = await open(url);
    if (options.idleTimeout === undefined) {
      socket.send('hello');
      socket.send('again');
    }
    expect(await closed).toEqual([code, reason]);
  });

  test('when a message is not finished in time', async () => {
    const { url } = await serveWebSocket({ messageTimeout: 50 });
    const { socket, closed } = await open(url);
    socket.send('begun', { fin: false });
    expect(await closed).toEqual([1008, 'a message was not finished within 50 ms of its first byte']);
  });

  test('when it shuts down', async () => {
    const { server, url } = await serveWebSocket();
    const { closed } = await open(url);
    void server.close();
    expect(await closed).toEqual([1001, 'the server is shutting down']);
  });

  test('when it is full', async () => {
    const { url } = await serveWebSocket({ maxConnections: 1 });
    await open(url);
    const { closed } = await open(url);
    expect(await closed).toEqual([1013, expect.stringContaining('limit of 1 connections')]);
  });

  test.each([
    ['a frame is not allowed', frameBytes({ opcode: 3, isFinal: true, length: 1 }), 1002],
    ['text is not UTF-8', Buffer.from([0x81, 0x81, 0, 0, 0, 0, 0xff]), 1007],
  ])('when %s, and ends the connection at once', async (_, frame, code) => {
    const { port, closed } = await serveWebSocket();
    const peer = await dialWebSocket(port, frame);
    const bytes = await peer.ended;
    const at = bytes.lastIndexOf(0x88);
    expect(bytes.readUInt16BE(at + 2)).toBe(code);
    peer.end();
    expect((await closed)?.code).toBe(code === 1002 ? 'YODEL_INVALID_FRAME' : 'YODEL_INVALID_UTF8');
  });
});

describe('a server that closes first', () => {
  const closeFrame = frameBytes({ opcode: 8, isFinal: true, length: 0 });
  const begun = frameBytes({ opcode: 1, isFinal: false, length: 1000 });
  const idle = { idleTimeout: 50, lingerTimeout: 20_000 };
  const handler: ServeOptions['handler'] = (_, session) => session.close();

  test.each<[string, ServeOptions, Uint8Array, Uint8Array[]]>([
    ['after a message', { handler }, textFrame(3), [closeFrame]],
    ['and the frame comes in pieces', { handler }, textFrame(3), Array.from(closeFrame, (byte) => Buffer.of(byte))],
    ['behind messages', { handler }, textFrame(3), [textFrame(5), Buffer.concat([textFrame(70_000), closeFrame])]],
    [
      'behind the rest of a message, and a ping',
      { ...idle, idleTimeout: 0, messageTimeout: 50 },
      begun.subarray(0, 500),
      [
        begun.subarray(500),
        frameBytes({ opcode: 9, isFinal: true, length: 1 }),
        frameBytes({ opcode: 0, isFinal: true, length: 9 }),
        closeFrame,
      ],
    ],
    ['after a time-out', idle, Buffer.alloc(0), [closeFrame]],
  ])("ends the connection when the client's close frame has arrived: %s", async (_, options, first, rest) => {
    const { port, closed } = await serveWebSocket({ lingerTimeout: 20_000, ...options });
    const peer = await dialWebSocket(port, first);
    let hasEnded = false;
    const ended = peer.ended.then(() => {
      hasEnded = true;
    });
    await eventually(() => expect(peer.received.includes(0x88)).toBe(true));
    for (const bytes of rest) {
      await new Promise((resolve) => setTimeout(resolve, 10));
      expect(hasEnded).toBe(false);
      await peer.send(bytes);
    }
    await ended;
    peer.end();
    await closed;
  });

  test('waits for that at most for lingerTimeout', async () => {
    const { port, closed } = await serveWebSocket({ handler, lingerTimeout: 50 });
    const peer = await dialWebSocket(port, textFrame(3));
    await peer.ended;
    peer.end();
    await closed;
  });

  test('answers no pings and no messages any more', async () => {
    const { port } = await serveWebSocket({ handler, lingerTimeout: 20_000 });
    const peer = await dialWebSocket(port, textFrame(3));
    await eventually(() => expect(peer.received.includes(0x88)).toBe(true));
    const { size } = peer;
    await peer.send(Buffer.concat([frameBytes({ opcode: 9, isFinal: true, length: 1 }), textFrame(3), closeFrame]));
    await peer.ended;
    expect(peer.size).toBe(size);
  });
});

describe('a client that closes', () => {
  test.each<[number | undefined, ErrorCode | undefined]>([
    [undefined, undefined],
    [1000, undefined],
    [1011, 'YODEL_WEBSOCKET_CLOSED'],
    [4001, 'YODEL_WEBSOCKET_CLOSED'],
  ])('with code %s gets it back, after the replies', async (code, expected) => {
    const { url, closed } = await serveWebSocket();
    const client = await open(url);
    const replies: string[] = [];
    client.socket.on('message', (data) => void replies.push(String(data)));
    client.socket.send('last words');
    client.socket.close(code, code === undefined ? '' : 'because');
    const [answer] = await client.closed;
    expect(answer).toBe(code ?? 1005);
    expect(replies).toEqual(['last words']);
    const error = await closed;
    expect(error?.code).toBe(expected);
    if (expected) expect(error?.message).toMatch(new RegExp(`closed the WebSocket with code ${code}.*: because$`));
  });

  test('gets the replies of an asynchronous handler before the answer', async () => {
    const { url } = await serveWebSocket({
      handler: async (message) => {
        await new Promise((resolve) => setTimeout(resolve, 20));
        return message;
      },
    });
    const client = await open(url);
    const replies: string[] = [];
    client.socket.on('message', (data) => void replies.push(String(data)));
    for (const text of ['a', 'b', 'c']) client.socket.send(text);
    client.socket.close(1000);
    await client.closed;
    expect(replies).toEqual(['a', 'b', 'c']);
  });

  test('without a close frame has broken the connection', async () => {
    const { port, closed } = await serveWebSocket();
    const peer = await dialWebSocket(port);
    peer.end();
    expect((await closed)?.message).toMatch(/the peer ended the connection without a close frame/);
  });
});

describe('connect()', () => {
  test.each([
    [1000, 'YODEL_CONNECTION_CLOSED', 'ended the connection'],
    [1001, 'YODEL_CONNECTION_CLOSED', 'ended the connection'],
    [1011, 'YODEL_WEBSOCKET_CLOSED', 'closed the WebSocket with code 1011 (internal error): why'],
    [1008, 'YODEL_WEBSOCKET_CLOSED', 'closed the WebSocket with code 1008 (policy violation): why'],
  ] as const)('rejects pending requests when the server closes with code %i', async (code, expected, text) => {
    const { address } = await listenWebSocket((socket) => socket.on('message', () => socket.close(code, 'why')));
    const client = await connect(address);
    await expect(client.request('hello')).rejects.toMatchObject({
      code: expected,
      message: expect.stringContaining(`${address} ${text}`),
    });
    await client.closed;
  });

  test.each([
    ['a message that is too long', 'x'.repeat(11), 1009],
    ['text that is not UTF-8', Buffer.from([0xff]), 1007],
  ])('tells the server why it refuses %s', async (_, message, expected) => {
    const code = Promise.withResolvers<number>();
    const { address } = await listenWebSocket((socket) => {
      socket.on('close', code.resolve);
      socket.send(message, { binary: false });
    });
    const client = await connect(address, { maxMessageLength: 10 });
    await client.closed;
    expect(await code.promise).toBe(expected);
  });

  test('talks to a server of yodel in text and binary messages, and closes', async () => {
    const { url, closed } = await serveWebSocket();
    const client = await connect(url);
    const replies = await Promise.all(['hällo', '', 'x'.repeat(60_000)].map((text) => client.request(text)));
    expect(replies.map(({ text, kind }) => [text.length, kind])).toEqual([
      [5, 'text'],
      [0, 'text'],
      [60_000, 'text'],
    ]);
    const binary = await client.request(Buffer.from([0xff, 0]));
    expect([binary.kind, ...binary.bytes]).toEqual(['binary', 0xff, 0]);
    await client.close();
    expect(await closed).toBeUndefined();
  });
});

describe('pings', () => {
  test('between the fragments of a message are answered with their data', async () => {
    const { port } = await serveWebSocket();
    const peer = await dialWebSocket(port, frameBytes({ opcode: 1, isFinal: false, length: 3 }));
    await peer.send(frameBytes({ opcode: 9, isFinal: true, length: 4 }));
    await peer.saw(/xxxx$/);
    expect(peer.received.subarray(-6)).toEqual(Buffer.from([0x8a, 4, 0x78, 0x78, 0x78, 0x78]));
    await peer.send(frameBytes({ opcode: 0, isFinal: true, length: 2 }));
    await peer.saw(/xxxxx$/);
    expect(peer.received.subarray(-7)).toEqual(Buffer.from([0x81, 5, ...Buffer.from('xxxxx')]));
  });

  test('that arrive together are answered once', async () => {
    const { port } = await serveWebSocket();
    const ping = frameBytes({ opcode: 9, isFinal: true, length: 1 });
    const peer = await dialWebSocket(port, Buffer.concat([...Array<Buffer>(1000).fill(ping), textFrame(5)]));
    await peer.saw(/xxxxx/);
    await peer.send(frameBytes({ opcode: 8, isFinal: true, length: 0 }));
    const bytes = await peer.ended;
    expect(bytes.filter((byte) => byte === 0x8a).length).toBeLessThan(10);
  });

  test('are sent to a client that sends nothing, and one that does not answer is disconnected', async () => {
    const { port, closed } = await serveWebSocket({ pingInterval: 30 });
    const peer = await dialWebSocket(port);
    const error = await closed;
    expect(error).toMatchObject({
      code: 'YODEL_PING_TIMEOUT',
      message: expect.stringMatching(/did not answer a ping within 30 ms \(pingInterval\)$/),
    });
    expect(peer.received.subarray(-2)).toEqual(Buffer.from([0x89, 0]));
  });

  test('keep a client that answers them, but do not count for idleTimeout', async () => {
    const { url } = await serveWebSocket({ pingInterval: 200, idleTimeout: 1500 });
    const { socket, closed } = await open(url);
    let pings = 0;
    socket.on('ping', () => pings++);
    expect(await closed).toEqual([1008, 'nothing was received or sent for 1500 ms']);
    expect(pings).toBeGreaterThan(1);
  });

  test('of a client do not count for idleTimeout either', async () => {
    const { url } = await serveWebSocket({ idleTimeout: 200 });
    const { socket, closed } = await open(url);
    const pings = setInterval(() => socket.ping('here'), 20);
    onTestFinished(() => clearInterval(pings));
    expect(await closed).toEqual([1008, 'nothing was received or sent for 200 ms']);
  });

  /** A client that sends pings without an end, each byte in a chunk of its own. */
  async function pingByteByByte(port: number) {
    const peer = await dialWebSocket(port);
    const ping = frameBytes({ opcode: 9, isFinal: true, length: 3 });
    let sent = 0;
    const bytes = setInterval(() => void peer.send(Buffer.of(ping[sent++ % ping.length] as number)), 10);
    onTestFinished(() => clearInterval(bytes));
    return peer;
  }

  test('that arrive byte by byte do not count either', async () => {
    const { port, closed } = await serveWebSocket({ idleTimeout: 300 });
    await pingByteByByte(port);
    expect(await closed).toMatchObject({ code: 'YODEL_IDLE_TIMEOUT' });
  });

  test('that arrive byte by byte are answered', async () => {
    const { port } = await serveWebSocket();
    const peer = await pingByteByByte(port);
    await eventually(() => expect(peer.received.includes(Buffer.from('\x8a\x03xxx', 'latin1'))).toBe(true));
  });

  test('are sent by a client, which notices a server that is gone', async () => {
    const { address } = await listenWebSocket((socket) => socket.pause());
    const client = await connect(address, { pingInterval: 30 });
    await expect(client.request('hello')).rejects.toMatchObject({ code: 'YODEL_PING_TIMEOUT' });
  });
});

describe('a handshake is refused', () => {
  const valid: Readonly<Record<string, string>> = {
    Host: 'x',
    Upgrade: 'websocket',
    Connection: 'keep-alive, Upgrade',
    'Sec-WebSocket-Key': btoa('x'.repeat(16)),
    'Sec-WebSocket-Version': '13',
  };
  const head = (change: Readonly<Record<string, string | undefined>>, line = 'GET / HTTP/1.1') => {
    const headers = Object.entries({ ...valid, ...change }).filter(([, value]) => value !== undefined);
    return `${[line, ...headers.map(([name, value]) => `${name}: ${value}`)].join('\r\n')}\r\n\r\n`;
  };

  test.each([
    ['nothing: it is granted', head({}), '101'],
    ['with other spellings: it is granted', head({ Upgrade: 'h2c, WebSocket', 'X-Empty': '' }), '101'],
    ['no upgrade', head({ Upgrade: undefined }), '426'],
    ['no connection header', head({ Connection: 'close' }), '426'],
    ['another version', head({ 'Sec-WebSocket-Version': '8' }), '426'],
    ['no key', head({ 'Sec-WebSocket-Key': undefined }), '400'],
    ['a short key', head({ 'Sec-WebSocket-Key': btoa('x') }), '400'],
    ['no host', head({ Host: undefined }), '400'],
    ['a host that is none', head({ Host: 'a b' }), '400'],
    ['a path in the host', head({ Host: 'a/b' }), '400'],
    ['no host, but an empty header', head({ Host: '' }), '101'],
    ['a target that is no path', head({}, 'GET chat HTTP/1.1'), '400'],
    ['a target for the whole server', head({}, 'GET * HTTP/1.1'), '400'],
    ['two hosts', head({ 'Host ': 'y' }).replace('Host :', 'host:'), '400'],
    ['a space before a colon', head({ 'X ': 'y' }), '400'],
    ['a folded header', head({}).replace('\r\n\r\n', '\r\n folded: yes\r\n\r\n'), '400'],
    ['a body', head({ 'Content-Length': '5' }), '400'],
    ['another method', head({}, 'POST / HTTP/1.1'), '405'],
    ['HTTP/1.0', head({}, 'GET / HTTP/1.0'), '400'],
    ['lines that end with LF', head({}).replaceAll('\r\n', '\n'), '400'],
    ['bytes that are not HTTP', '\x16\x03\x01\x02\x00\x01\x00\x01', '400'],
    ['too long a head', head({ 'X-Long': 'x'.repeat(20_000) }), '431'],
  ])('for %s', async (_, request, status) => {
    const { port } = await serveWebSocket();
    const peer = await dial(port);
    await peer.send(Buffer.from(request, 'latin1'));
    await peer.saw(/\r\n\r\n/);
    expect(peer.text).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  });

  const statusOf = async (port: number, target: string, change = {}): Promise<string> => {
    const peer = await dial(port);
    await peer.send(Buffer.from(head(change, `GET ${target} HTTP/1.1`)));
    await peer.saw(/\r\n\r\n/);
    return peer.text.slice(9, 12);
  };

  test.each([
    ['/chat', { '/chat': '101', '/chat?room=1': '101', '/': '404', '/chat/': '404' }],
    // As proxies request it; servers must accept it.
    ['/chat', { 'http://x/chat': '101', 'ws://x:1/chat?a': '101', 'http://x/': '404', 'ftp://x/chat': '400' }],
    ['/caf\u00e9', { '/caf%C3%A9': '101', '/caf%c3%a9': '101', '/caf\u00e9': '101', '/caf': '404' }],
    ['/caf%c3%a9', { '/caf%C3%A9': '101', '/caf%c3%a9': '101' }],
    ['/chat?room=1', { '/chat?room=1': '101', '/chat?room=2': '404', '/chat': '404' }],
  ])('except at %s', async (path, statuses) => {
    const server = await serve({ listen: `ws://127.0.0.1:0${path}` });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const { port } = server.addresses[0] as unknown as WebSocketAddress;
    for (const [target, status] of Object.entries(statuses))
      expect([target, await statusOf(port, target)]).toEqual([target, status]);
    const client = await connect(`ws://127.0.0.1:${port}${path}`);
    expect((await client.request('hello')).text).toBe('hello');
    await client.close();
  });

  test('to web pages of another host than that of the target', async () => {
    const { port } = await serveWebSocket();
    const of = (origin: string) => statusOf(port, 'http://127.0.0.1:80/', { Host: 'localhost', Origin: origin });
    expect(await of('http://localhost')).toBe('403');
  });

  test('and a subprotocol is chosen only if its name is valid', async () => {
    const { port } = await serveWebSocket();
    const chosen = async (offered: string) => {
      const peer = await dial(port);
      await peer.send(Buffer.from(head({ 'Sec-WebSocket-Protocol': offered })));
      await peer.saw(/\r\n\r\n/);
      return /Sec-WebSocket-Protocol: (.*)\r/.exec(peer.text)?.[1];
    };
    expect(await Promise.all(['a, b', 'a"b', 'a b'].map(chosen))).toEqual(['a', undefined, undefined]);
  });
});

test('a client that ends after a message that is too long still gets the replies that are due', async () => {
  const { promise: isHandled, resolve: handle } = Promise.withResolvers<void>();
  const handler = async ({ text }: { readonly text: string }) => {
    await isHandled;
    return text.toUpperCase();
  };
  const { port, closed } = await serveWebSocket({ maxMessageLength: 20, handler });
  const peer = await dialWebSocket(port);
  const before = peer.size;
  const closeFrame = frameBytes({ opcode: 8, isFinal: true, length: 0 });
  const bytes = Buffer.concat([textFrame(5), textFrame(6), textFrame(21), closeFrame]);
  await new Promise<void>((resolve) => peer.socket.end(bytes, resolve));
  // By then the server has read the end as well.
  for (let other = 0; other < 3; other++) await dialWebSocket(port);
  handle();
  const received = String(await peer.ended).slice(before);
  expect(received).toMatch(/X{5}.{2}X{6}.{2}error: message 3 is longer than the limit of 20 bytes/s);
  expect((await closed)?.code).toBe('YODEL_MESSAGE_TOO_LONG');
});
