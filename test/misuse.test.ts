/** Mistakes of programs without types: each is an error at once, which says what and where, and what is probably meant. */
import { type } from 'arktype';
import { describe, expect, test } from 'vitest';
import * as z from 'zod';
import {
  between,
  type Client,
  chat,
  connect,
  exec,
  Faults,
  headers,
  lines,
  octetCounted,
  openBus,
  openJournal,
  openRooms,
  proxy,
  resp,
  serve,
  transcript,
  withFaults,
} from '../src/index.ts';
import { memoryTransport } from '../src/transport/memory.ts';

// biome-ignore lint/suspicious/noExplicitAny: what a program without types may pass
type Any = any;

/** What begins as PEM does. */
const pem = '-----BEGIN CERTIFICATE-----';
const parsed = transcript.parse('> hello\n< welcome\n');
const reload = async (options: Any) => {
  const server = await serve({ transport: memoryTransport() });
  await server.reload(options).finally(() => server.close());
};
const close = async (options: Any) => {
  const server = await serve({ transport: memoryTransport() });
  await server.close(options).finally(() => server.close());
};

const connected = async (use: (client: Client) => Promise<unknown>) => {
  const transport = memoryTransport();
  const server = await serve({ transport });
  const client = await connect(server.addresses[0], { transport });
  await use(client).finally(async () => {
    await client.close();
    await server.close();
  });
};

/** Functions, called with these options; an option that exists, and how it is misspelt. */
const functions: [name: string, call: (options: Any) => unknown, right: string, wrong: string][] = [
  ['serve()', (options) => serve({ transport: memoryTransport(), ...options }), 'handler', 'handelr'],
  ['reload()', reload, 'maxConnections', 'maxConnection'],
  ['close()', close, 'timeoutMs', 'timoutMs'],
  ['connect()', (options) => connect('127.0.0.1:1', options), 'requestTimeout', 'requestTimout'],
  ['ready()', (options) => connected((client) => client.ready(options)), 'timeoutMs', 'timeout'],
  ['request()', (options) => connected((client) => client.request('a', options)), 'timeoutMs', 'timeout'],
  ['sendAll()', (options) => connected((client) => client.sendAll([], options)), 'signal', 'singal'],
  ['openJournal()', (options) => openJournal('/nowhere/x.journal', options), 'replies', 'reply'],
  ['openBus()', (options) => openBus('nats://127.0.0.1', options), 'prefix', 'prefiks'],
  ['openRooms()', (options) => openRooms('nats://127.0.0.1', options), 'roomBuffer', 'roomBufer'],
  ['proxy()', (options) => proxy(1, options), 'connectTimeout', 'conectTimeout'],
  ['exec()', (options) => exec('cat', options), 'perMessage', 'permessage'],
  ['chat()', (options) => chat(options), 'authorize', 'authorise'],
  ['Faults', (options) => new Faults([], options), 'observe', 'observer'],
  ['lines()', (options) => lines(options), 'crlf', 'clrf'],
  ['headers()', (options) => headers(options), 'maxHeaderSize', 'maxHeadersize'],
  ['octetCounted()', (options) => octetCounted(options), 'mixed', 'mixd'],
  ['between()', (options) => between('<', '>', options), 'escape', 'escpae'],
  ['resp()', (options) => resp(options), 'inline', 'inlined'],
  ['mockServer()', (options) => transcript.mockServer(parsed, options), 'lenient', 'lenent'],
  ['check()', (options) => transcript.check(parsed, options), 'timeoutMs', 'timeout'],
  ['transcript.parse()', (options) => transcript.parse('', 'x', options), 'variables', 'vars'],
];

