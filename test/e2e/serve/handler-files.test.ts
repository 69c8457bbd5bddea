import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { closedLine } from '../../support/log.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';

async function dialHandler(source: string, name?: string): Promise<Peer> {
  const server = await serve([handlerFile(source, name)]);
  return await dial(server.port);
}

test('a TypeScript file is a handler', async () => {
  const peer = await dialHandler(`
    interface Message { readonly text: string }
    export default (message: Message): string => message.text.toUpperCase();
  `);
  expect(await peer.ask('grüezi')).toBe('GRÜEZI');
});

for (const name of ['handler.js', 'handler.mjs']) {
  test(`a JavaScript file is a handler: ${name}`, async () => {
    const peer = await dialHandler('export default (message) => message.text.toUpperCase();', name);
    expect(await peer.ask('hello')).toBe('HELLO');
  });
}

test('a file that needs yodel where it is not installed is an error that says what to do', async () => {
  const { stderr, status } = await yodel([
    'serve',
    handlerFile("import { escapeText } from 'yodel'; export default escapeText;"),
  ]);
  expect(stderr).toContain('; install yodel in the folder of the file, or import only types from it');
  expect(status).toBe(2);
});

test('an object with callbacks is a handler: it greets, keeps state, and its async replies stay in order', async () => {
  const peer = await dialHandler(`
    import { setTimeout as delay } from 'node:timers/promises';
    export default {
      open: (session) => { session.data.count = 0; return 'welcome'; },
      async message(message, session) {
        const number = ++session.data.count;
        await delay(20 - 5 * number);
        return [\`\${number}:\`, message.text];
      },
    };
  `);
  await peer.saw(/welcome\n/);
  await peer.send('a\nb\nc\n');
  await peer.saw(/welcome\n1:\na\n2:\nb\n3:\nc\n/);
});

test('a handler can import other files, and its path may have spaces and umlauts', async () => {
  const path = handlerFile("export { shout as default } from './the shouter.ts';", 'über mich #1.ts');
  writeFileSync(
    join(dirname(path), 'the shouter.ts'),
    'export const shout = (message: { text: string }) => `${message.text}!`;',
  );
  const peer = await dial((await serve([path])).port);
  expect(await peer.ask('hello')).toBe('hello!');
});

const isBun = process.versions.bun !== undefined;

// Bun loads such a file.
test.skipIf(isBun).each([
  ['handler.ts', 'export default (message: { text: string }) => message.text;'],
  ['handler.js', "import 'node:fs';\nexport default (message) => message.text;"],
])('%s in a directory of "type": "commonjs" is an error that says what to change', async (name, source) => {
  const path = handlerFile(source, name);
  const settings = join(dirname(path), 'package.json');
  writeFileSync(settings, '{ "name": "mine", "type": "commonjs" }');
  const { status, stderr } = await yodel(['serve', path, '--listen', '127.0.0.1:0']);
  expect(stderr).toContain(`the handler file ${path} cannot be loaded: SyntaxError: `);
  const renamed = name.replace('.', '.m');
  expect(stderr).toContain(`; set "type": "module" in ${settings}, or rename the file to ${renamed}\n`);
  expect(status).toBe(2);

  const module = join(dirname(path), renamed);
  writeFileSync(module, source);
  const peer = await dial((await serve([module])).port);
  expect(await peer.ask('hello')).toBe('hello');
});

test('the handler discard sends no replies', async () => {
  const server = await serve(['discard']);
  const peer = await dial(server.port);
  await peer.send('hello\n');
  peer.end();
  expect((await peer.ended).toString()).toBe('');
  await server.saw(closedLine(1, 0));
});

test('timers of a handler do not keep the server from exiting', async () => {
  const server = await serve([handlerFile("setInterval(() => undefined, 1000); export default () => 'x';")]);
  expect((await server.stop()).status).toBe(0);
});

const lateFailures = {
  'throws in a timer': "setTimeout(() => { throw new Error('bad ' + message.text); }, 1)",
  'leaves a rejected promise behind': "void Promise.reject(new Error('bad ' + message.text))",
};

for (const [what, code] of Object.entries(lateFailures)) {
  test(`a handler that ${what} shuts the server down, with its error escaped`, async () => {
    const server = await serve([handlerFile(`export default (message) => { ${code}; return 'answered'; };`)]);
    const peer = await dial(server.port);
    expect(await peer.ask('\x1b[31mred')).toBe('answered');
    peer.end();
    const { status, stderr } = await server.ended;
    expect(stderr).toContain('yodel: uncaught error outside the handler, shutting down: Error: bad \\x1b[31mred\n');
    expect(stderr).not.toContain('\x1b');
    expect(status).toBe(1);
  });
}

