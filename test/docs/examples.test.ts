import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { temporaryFile } from '../support/files.ts';
import { run, serve, yodel } from '../support/process/command.ts';

const root = new URL('../../', import.meta.url).pathname;
const pages = ['README.md', ...readdirSync(`${root}docs`, { recursive: true }).map((name) => `docs/${name}`)].filter(
  (name) => name.endsWith('.md'),
);

const programs: Record<string, RegExp> = {
  'library.ts': /^\[ ["']you said one["'], ["']you said two["'] \]\n$/,
  'binary.ts': /03 02 01/,
  'reconnect.ts': /^reconnecting\nYODEL_NOT_CONNECTED\nopen\nhello again\nending\nclosed\n$/,
  'requests.ts':
    /^\{"id":2,"waited":10\}\n\{"id":1,"waited":200\}\n\{"news":"question 1 has arrived"\}\n\{"news":"question 2 has arrived"\}\nYODEL_REQUEST_TIMEOUT\n\{"id":4,"waited":1000\}\nlate replies: 1\n$/,
  'log-in.ts': /^logged in\nada: hello\nlogged in again\nada: hello again\nclosed because of undefined\n$/,
  'streams.ts': /^50000 sent, 50000 received\nA\nB\n$/,
  'observe.ts': /^1 > hello\n1 < HELLO\n$/,
  'json-rpc.ts':
    /^\{"jsonrpc":"2\.0","id":1,"result":"hello Ada"\}\n\{.*"error":\{"code":-32601,"message":"there is no method shout"\}\}\n$/,
  'json.ts': /price: 6.*error: ["']there is no coffee["'].*error: ["']invalid message: amount: .*number/s,
  'msgpack.ts':
    /received: \[\s*1\.5,\s*1970-01-01T00:00:00\.000Z,\s*\{\s*name: ["']Ada["'],?\s*\}\s*\].*error: ["']invalid message: /s,
  'protobuf.ts': /^true\nfalse\n$/,
  'faults.ts': /^one\ntwo\nfour\nsix\ndropped: 2\nseven\nseven\n$/,
  'news.ts': /^first\nyou are 1\nlast\n$/,
  'mock.ts': /^false\ntalk\.transcript:3: the client ended its side without: > bye\n$/,
  'check.ts': /^hello yourself, Ada\nline 2: a different message\n$/,
  'journal.ts': /^1 in one\n3 in two\n$/,
  'room.ts': /^not sent to a client with lines: YODEL_UNENCODABLE_MESSAGE\nhello\n$/,
  'rooms.ts':
    /^in news - in news\nin news and sport\n2 it rains - it rains\nto everyone, in rooms or not - the sun shines - to everyone, in rooms or not\n$/,
  'start-stop.ts': /^opened\nnoted\nclosed\n$/,
  'own-errors.ts': /^ana wrote hello\nerror: you may not write here\nlog: APP_DENIED: bob may not write to #ops\n$/,
  'error-reply.ts': /^250 ok\n550 not for this server\n500 message 1 is longer than the limit of 20 bytes\n$/,
  'concurrency.ts': /^ada: 36, grace: 85, nobody: unknown\n$/,
  'middleware.ts':
    /^#1 Apple -> 3 \((fast|slow)\)\n3\n#1 Pear -> error: no price of pear \((fast|slow)\)\nerror: no price of pear\n#1 # ripe\? -> noted \((fast|slow)\)\nnoted\n$/,
  'channels.ts': /^1 began\n1 sent 1\n1 ended: YODEL_MESSAGE_TOO_LONG\n$/,
  'metrics.ts':
    /^ordered a bicycle\nshop_orders_total 1\nyodel_messages_sent_total\{server="shop"\} 1\nyodel_messages_sent_total\{server="admin"\} 0\n$/,
  'gateway.ts': /^(?:{"celsius":21.5}\n{"error":"cannot ask for pressure"}\n){2}$/,
  'beside-http.ts': /^the page\nada: hello\nYODEL_WEBSOCKET_REFUSED\n$/,
  'beside-hono.ts': /^the page\nHELLO\n$/,
  'beside-fastify.ts': /^the page\nHELLO\n$/,
  'watch.ts': /^1 received\nerror: message 2 is longer than the limit of 5 bytes\n1 YODEL_MESSAGE_TOO_LONG\n/,
};

for (const [name, expected] of Object.entries(programs)) {
  test(`the example ${name} prints the expected output`, async () => {
    const outcome = await run([process.execPath, `${root}examples/${name}`]);
    expect(outcome.stderr).toBe('');
    expect(outcome.stdout.toString()).toMatch(expected);
    expect(outcome.status).toBe(0);
  });
}

const conversations: Record<string, { input: string; output: string }> = {
  'shout.ts': { input: 'hello\nwörld\r\n', output: 'HELLO\nWÖRLD\r\n' },
  'devices.ts': {
    input: 'lamp on\nlogin lamp\nlogin lamp\nlogin heater\nlamp on\n',
    output: 'no device lamp\nall: lamp\nall: lamp\nall: heater\nsent to lamp\non\n',
  },
  'auth.ts': {
    input: 'order tea\nlogin ada lovelace\ntea\n',
    output: 'who are you?\nerror: log in with: login NAME PASSWORD\nwelcome, ada\nada orders: tea\n',
  },
  'chat-room.ts': { input: 'hello\n\x07\n', output: 'welcome, you are number 1 of 1\n1: hello\n1: \\x07\n' },
  'ask.ts': {
    input: 'ada\ntea\nyes\ncake\nno\nbye\n',
    output: 'what is your name?\nhello ada\ntea, ada?\nhere is your tea\ncake, ada?\nno cake, then\n',
  },
  'counter.ts': { input: 'a\nb\nbye\n', output: 'hello, what shall I count?\n1: a\n2: b\nsee you\n' },
};

for (const [name, { input, output }] of Object.entries(conversations)) {
  test(`the example handler ${name} gives the expected answers`, async () => {
    const server = await serve([`${root}examples/${name}`]);
    const client = await yodel(['connect', server.address], { input });
    expect(client.stdout.toString()).toBe(output);
    expect((await server.stop()).status).toBe(0);
  });
}

/** Framings: what is sent, and the frame of the reply. */
const framings: Record<string, { message: string; frame: string }> = {
  'checksum.ts': { message: 'GPTXT,hi', frame: '$GPTXT,hi*62\r\n' },
  'escaping.ts': { message: 'a~b}', frame: 'a}^b}]~' },
  'changing-rule.ts': { message: 'hello', frame: 'hello\n' },
};

for (const [name, { message, frame }] of Object.entries(framings)) {
  test(`the example framing ${name} works in every command`, async () => {
    const flags = ['--framing', `${root}examples/${name}`];
    const server = await serve(flags);
    const { stdout, status } = await yodel(['send', server.address, message, ...flags]);
    expect(stdout.toString('latin1')).toBe(frame);
    expect(status).toBe(0);
  });
}

test('the rule of the example framing changes in the middle of a conversation', async () => {
  const server = await serve(['--framing', `${root}examples/changing-rule.ts`]);
  const conversation = Buffer.from('hello\nbinary\n\x07\0\x03a\nb\x08\0\0', 'latin1');
  const { stdout, status } = await yodel(['connect', server.address], { input: conversation });
  expect(stdout).toEqual(conversation);
  expect(status).toBe(0);
});

const isBun = process.versions.bun !== undefined;

/** Tests for the test runner of Node.js, and how many each has. */
const nodeTests: Record<string, number> = { 'check-with-node.ts': 3, 'test-handler-node.ts': 4 };

for (const [name, count] of Object.entries(nodeTests)) {
  test.skipIf(isBun)(`the example tests ${name} pass with the test runner of Node.js`, async () => {
    const { stdout, status } = await run([process.execPath, '--test', `${root}examples/${name}`]);
    expect(stdout.toString()).toMatch(new RegExp(`^. pass ${count}$`, 'm'));
    expect(status).toBe(0);
  });
}

test.runIf(isBun)('the example tests test-handler-node.ts pass with the test runner of Bun', async () => {
  const { stderr, status } = await run([process.execPath, 'test', `${root}examples/test-handler-node.ts`]);
  expect(stderr.toString()).toMatch(/^ 4 pass$/m);
  expect(status).toBe(0);
});

const vitestTests = ['check-with-vitest.ts', 'test-handler-vitest.ts', 'test-client.ts'];

test('the example tests with vitest pass', { timeout: 180_000 }, async () => {
  // Forks need an IPC that Bun does not have yet.
  const settings = {
    test: { include: vitestTests.map((name) => `examples/${name}`), pool: 'threads', testTimeout: 60_000 },
  };
  const config = temporaryFile('vitest.config.mjs', `export default ${JSON.stringify(settings)};`);
  const runtime = isBun ? ['--bun'] : [];
  const vitest = [process.execPath, ...runtime, `${root}node_modules/vitest/vitest.mjs`] as const;
  const { stdout, status } = await run([...vitest, 'run', '--root', root, '--config', config], { hasChildren: true });
  expect(stdout.toString()).toMatch(/9 passed/);
  expect(status).toBe(0);
});

/** Run by the tests of their pages, or beside the same programs without yodel in test/applications. */
const elsewhere = [
  ...['page.ts', 'prices.ts', 'cluster.ts', 'come-back.ts', 'room-feed.ts'],
  ...['mtls.ts', 'pool.ts', 'graceful-restart.ts', 'open-telemetry.ts'],
];

test('every example program is run here', () => {
  const examples = readdirSync(`${root}examples`).filter((name) => name.endsWith('.ts'));
  const run = [programs, conversations, framings].flatMap((files) => Object.keys(files));
  expect(examples.sort()).toEqual([...run, ...Object.keys(nodeTests), ...vitestTests, ...elsewhere].sort());
});

test('every program in the documents is an example file, word for word', () => {
  let found = 0;
  for (const page of pages) {
    const text = readFileSync(root + page, 'utf8');
    const marked = [...text.matchAll(/<!-- (examples\/\S+) -->\n```ts\n(.*?)```/gs)];
    expect(marked.length, `${page} shows code that is not run`).toBe([...text.matchAll(/^```(ts|js)$/gm)].length);
    for (const [, file, code] of marked) {
      expect(code).toBe(readFileSync(root + file, 'utf8'));
      found++;
    }
  }
  expect(found).toBeGreaterThan(5);
});