async function errorOf(call: () => unknown): Promise<unknown> {
  try {
    await call();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was refused');
}

describe.each(functions)('%s', (name, call, right, wrong) => {
  test(`refuses the option "${wrong}" and suggests or lists "${right}"`, async () => {
    const error = await errorOf(() => call({ [wrong]: 1 }));
    expect(error).toMatchObject({ code: 'YODEL_INVALID_OPTION' });
    expect((error as Error).message).toContain(`${name} has no option "${wrong}". `);
    expect((error as Error).message).toMatch(new RegExp(`Did you mean "${right}"\\?|Known: .*\\b${right}\\b`));
  });

  // It spreads its options.
  test.skipIf(name === 'serve()').each([
    ['a text', 'options', '"options"'],
    ['a function', () => undefined, 'a function'],
    ['a promise', Promise.resolve({}), 'a promise: await it first'],
    ['an array', [], 'an array'],
    ['null', null, 'null'],
  ])(`refuses %s instead of an object of options`, async (_, options, kind) => {
    expect(await errorOf(() => call(options))).toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: `${name} takes an object of options, not ${kind}`,
    });
  });
});

test.each([
  ['a handler', () => serve((() => undefined) as Any), 'serve() takes an object of options: write serve({ handler })'],
  ['a port', () => serve(7878 as Any), 'serve() takes an object of options: write serve({ listen: … })'],
  ['an address', () => serve(':1' as Any), 'serve() takes an object of options: write serve({ listen: … })'],
  ['a list', () => serve([] as Any), 'serve() takes an object of options, not an array'],
  ['nothing', () => serve(null as Any), 'serve() takes an object of options, not null'],
])('serve() refuses %s, and says what to write', async (_, call, message) => {
  expect(await errorOf(call)).toMatchObject({ code: 'YODEL_INVALID_OPTION', message });
});