test('a handler file that never finishes loading is an error', async () => {
  const file = handlerFile('await new Promise(() => undefined); export default () => undefined;');
  const { status, stderr } = await yodel(['serve', file, '--listen', '127.0.0.1:0']);
  expect(stderr).toMatch(/^yodel: the command ended early: /);
  expect(status).not.toBe(0);
});

/** Adds up numbers, with a codec and a sum for each session. */
const adding = (sign: string) => `
  export const codec = {
    name: 'numbers',
    decode({ text }) {
      if (!/^\\d+$/.test(text)) throw new Error('write a number');
      return Number(text);
    },
    encode: (sum) => '${sign}' + sum,
  };
  export const data = () => ({ sum: 0 });
  export default (number, { data }) => (data.sum += number);
`;

for (const [how, flags] of [
  ['', []],
  [', also with faults', ['--fault', 'latency 1ms']],
] as const) {
  test(`a handler file may export a codec, and what creates the data of its sessions${how}`, async () => {
    const server = await serve([handlerFile(adding('='), 'adding.mjs'), ...flags]);
    const peer = await dial(server.port);
    expect(await peer.ask('2')).toBe('=2');
    expect(await peer.ask('two')).toBe('error: invalid message: write a number');
    expect(await peer.ask('3')).toBe('=5');
    expect(await (await dial(server.port)).ask('4')).toBe('=4');
  });
}

test('a handler file that is loaded again may have another codec, for new sessions', async () => {
  const file = handlerFile(adding('='), 'adding.mjs');
  const server = await serve([file]);
  const open = await dial(server.port);
  expect(await open.ask('2')).toBe('=2');
  writeFileSync(file, adding('+'));
  process.kill(server.pid, 'SIGHUP');
  await server.saw(/yodel: reloaded/);
  expect(await (await dial(server.port)).ask('2')).toBe('+2');
  expect(await open.ask('3')).toBe('=5');
  writeFileSync(file, 'export default ({ text }) => text;');
  process.kill(server.pid, 'SIGHUP');
  await server.saw(/yodel: reloaded.*yodel: reloaded/s);
  expect(await (await dial(server.port)).ask('two')).toBe('two');
});

test.each([
  ['codec', '{}', 'the option "codec" takes a codec, such as json(): it needs functions "decode" and "encode"'],
  ['data', '{}', 'it is not a function (session) => data'],
  ['errorReply', '"-ERR"', 'it is not a function'],
  ['correlate', '"id"', 'the option "correlate" takes "order" or { requestId, replyId }, not "id"'],
])('a handler file whose export %s cannot be used is an error', async (name, value, reason) => {
  const file = handlerFile(`export const ${name} = ${value}; export default () => 'x';`);
  const { stderr, status } = await yodel(['serve', file, '--listen', '127.0.0.1:0']);
  expect(stderr).toContain(`the export "${name}" of ${file} cannot be used: ${reason}`);
  expect(status).toBe(2);
});

test('a handler file whose start takes too long ends the command', async () => {
  const file = handlerFile(
    'export default { start: () => new Promise(() => undefined), message: ({ text }) => text };',
  );
  const { stderr, status } = await yodel(['serve', file, '--listen', '127.0.0.1:0', '--start-timeout', '100ms']);
  expect(stderr).toContain('the start() of the handler has not finished within startTimeout (100 ms)');
  expect(status).toBe(1);
});

test('a handler file may export the form of its error replies', async () => {
  const file = handlerFile('export const errorReply = (text) => `-ERR ${text}`; export default ({ text }) => text;');
  const server = await serve([file, '--max-message', '3']);
  expect(await (await dial(server.port)).ask('hello')).toBe('-ERR message 1 is longer than the limit of 3 bytes');
});

test('a handler file may export what decides about requests for a WebSocket', async () => {
  const file = handlerFile(
    "export const authorizeUpgrade = ({ url }) => url.searchParams.get('token') === 'x'; export default ({ text }) => text;",
    'handler.mjs',
  );
  const server = await serve([file, '--listen', 'ws://127.0.0.1:0']);
  const [, address = ''] = await server.saw(/listening on (ws:\/\/\S+)/);
  expect((await yodel(['send', `${address}?token=x`, 'hello'])).stdout.toString()).toBe('hello\n');
  const { stderr, status } = await yodel(['send', address, 'hello']);
  expect(stderr).toContain('it answered with HTTP status 403');
  expect(status).toBe(1);
});
