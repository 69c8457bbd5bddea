/** The option authorizeUpgrade: who may open a WebSocket. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { YodelError } from '../../src/errors.ts';
import type { AnyServeOptions } from '../../src/server/options.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import type { AuthorizeUpgrade, UpgradeRequest } from '../../src/transport/transport.ts';
import { requestUpgrade, upgradeRequest } from '../support/upgrade-request.ts';

/** Listeners on which the handshakes are done by different code. */
const listeners: readonly [name: string, options: AnyServeOptions][] = [
  ['a listener', {}],
  ['a listener that also serves load balancers', { proxyProtocol: ['192.0.2.1'] }],
];

async function start(authorizeUpgrade: unknown, options: AnyServeOptions = {}) {
  const refused: YodelError[] = [];
  const sessions: Session[] = [];
  const server = await serve({
    listen: 'ws://127.0.0.1:0',
    handler: { open: (session) => void sessions.push(session), message: (message) => message },
    telemetry: { refused: (_, error) => refused.push(error) },
    authorizeUpgrade: authorizeUpgrade as AuthorizeUpgrade<Record<string, unknown>>,
    ...options,
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return { server, port: (server.addresses[0] as { port: number }).port, refused, sessions };
}

const later = async () => await new Promise((resolve) => setImmediate(resolve));

/** The decision at once, and as a promise. */
function bothWays(decision: unknown): [string, () => unknown][] {
  return [
    ['at once', () => decision],
    ['later', async () => await later().then(() => decision)],
  ];
}

test.each(listeners.flatMap((listener) => bothWays(true).map((way) => [...listener, ...way] as const)))(
  '%s (%#): true grants the upgrade, %s',
  async (_, options, __, authorize) => {
    const { port } = await start(authorize, options);
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    onTestFinished(() => socket.terminate());
    await once(socket, 'open');
    socket.send('hello');
    expect(String((await once(socket, 'message'))[0])).toBe('hello');
  },
);

test.each(listeners.flatMap((listener) => bothWays(false).map((way) => [...listener, ...way] as const)))(
  '%s (%#): false refuses it with 403, %s',
  async (_, options, __, authorize) => {
    const { port, refused, sessions } = await start(authorize, options);
    const { head, rest } = await requestUpgrade(port);
    expect(head).toMatch(/^http\/1.1 403 forbidden\r\n/);
    expect(rest).toBe('not authorized\n');
    await expect.poll(() => refused.length).toBe(1);
    expect(refused[0]).toMatchObject({
      code: 'YODEL_WEBSOCKET_REFUSED',
      message: expect.stringMatching(/not authorized$/),
    });
    expect(sessions).toEqual([]);
  },
);

test('a status with a reason and headers refuses it', async () => {
  const answer = { status: 401, reason: 'log in first: /login', headers: { 'WWW-Authenticate': 'Bearer' } };
  const { port, refused } = await start(() => answer);
  const { head, rest } = await requestUpgrade(port);
  expect(head).toMatch(/^http\/1.1 401 unauthorized\r\n/);
  expect(head).toContain('\r\nwww-authenticate: bearer');
  expect(rest).toBe('log in first: /login\n');
  await expect.poll(() => refused.length).toBe(1);
  expect(refused[0]?.message).toMatch(/log in first: \/login$/);
});

test('it may send cookies, choose a subprotocol and give the session its data', async () => {
  const answer = { headers: { 'Set-Cookie': ['a=1; HttpOnly', 'b=2'] }, protocol: 'v1', data: { user: 'ada' } };
  const { port, sessions } = await start(() => answer, { data: () => ({ user: 'nobody' }) });
  const { head } = await requestUpgrade(port, '/', ['Sec-WebSocket-Protocol: v2, v1']);
  expect(head).toMatch(/^http\/1.1 101 /);
  expect(head).toContain('\r\nset-cookie: a=1; httponly\r\nset-cookie: b=2');
  expect(head).toContain('\r\nsec-websocket-protocol: v1\r\n');
  await expect.poll(() => sessions.length).toBe(1);
  expect(sessions[0]?.data).toEqual({ user: 'ada' });
  expect(sessions[0]?.upgrade?.protocol).toBe('v1');
});

test('it sees the request and the client', async () => {
  const seen: unknown[] = [];
  const { port } = await start((request: UpgradeRequest, client: { peer: { host: string }; security: unknown }) => {
    seen.push(request.url.pathname, request.cookie('sid'), request.headers.get('Authorization'), request.protocol);
    seen.push(client.peer.host, client.security);
    return true;
  });
  await requestUpgrade(port, '/a', ['Cookie: sid=7', 'Authorization: Bearer t', 'Sec-WebSocket-Protocol: x']);
  expect(seen).toEqual(['/a', '7', 'Bearer t', undefined, '127.0.0.1', undefined]);
});

test('it is not asked about requests that other rules refuse', async () => {
  let asked = 0;
  const { port } = await start(() => {
    asked++;
    return true;
  });
  const { head } = await requestUpgrade(port, '/', ['Origin: https://other.example']);
  expect(head).toMatch(/^http\/1.1 403 /);
  expect(asked).toBe(0);
});

const failures: readonly [what: string, authorize: () => unknown, reported: RegExp][] = [
  ['throws', () => JSON.parse('{'), /^authorizeUpgrade failed: /],
  ['rejects', () => Promise.reject(new Error('no database')), /^authorizeUpgrade failed: no database$/],
  [
    'returns nothing',
    () => undefined,
    /^authorizeUpgrade returned undefined: it must return true, false, or an object/,
  ],
  ['returns a text', () => 'yes', /^authorizeUpgrade returned yes/],
  [
    'returns a status that is none',
    () => ({ status: 200 }),
    /^authorizeUpgrade returned the status 200: .* 300 to 599$/,
  ],
  [
    'splits a header',
    () => ({ headers: { 'Set-Cookie': 'a\r\nX: y' } }),
    /^authorizeUpgrade returned the header "Set-Cookie"/,
  ],
  ['returns a header of the handshake', () => ({ headers: { Upgrade: 'h2c' } }), /returned the header "Upgrade"/],
  ['returns a header that is no Latin-1', () => ({ headers: { 'X-A': '€' } }), /returned the header "X-A"/],
  [
    'misspells the status of a refusal',
    () => ({ stauts: 401 }),
    /^authorizeUpgrade returned the unknown property "stauts". Did you mean "status"\?$/,
  ],
  ['returns a list', async () => [], /^authorizeUpgrade returned : it must return/],
  ['returns headers whose fields are not its own', () => ({ headers: new Headers({ a: 'b' }) }), /no plain object$/],
  ['returns a header without a value', () => ({ headers: { 'X-A': undefined } }), /returned the header "X-A"/],
  ['returns a reason that is no text', async () => ({ status: 401, reason: {} }), /a reason that is no string$/],
  [
    'returns an object that throws',
    async () => ({
      get status() {
        throw new Error('no status');
      },
    }),
    /^authorizeUpgrade failed: no status$/,
  ],
  [
    'chooses a protocol that is not offered',
    () => ({ protocol: 'x' }),
    /chose the subprotocol "x", which the client does/,
  ],
];

test.each(failures)('a client is refused with 500 if it %s, which is reported', async (_, authorize, reported) => {
  const { port, refused, sessions, server } = await start(authorize);
  const { head, rest } = await requestUpgrade(port);
  expect(head).toMatch(/^http\/1.1 500 internal server error\r\n/);
  expect(rest).toBe('the server failed\n');
  await expect.poll(() => refused.length).toBe(1);
  expect(refused[0]).toMatchObject({ code: 'YODEL_HANDLER_FAILED', message: expect.stringMatching(reported) });
  expect(sessions).toEqual([]);
  expect(server.counters.connectionsRefused).toBe(1);
});

test.each(listeners)(
  '%s: a decision that takes longer than handshakeTimeout refuses the client',
  async (_, options) => {
    const { port, refused, server } = await start(() => new Promise(() => undefined), {
      handshakeTimeout: 100,
      ...options,
    });
    const { socket, head } = await requestUpgrade(port);
    expect(head).toBe('');
    expect(socket.destroyed || socket.readableEnded).toBe(true);
    expect(refused[0]).toMatchObject({ code: 'YODEL_HANDSHAKE_TIMEOUT' });
    expect(server.sessions.size).toBe(0);
  },
);

/** A client that has requested an upgrade, and the function that decides about it. */
async function undecided(options: AnyServeOptions) {
  const decision = Promise.withResolvers<boolean>();
  const asked = Promise.withResolvers<void>();
  const started = await start(() => {
    asked.resolve();
    return decision.promise;
  }, options);
  const socket = connect(started.port, '127.0.0.1').on('error', () => undefined);
  onTestFinished(() => void socket.destroy());
  socket.write(upgradeRequest(started.port));
  await asked.promise;
  return { ...started, socket, decide: decision.resolve };
}

test.each(listeners)('%s: what a client sends before the decision is handled after it', async (_, options) => {
  const received: string[] = [];
  const handler: Handler = (message) => void received.push(message.text);
  const { socket, decide } = await undecided({ handler, ...options });
  socket.write(Buffer.concat([Buffer.from('818500000000', 'hex'), Buffer.from('early')]));
  await new Promise((resolve) => setImmediate(resolve));
  expect(received).toEqual([]);
  decide(true);
  await expect.poll(() => received).toEqual(['early']);
});

test.each([true, false])('a client that leaves before it is decided that %s does no harm', async (decision) => {
  const { socket, decide, server } = await undecided({});
  socket.destroy();
  await once(socket, 'close');
  decide(decision);
  await expect.poll(() => server.counters.connectionsRefused + server.counters.connectionsAccepted).toBe(1);
  await expect.poll(() => server.sessions.size).toBe(0);
});

test('a server that shuts down does not wait for a decision', async () => {
  const { server, refused } = await undecided({ handshakeTimeout: 0, shutdownTimeout: 400 });
  await server.close();
  expect(refused.map(({ code }) => code)).toEqual(['YODEL_SHUTTING_DOWN']);
});

test('the command reloads it for requests that come later', async () => {
  const { port, server } = await start(() => false);
  expect((await requestUpgrade(port)).head).toMatch(/^http\/1.1 403 /);
  await server.reload({ authorizeUpgrade: () => ({ status: 418 }) } as object);
  expect((await requestUpgrade(port)).head).toMatch(/^http\/1.1 418 /);
  await server.reload({ authorizeUpgrade: undefined } as object);
  expect((await requestUpgrade(port)).head).toMatch(/^http\/1.1 101 /);
});