/** Values that an option does not take. */
const values: [call: (options: Any) => unknown, options: object, message: string][] = [
  [serve, { data: {} }, 'the option "data" takes a function, not an object'],
  [serve, { journal: openJournal }, 'the option "journal" takes an object, not a function'],
  [serve, { journal: Promise.resolve() }, 'the option "journal" takes an object, not a promise: await it first'],
  [serve, { bus: 'nats://127.0.0.1' }, 'the option "bus" takes an object, not "nats://127.0.0.1"'],
  [serve, { tls: true }, 'the option "tls" takes an object, not true'],
  [serve, { signal: new AbortController() }, 'the option "signal" takes an AbortSignal, not an object'],
  [serve, { reusePort: 'yes' }, 'the option "reusePort" takes true or false, not "yes"'],
  [serve, { origins: 'https://example.org' }, 'the option "origins" takes a list of texts, not "https://example.org"'],
  [
    serve,
    { origins: ['example.org'] },
    'the option "origins": "example.org" is not a web origin; write a scheme and a host',
  ],
  [serve, { origins: ['https://example.org/'] }, '"https://example.org/" is not a web origin'],
  [
    serve,
    { origins: ['https://*.example.org'] },
    '"https://*.example.org" is not a web origin: a pattern matches nothing',
  ],
  [serve, { listen: true }, 'boolean true is no address'],
  [serve, { listen: { port: 80 } }, 'an object with port is no address'],
  [serve, { listen: null }, 'the address is null: a setting may be missing'],
  [serve, { listen: [undefined] }, 'the address is undefined: a setting may be missing'],
  [serve, { codec: z.object({}) }, 'takes a codec, such as json(): a schema is none; json(schema) makes one of it'],
  [serve, { codec: type('string') }, 'takes a codec, such as json(): a schema is none; json(schema) makes one of it'],
  [memoryTransport, { chunksize: 1 }, 'memoryTransport() has no option "chunksize". Did you mean "chunkSize"?'],
  [memoryTransport, { chunkSize: 0 }, 'the option "chunkSize" takes a number from 1, not 0'],
  [memoryTransport, { capacity: 'x' }, 'the option "capacity" takes a number from 1, not "x"'],
  [serve, { allow: '10.0.0.0/8' }, 'the option "allow" takes a list of texts, not "10.0.0.0/8"'],
  [serve, { handler: import('../examples/shout.ts') }, 'the handler is a promise: await it first'],
  [serve, { handler: 'echo' }, 'the handler is the text "echo"'],
  [(options) => connect(1, options), { onStateChange: true }, 'the option "onStateChange" takes a function, not true'],
  [(options) => connect(1, options), { signal: 5000 }, 'the option "signal" takes an AbortSignal, not 5000'],
  [
    (options) => connect(1, options),
    { correlate: 'ids' },
    'the option "correlate" takes "order" or { requestId, replyId }, not "ids"',
  ],
  [
    (options) => connect(1, options),
    { correlate: { requestId: () => 1 } },
    'the option "correlate" needs a function replyId',
  ],
  [
    (options) => connected((client) => client.ready(options)),
    { signal: {} },
    'the option "signal" takes an AbortSignal',
  ],
  [
    ({ messages }) => connected((client) => client.sendAll(messages)),
    { messages: 'hello' },
    'sendAll() takes an array or another iterable of messages, not "hello"',
  ],
  [
    ({ messages }) => connected((client) => client.sendAll(messages)),
    { messages: new Uint8Array(1) },
    'sendAll() takes an array or another iterable of messages, not an object',
  ],
  [
    ({ messages }) => connected((client) => client.sendAll(messages)),
    { messages: Promise.resolve(['hello']) },
    'sendAll() takes an array or another iterable of messages, not a promise: await it first',
  ],
  [(options) => connect(1, options), { tls: true }, 'the option "tls" takes an object, not true'],
  [
    (options) => connect(1, options),
    { reconnect: { initail: true } },
    'reconnect has no option "initail". Did you mean "initial"?',
  ],
  [reload, { handler: Promise.resolve(() => undefined) }, 'the handler is a promise: await it first'],
  [
    (options) => proxy(1, options),
    { connectTimeout: '5s' },
    'the option "connectTimeout" takes a number from 0, not "5s"',
  ],
  [serve, { tls: { cert: 'cert.pem', key: pem } }, 'the option "tls.cert" takes the text of a PEM file, not its path'],
  [serve, { tls: { cert: pem } }, 'the option "tls.key" takes the text of a PEM file, not undefined'],
  [
    serve,
    { tls: { cert: pem, key: pem, clientCa: './ca.pem' } },
    'the option "tls.clientCa" takes the text of a PEM file, not its path',
  ],
  [
    serve,
    { tls: { cert: pem, key: pem, sni: { 'a.example': { cert: 'a.pem', key: pem } } } },
    'the option "tls.sni["a.example"].cert" takes the text of a PEM file, not its path',
  ],
  [
    (options) => connect(1, options),
    { tls: { ca: 'ca.pem' } },
    'the option "tls.ca" takes the text of a PEM file, not its path',
  ],
  [(options) => connect(1, options), { tls: { cert: pem } }, 'the option "tls.cert" needs "tls.key" as well'],
  [(options) => exec('cat', options), { tell: console }, 'the option "tell" takes a function, not an object'],
  [(options) => chat(options), { authorize: true }, 'the option "authorize" takes a function, not true'],
  [(options) => openJournal('x', options), { replies: 1 }, 'the option "replies" takes true or false, not 1'],
  [() => withFaults(() => '', '10% drop' as Any), {}, 'faults are a list, not "10% drop"'],
  [
    () => transcript.mockServer('> hello' as Any),
    {},
    'mockServer() takes what transcript.parse(text) returns, not "> hello"',
  ],
  [
    () => transcript.parse(Buffer.from('> hello') as Any),
    {},
    'transcript.parse() takes the text of a transcript, not an object',
  ],
];

test.each(values)('%o with %o is refused', async (call, options, message) => {
  expect(((await errorOf(() => call(options))) as Error).message).toContain(message);
});
