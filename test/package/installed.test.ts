/** The package installed into an empty project: the command and the library on each runtime, types, and executables. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { run, start } from '../support/process/command.ts';
import { installOthers, npm, pack, root, sizeOf } from './packed.ts';

const execute = promisify(execFile);

/** An empty project that depends on yodel alone. */
const project = mkdtempSync(join(tmpdir(), 'yodel-installed-'));
const runtimes = {
  'the oldest Node': () => join(others, 'node-oldest/bin/node'),
  'Node 22': () => join(others, 'node-journal/bin/node'),
  Node: () => join(root, 'node_modules/node/bin/node'),
  Bun: () => join(root, 'node_modules/.bin/bun'),
};
/** node_modules with older versions of Node and TypeScript. */
let others: string;
/** Size of the tarball in bytes. */
let packedSize: number;

beforeAll(async () => {
  const cache = join(project, '.npm');
  const { filename } = await pack(project);
  packedSize = readFileSync(join(project, filename)).length;
  write('package.json', '{ "name": "adopter", "private": true, "type": "module" }');
  // An empty cache shows what is fetched.
  await npm(['install', '--omit=dev', '--cache', cache, '--no-audit', '--no-fund', `./${filename}`], project);
  others = await installOthers();
}, 400_000);

afterAll(() => rmSync(project, { recursive: true, force: true }));

function write(name: string, text: string): string {
  const path = join(project, name);
  writeFileSync(path, text);
  return path;
}

test('an installation fetches no other package', () => {
  const fetched = sizeOf(join(project, '.npm/_cacache/content-v2')) - packedSize;
  const packages = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  process.stdout.write(`npm install fetches ${fetched} bytes besides yodel: ${packages.join(', ')}\n`);
  // The versions of packages that are optional: those for a bus.
  expect(fetched).toBeLessThan(1_000_000);
  expect(packages).toEqual(['yodel']);
});

