/** The HTTP server for operators, over real sockets: what its clients can cause is bounded. */
import { expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import type { HttpRequest } from '../../src/metrics/http-request.ts';
import { type HttpResponse, listenHttp } from '../../src/metrics/http-server.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
import { dial, type Peer } from '../support/peer.ts';

interface Served {
  readonly port: number;
  readonly requests: HttpRequest[];
  /** A client that has connected and sent this. */
  client(text: string): Promise<Peer>;
}

/** A server that answers with the path. */
async function serve(
  answer: (request: HttpRequest) => HttpResponse | Promise<HttpResponse> = ({ path }) => ({ status: 200, body: path }),
  maxBody = 0,
  clock?: FakeClock,
): Promise<Served> {
  const requests: HttpRequest[] = [];
  const server = await listenHttp(new TcpAddress('127.0.0.1', 0), {
    purpose: 'tests',
    maxBody,
    clock,
    answer(request) {
      requests.push(request);
      return answer(request);
    },
    refuse: ({ status, error }) => ({ status, body: error }),
  });
  onTestFinished(() => server.close());
  const { port } = server.address;
  const client = async (text: string) => {
    const peer = await dial(port);
    // Those that are closed for others are reset.
    peer.ended.catch(() => undefined);
    await peer.send(text);
    return peer;
  };
  return { port, requests, client };
}

const get = (path: string) => `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;

test('a request is answered, and the connection ends', async () => {
  const { client, requests } = await serve();
  const text = (await (await client(get('/a?b'))).ended).toString();
  expect(text).toMatch(/^HTTP\/1\.1 200 OK\r\nDate: .* GMT\r\nConnection: close\r\nContent-Length: 2\r\n\r\n\/a$/);
  expect(requests).toMatchObject([{ method: 'GET', path: '/a', body: '' }]);
});

test('HEAD gets the headers alone, and 204 no length', async () => {
  const { client } = await serve(({ path }) => (path === '/none' ? { status: 204 } : { status: 200, body: 'abc' }));
  const head = (await (await client('HEAD / HTTP/1.1\r\nHost: a\r\n\r\n')).ended).toString();
  expect(head).toMatch(/Content-Length: 3\r\n\r\n$/);
  const none = (await (await client(get('/none'))).ended).toString();
  expect(none).toMatch(/^HTTP\/1\.1 204 No Content\r\n/);
  expect(none).not.toContain('Content-Length');
});

test('of pipelined requests one is answered, however many there are', async () => {
  const { client, requests } = await serve();
  const peer = await client(get('/metrics').repeat(4000));
  const text = (await peer.ended).toString();
  expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  expect(requests).toHaveLength(1);
});

test('connections that send nothing, or half a request, do not keep others from being answered', async () => {
  const { client } = await serve();
  const idle: Peer[] = [];
  // Fewer at a time than the limit: none is closed before it knows that it is connected.
  for (let part = 0; part < 6; part++) {
    idle.push(...(await Promise.all(Array.from({ length: 50 }, () => client('')))));
  }
  const late = await client('GET /late');
  for (let at = 0; at < 20; at++) expect((await (await client(get('/b'))).ended).toString()).toMatch(/\/b$/);
  // The oldest ones made way, and only they.
  await Promise.race(idle.map(({ closed }) => closed));
  await late.send(' HTTP/1.1\r\nHost: a\r\n\r\n');
  expect((await late.ended).toString()).toMatch(/\/late$/);
});

test('a request that comes in pieces, and one of a client that has ended its side, are answered', async () => {
  const { client } = await serve();
  const slow = await client('');
  for (const piece of get('/pieces')) await slow.send(piece);
  expect((await slow.ended).toString()).toMatch(/\/pieces$/);
  const half = await client(get('/half'));
  half.end();
  expect((await half.ended).toString()).toMatch(/\/half$/);
});

test('a client that sends more than a request still receives the whole response', async () => {
  const body = 'x'.repeat(500_000);
  const { client } = await serve(() => ({ status: 200, body }));
  const peer = await client(get('/') + 'y'.repeat(200_000));
  await peer.send('y'.repeat(200_000));
  expect((await peer.ended).toString().endsWith(body)).toBe(true);
});

test('a body arrives with its request, if there may be one, and only up to the limit', async () => {
  const { client, requests } = await serve(() => ({ status: 204 }), 10);
  const post = (length: number) => `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${length}\r\n\r\n`;
  const inPieces = await client(`${post(6)}ab`);
  await inPieces.send('cdéand more');
  await inPieces.ended;
  expect(requests.map(({ body }) => body)).toEqual(['abcdé']);
  expect((await (await client(`${post(11)}${'x'.repeat(11)}`)).ended).toString()).toMatch(/^HTTP\/1\.1 413 /);
  const patient = await client(post(2).replace('Host', 'Expect: 100-continue\r\nHost'));
  await patient.saw(/^HTTP\/1\.1 100 Continue\r\n\r\n$/);
  await patient.send('ok');
  expect((await patient.ended).toString()).toContain('204 No Content');
  expect(requests).toHaveLength(2);
});

test.each([
  ['no HTTP', 'hello\n', 400],
  ['a line without CR', 'GET / HTTP/1.1\nHost: a\n\n', 400],
  ['an invalid request', 'GET / HTTP/1.1\r\n\r\n', 400],
  ['a long head', `GET / HTTP/1.1\r\nHost: ${'a'.repeat(9000)}\r\n\r\n`, 431],
  ['an endless head', 'a'.repeat(100_000), 431],
])('%s is refused with the reason', async (_, text, status) => {
  const { client, requests } = await serve();
  expect((await (await client(text)).ended).toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
  expect(requests).toEqual([]);
});

test('a client that drips its request is disconnected, however often it sends', async () => {
  const clock = new FakeClock();
  const { client, requests } = await serve(undefined, 0, clock);
  const peer = await client('G');
  // So that the server has it.
  expect((await (await client(get('/'))).ended).toString()).toContain('200 OK');
  for (const byte of 'ET ') {
    await clock.advance(1500);
    await peer.send(byte);
  }
  await clock.advance(1000);
  await peer.closed;
  expect([peer.size, requests.length]).toEqual([0, 1]);
});

test('one turn of the event loop answers few requests, whatever they cost', async () => {
  let turns = 0;
  const answeredIn: number[] = [];
  const { client } = await serve(() => {
    answeredIn.push(turns);
    for (const end = performance.now() + 2; performance.now() < end; );
    return { status: 204 };
  });
  let isOver = false;
  const count = () => {
    turns++;
    if (!isOver) setImmediate(count);
  };
  count();
  const peers = await Promise.all(Array.from({ length: 40 }, () => client(get('/'))));
  await Promise.all(peers.map(({ ended }) => ended));
  isOver = true;
  expect(answeredIn).toHaveLength(40);
  expect(new Set(answeredIn).size).toBe(40);
});