/** Serves with a journal, sends a request, and prints the reply and the recorded messages. */
const library = `
import { connect, openJournal, serve, YodelError } from 'yodel';

const journal = await openJournal(process.argv[2]);
const server = await serve({ listen: 'tcp://127.0.0.1:0', journal, handler: (message) => message.text.toUpperCase() });
const client = await connect(server.addresses[0]);
const reply = await client.request('hello');
await client.close();
await server.close();
const recorded = [];
for await (const { bytes } of journal.read()) recorded.push(Buffer.from(bytes).toString());
await journal.close();
console.log(reply.text, recorded, new YodelError('APP_FAILED', '') instanceof Error);
`;
const libraryPrints = /^HELLO \[ ['"]hello['"] \] true\n$/;

const command = join(project, 'node_modules/yodel/dist/cli/yodel.cjs');

describe.each(Object.entries(runtimes))('on %s', (_name, runtime) => {
  test('the command prints its version', async () => {
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect((await run([runtime(), command, '--version'])).stdout.toString()).toBe(`${version}\n`);
  });

  test('the command serves and connects', async () => {
    await echoes([runtime(), command]);
  });

  test('yodel/testing checks a framing of the library, without a test framework', async () => {
    const program = write(
      'testing.mjs',
      `import { defineFraming } from 'yodel';
       import { checkFraming } from 'yodel/testing';
       const decode = (bytes, start) => (bytes.length > start ? start + 1 + bytes[start] : 0);
       const encode = (payload) => Buffer.concat([Uint8Array.of(payload.length), payload]);
       const framing = defineFraming({ name: 'short', headerSize: 1, decode, encode });
       console.log(checkFraming(framing, { messages: ['hi'], generate: () => 'x', runs: 5, seed: 1 }).runs);`,
    );
    expect(await run([runtime(), program])).toMatchObject({ status: 0, stdout: Buffer.from('5\n'), stderr: '' });
  });

  test('require() loads the library', async () => {
    const program = write('library.cjs', `console.log(String(require('yodel').parseAddress('127.0.0.1:1')));`);
    expect((await run([runtime(), program])).stdout.toString()).toBe('tcp://127.0.0.1:1\n');
  });
});

// The oldest Node refuses a journal, because its SQLite can damage it.
const { 'the oldest Node': oldestNode, ...recorders } = runtimes;

describe.each(Object.entries(recorders))('on %s', (name, runtime) => {
  test('the command keeps a journal', async () => {
    await echoes([runtime(), command], `${name}.journal`);
  });

  test('the library serves, connects and keeps a journal', async () => {
    const program = write('library.mjs', library);
    const { status, stdout } = await run([runtime(), program, join(project, `${name} library.journal`)]);
    expect(status).toBe(0);
    expect(stdout.toString()).toMatch(libraryPrints);
  });
});

test('on the oldest Node a journal is refused, and the error names versions to upgrade to', async () => {
  const program = write('library.mjs', library);
  const { status, stderr } = await run([oldestNode(), program, join(project, 'refused.journal')]);
  expect(status).toBe(1);
  expect(stderr).toMatch(/a journal needs SQLite .* upgrade to Node\.js 22\.22\.3, /);
});

/** Runs `yodel serve`, sends it a message, and checks the reply and the journal, if there is one. */
async function echoes(command: readonly [string, ...string[]], journal?: string): Promise<void> {
  const file = join(project, journal ?? '');
  const recording = journal === undefined ? [] : ['--journal', file];
  const server = start([...command, 'serve', '--listen', '127.0.0.1:0', '--quiet', ...recording]);
  const [, address = ''] = await server.saw(/listening on (\S+)/);
  const client = await run([...command, 'connect', address], { input: 'hello\n' });
  expect(client).toMatchObject({ status: 0, stdout: Buffer.from('hello\n') });
  expect(await server.stop()).toMatchObject({ status: 0 });
  if (journal === undefined) return;
  const { stdout } = await run([...command, 'journal', 'cat', file]);
  expect(stdout.toString()).toMatch(/> hello\n$/);
}

test.each(['the oldest Node', 'Node'] as const)('on %s stack traces refer to shipped sources', async (name) => {
  const program = write('throws.mjs', `import { parseAddress } from 'yodel'; parseAddress('x://');`);
  const { stderr } = await run([runtimes[name](), '--enable-source-maps', program]);
  const [, file = '', line = ''] = /at invalid \((.+):(\d+):\d+\)/.exec(stderr) ?? [];
  expect(file).toBe(join(project, 'node_modules/yodel/src/address.ts'));
  expect(readFileSync(file, 'utf8').split('\n')[Number(line) - 1]).toContain('new YodelError(');
});

describe('types', () => {
  const program = `
import {
  connect, type Decoder, defineFraming, type Encoder, type Framing, type FramingDefinition, type FramingRule, type Handler,
  type InPlaceEncoder, invalidFrame, lines, Message, openJournal, type Protocol, type ServeOptions, serve, transcript, YodelError,
} from 'yodel';
import { YodelError as PageError } from 'yodel/browser';
import { encode, type FramingText, parseFraming, slip } from 'yodel/framing';
import { type JournalReader, openJournalReader } from 'yodel/journal';
import { type RegisterMetricsOptions, registerMetrics } from 'yodel/metrics';
import { checkFraming, decodeAll, testSession, type CheckFramingOptions, type Decoded } from 'yodel/testing';

const handler: Handler = (message, session) => \`\${session.peer}: \${message.text.toUpperCase()}\`;
const options: ServeOptions = { listen: 'tcp://127.0.0.1:0', framing: lines(), handler };
await using server = await serve(options);
await using client = await connect(server.addresses[0]);
const reply: Message = await client.request('hello');
const bytes: Uint8Array = reply.bytes;
// @ts-expect-error A number is not a reply.
const wrong: Handler = () => 5;
// @ts-expect-error Internal members are not declared.
reply.isUnchanged;

const counted: Framing = defineFraming({
  name: 'counted',
  headerSize: 2,
  createState: () => ({ frames: 0 }),
  decode(bytes, start, state) {
    if (state.frames > 10) throw invalidFrame(0, 'that is enough');
    return bytes.length < start + 2 ? undefined : start + 2 + bytes.readUInt16BE(start);
  },
  next(bytes, start, end, state) {
    state.frames += end - start;
    return undefined;
  },
  encode: (payload, header) => Buffer.concat([Uint8Array.of(header.length, payload.length), payload]),
});
// @ts-expect-error A misspelt member.
defineFraming({ name: 'misspelt', hederSize: 2, decode: () => 0, encode: (payload) => payload });
const rule: FramingRule = { decode: (_bytes, start) => start + 1 };
const definition: FramingDefinition = { ...rule, name: 'bytes', encode: (payload) => payload };
const seal: InPlaceEncoder['seal'] = (target, at, start, end) => (target[at] = end - start, end);
const decoder: Decoder = counted.createDecoder({ maxMessageLength: 9, onTooLong: 'close', encoding: 'binary' });
const encoder: Encoder = counted.encoder;
const protocol: Protocol = { framing: lines(), replyFraming: counted, encoding: 'binary' };
const tried: CheckFramingOptions = { messages: ['a', Message.of('b', { header: Uint8Array.of(1) })], runs: 9, seed: 1 };
const { seed }: { seed: number } = checkFraming(counted, tried);
const decoded: Decoded = decodeAll(counted, Buffer.from('x'), { maxMessageLength: 3 });

const text: FramingText = 'length:2';
const framed: Uint8Array = encode(parseFraming(text), 'x');
// @ts-expect-error A misspelt framing.
connect(1, { framing: 'lins' });
// A framing of one entry is a framing of the others.
const slipped: ServeOptions = { framing: slip() };
const denied = new YodelError('APP_DENIED', 'ada may not write', { reply: 'no' });
const reader: Promise<JournalReader> = openJournalReader('x.journal');
const registered: (options: RegisterMetricsOptions) => unknown = (measured) => registerMetrics(server, measured);
const session = await testSession(handler);
export { denied, framed, PageError, reader, registered, session, slipped };
export { bytes, decoded, decoder, definition, encoder, openJournal, protocol, seal, seed, transcript, wrong, YodelError };
`;
  const compilers = {
    'TypeScript 5.6': () => join(others, 'typescript-oldest/bin/tsc'),
    'TypeScript 5.7': () => join(others, 'typescript-5.7/bin/tsc'),
    'TypeScript 5.9': () => join(others, 'typescript-5.9/bin/tsc'),
    'TypeScript 6': () => join(others, 'typescript-6/bin/tsc'),
    TypeScript: () => join(root, 'node_modules/typescript/bin/tsc'),
  };
  const all = Object.keys(compilers) as (keyof typeof compilers)[];
  const programs = [
    ...all.map((compiler) => ({ compiler, resolution: 'nodenext', module: 'nodenext', libraries: [] as string[] })),
    // As for programs that bundlers make for web pages.
    ...all
      .filter((_, index) => index === 0 || index === all.length - 1)
      .map((compiler) => ({ compiler, resolution: 'bundler', module: 'esnext', libraries: ['dom', 'dom.iterable'] })),
  ];

  beforeAll(() => {
    // TypeScript programs also install @types/node, with its dependency.
    mkdirSync(join(project, 'node_modules/@types'));
    for (const name of ['@types/node', 'undici-types'])
      symlinkSync(join(root, 'node_modules', name), join(project, 'node_modules', name));
  });

  async function compile(file: string, tsc: string, options: object): Promise<string> {
    const compilerOptions = {
      target: 'es2022',
      strict: true,
      exactOptionalPropertyTypes: true,
      noUncheckedIndexedAccess: true,
      skipLibCheck: false,
      noEmit: true,
      ...options,
    };
    write('tsconfig.json', JSON.stringify({ compilerOptions, files: [file] }));
    return (await run([runtimes.Node(), tsc], { cwd: project })).stdout.toString();
  }

  test.each(programs)(
    'of all entries compile with $compiler, moduleResolution $resolution and libraries $libraries, without skipLibCheck',
    async ({ compiler, resolution, module, libraries }) => {
      write('types.mts', program);
      const lib = ['es2022', 'esnext.disposable', ...libraries];
      const options = { lib, module, moduleResolution: resolution, types: ['node'] };
      expect(await compile('types.mts', compilers[compiler](), options)).toBe('');
    },
  );

  test.each(['TypeScript 5.6', 'TypeScript'] as const)(
    'of programs that are not strict compile with %s: handlers without a codec get messages',
    async (compiler) => {
      write(
        'lax.mts',
        `import { connect, json, serve } from 'yodel';
         import { testSession } from 'yodel/testing';
         const server = await serve({ listen: 0, handler: (message, session) => message.text + session.id });
         const client = await connect(server.addresses[0]);
         const text: string = (await client.request('hello')).text;
         const said: string = await (await testSession((message) => message.text)).say(text);
         const codec = json<{ amount: number }, { price: number }>();
         await serve({ codec, handler: ({ amount }) => ({ price: amount * 2 }) });
         export { said };`,
      );
      const options = { lib: ['es2022', 'esnext.disposable'], module: 'nodenext', types: ['node'] };
      const lax = { strict: false, exactOptionalPropertyTypes: false };
      expect(await compile('lax.mts', compilers[compiler](), { ...options, ...lax })).toBe('');
    },
  );

  test.each(['TypeScript 5.6', 'TypeScript'] as const)(
    'of yodel/browser compile with %s for a page, without the types of Node',
    async (compiler) => {
      write(
        'page.ts',
        `import { type Client, connect, json, YodelError } from 'yodel/browser';
         const client: Client = await connect('wss://example.org/chat', { reconnect: true });
         const text: string = (await client.request('hello')).text;
         const typed = await connect('/api', { codec: json<{ op: string }>() });
         export const error = new YodelError('APP_X', text);
         export { typed };`,
      );
      const lib = ['es2022', 'dom', 'dom.iterable'];
      const options = { lib, module: 'esnext', moduleResolution: 'bundler', types: [] };
      expect(await compile('page.ts', compilers[compiler](), options)).toBe('');
    },
  );
});

describe('compiled into an executable', () => {
  /** Contains only executables. */
  const folder = mkdtempSync(join(tmpdir(), 'yodel-compiled-'));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function compile(program: string, name: string): Promise<string> {
    const executable = join(folder, name);
    await execute(runtimes.Bun(), ['build', '--compile', program, `--outfile=${executable}`], { cwd: project });
    return executable;
  }

  test('the library serves, connects and keeps a journal', async () => {
    const executable = await compile(write('library.mjs', library), 'library');
    const { stdout, stderr } = await run([executable, join(folder, 'library.journal')], { cwd: folder });
    expect(stderr).toBe('');
    expect(stdout.toString()).toMatch(libraryPrints);
  });

  test('the command serves, connects, keeps a journal and runs worker processes', async () => {
    const executable = await compile('node_modules/yodel/dist/cli/main.js', 'yodel');
    expect((await run([executable, '--version'])).status).toBe(0);
    await echoes([executable], 'compiled.journal');

    const server = start([executable, 'serve', '--listen', '127.0.0.1:0', '--quiet', '--workers', '2'], {
      hasChildren: true,
    });
    const [, address = ''] = await server.saw(/listening on (\S+)/);
    const flags = ['--connections', '4', '--threads', '2', '--count', '100', '--assert', 'errors == 0'];
    expect(await run([executable, 'bench', address, ...flags])).toMatchObject({ status: 0 });
    expect(await server.stop()).toMatchObject({ status: 0 });
  });
});
