/** Saved contexts: a name for an address and its flags. */
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { type Outcome, serve, yodel } from '../../support/process/command.ts';
import { runLine } from '../../support/process/command-lines.ts';

/** Runs yodel with its own folder for contexts. */
function home() {
  const cwd = temporaryFolder();
  const file = (name: string) => join(cwd, 'yodel', 'contexts', `${name}.toml`);
  const write = (name: string, text: string) => {
    mkdirSync(join(cwd, 'yodel', 'contexts'), { recursive: true });
    writeFileSync(file(name), text);
  };
  /** Runs a command that may connect and read stdin. */
  const run = (args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Outcome> =>
    yodel(args, { cwd, input, env: { XDG_CONFIG_HOME: cwd, ...env } });
  /** Runs a command that does neither. */
  const print = (args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> =>
    runLine(args, { cwd, env: { XDG_CONFIG_HOME: cwd, ...env } });
  return { cwd, file, run, print, write };
}

test('a saved context replaces the address and flags in every command that connects', async () => {
  const { run } = home();
  const server = await serve(['--framing', 'length:2']);
  expect((await run(['context', 'save', 'local', server.address, '--framing', 'length:2'])).status).toBe(0);
  const { stdout, status } = await run(['connect', '@local'], '\0\x02hi');
  expect({ stdout: stdout.toString(), status }).toEqual({ stdout: '\0\x02hi', status: 0 });
  const bench = await run(['bench', '@local', '-n', '5', '--json']);
  expect(JSON.parse(bench.stdout.toString())).toMatchObject({
    messages: { answered: 5 },
    options: { framing: 'length:2' },
  });
});

test('yodel check takes a saved context', async () => {
  const { run, cwd } = home();
  const server = await serve();
  await run(['context', 'save', 'local', server.address]);
  writeFileSync(join(cwd, 'talk.transcript'), '> hi\n< hi\n');
  expect(await run(['check', 'talk.transcript', '@local'])).toMatchObject({ stderr: '', status: 0 });
  expect((await run(['check', 'talk.transcript', '@nobody'])).stderr).toContain('nobody');
});

test('host and port may be two words when saved', async () => {
  const { print, file } = home();
  await print(['context', 'save', 'two', 'localhost', '7000']);
  expect(readFileSync(file('two'), 'utf8')).toBe('address = "tcp://localhost:7000"\n');
});

test('flags and the environment override a context', async () => {
  const { run, write } = home();
  const server = await serve();
  write('other', `address = "${server.address}"\nframing = "nonsense"\n`);
  expect((await run(['connect', '@other'], 'hello\n')).stderr).toContain('unknown framing "nonsense"');
  for (const [flags, env] of [
    [['--framing', 'lines'], {}],
    [[], { YODEL_FRAMING: 'lines' }],
  ] as const) {
    const { stdout, stderr, status } = await run(['connect', '@other', ...flags], 'hello\n', env);
    expect({ stdout: stdout.toString(), stderr, status }).toEqual({ stdout: 'hello\n', stderr: '', status: 0 });
  }
});

test('YODEL_CONTEXT is the default of yodel connect, and of no other command', async () => {
  const { run } = home();
  const server = await serve();
  await run(['context', 'save', 'home', server.address]);
  const env = { YODEL_CONTEXT: 'home' };
  expect((await run(['connect'], 'a\n', env)).stdout.toString()).toBe('a\n');
  expect((await run(['connect', '--context', 'home'], 'b\n')).stdout.toString()).toBe('b\n');
  expect((await run(['connect', '127.0.0.1:1'], '', env)).stderr).toContain('tcp://127.0.0.1:1');
  expect((await run(['connect', '127.0.0.1:1'], '', { YODEL_CONTEXT: '' })).stderr).toContain('tcp://127.0.0.1:1');
  expect((await run(['connect', ':1', '--context', 'home'])).stderr).toMatch(/two addresses/);
  // A load test of a server that only a variable names would be a surprise.
  const bench = await run(['bench', '-n', '1', '--json', '-w', '1s'], '', env);
  expect(`${bench.stdout}${bench.stderr}`).not.toContain(server.address);
});

test('a context is a text file that only its owner can read', async () => {
  const { print, file, cwd } = home();
  writeFileSync(join(cwd, 'ca.pem'), '');
  await print(['context', 'save', 'prod', 'tls://example.org:7000', '--cacert', 'ca.pem', '-w', '1s', '--insecure']);
  expect(readFileSync(file('prod'), 'utf8')).toBe(
    `address = "tls://example.org:7000"\ncacert = "${join(cwd, 'ca.pem')}"\nconnectTimeout = "1s"\ninsecure = true\n`,
  );
  expect(statSync(file('prod')).mode & 0o777).toBe(0o600);
  expect(statSync(join(cwd, 'yodel')).mode & 0o777).toBe(0o700);
});

test('the environment is not saved', async () => {
  const { print, file } = home();
  await print(['context', 'save', 'plain', ':7000'], { YODEL_FRAMING: 'raw', YODEL_WAIT: '1s' });
  expect(readFileSync(file('plain'), 'utf8')).toBe('address = "tcp://127.0.0.1:7000"\n');
});

test('contexts are listed, shown, replaced and removed', async () => {
  const { print } = home();
  const context = async (...args: string[]) => (await print(['context', ...args])).stdout.toString();
  expect(await context('ls')).toBe('');
  await print(['context', 'save', 'b', 'unix:app.sock']);
  await print(['context', 'save', 'long-name', ':1', '--framing', 'raw']);
  await print(['context', 'save', 'long-name', ':2', '--framing', 'raw']);
  expect(await context('ls')).toMatch(
    /^b {10}unix:\/\/\/.*\/app\.sock\nlong-name {2}tcp:\/\/127\.0\.0\.1:2 +framing=raw\n$/,
  );
  expect(JSON.parse((await context('ls', '--json')).split('\n')[1] ?? '')).toEqual({
    name: 'long-name',
    address: 'tcp://127.0.0.1:2',
    framing: 'raw',
  });
  expect(await context('show', 'long-name')).toBe('address = "tcp://127.0.0.1:2"\nframing = "raw"\n');
  expect((await print(['context', 'rm', 'b', 'long-name'])).status).toBe(0);
  expect(await context('ls')).toBe('');
});

const mistakes: readonly [what: string, args: string[], expected: RegExp][] = [
  ['an unknown context', ['connect', '@prd'], /there is no context "prd"\. Did you mean "prod"\?/],
  ['an unknown context in the environment', ['connect'], /there is no context "pord"\. Did you mean "prod"\?/],
  ['an unknown context to show', ['context', 'show', 'prodd'], /Did you mean "prod"\?/],
  ['an unknown context to remove', ['context', 'rm', 'pro'], /Did you mean "prod"\?/],
  ['no name', ['connect', '@'], /needs the name of a context\. Saved contexts: broken, empty, prod/],
  ['a name that leaves the directory', ['context', 'save', '../evil', ':1'], /cannot name a context/],
  ['a name with a line end', ['context', 'save', 'a\nb', ':1'], /"a\\nb" cannot name a context/],
  ['an invalid address', ['context', 'save', 'x', 'a:b:c'], /invalid address/],
  ['a context instead of an address', ['context', 'save', 'x', '@prod'], /is a context; save its address/],
  ['an invalid framing', ['context', 'save', 'x', ':1', '--framing', 'foo'], /unknown framing "foo"/],
  ['an invalid time', ['context', 'save', 'x', ':1', '--wait', 'long'], /a time such as/],
  ['a missing file', ['context', 'save', 'x', 'tls://:1', '--cacert', 'no.pem'], /cannot read no\.pem/],
  ['a TLS flag for a plain address', ['context', 'save', 'x', ':1', '--insecure'], /needs a tls:\/\//],
  ['a mistyped flag', ['context', 'save', 'x', ':1', '--framin', 'raw'], /Did you mean --framing\?/],
  ['a mistyped command', ['context', 'lst'], /Did you mean .*ls/],
  [
    'a file with a mistyped setting',
    ['connect', '@broken'],
    /broken\.toml has no setting "framin"\. Did you mean "framing"/,
  ],
  ['a file without an address', ['bench', '@empty'], /empty\.toml has no address/],
  ['a context and a port', ['connect', '@prod', '1'], /already has a port/],
  ['a context after the assertions', ['bench', '--assert', 'p99 < 1s', '@prod'], /"@prod" must come before the flags/],
];

test.each(mistakes)('%s is one clear line and exit status 2: yodel %j', async (_, args, expected) => {
  const { print, write, file } = home();
  write('prod', 'address = "tcp://127.0.0.1:1"\n');
  write('broken', 'address = "tcp://127.0.0.1:1"\nframin = "raw"\n');
  write('empty', '');
  const { stdout, stderr, status } = await print(args, { YODEL_CONTEXT: 'pord' });
  expect(stderr).toMatch(/^yodel: [^\n]+\n$/);
  expect(stderr).toMatch(expected);
  expect({ stdout: stdout.toString(), status }).toEqual({ stdout: '', status: 2 });
  expect(existsSync(file('x'))).toBe(false);
});

test('with nothing saved, the error for an unknown context says how to save one', async () => {
  const { stderr } = await home().print(['connect', '@prod']);
  expect(stderr).toContain('To save one: yodel context save NAME ADDRESS');
});

test('other commands ignore saved flags that only yodel connect has', async () => {
  const { run } = home();
  const server = await serve();
  await run(['context', 'save', 'here', server.address, '--wait', '1s']);
  expect((await run(['bench', '@here', '-n', '1'])).status).toBe(0);
});

test('text in a context file cannot control the terminal', async () => {
  const { print, write } = home();
  write('evil', 'address = "tcp://a:1"\nframing = "\\u001b[31mred"\n');
  for (const args of [['ls'], ['ls', '--json'], ['show', 'evil'], ['show', 'evil', '--json']]) {
    expect((await print(['context', ...args])).stdout.toString()).not.toContain('\x1b');
  }
  expect((await print(['connect', '@evil'])).stderr).not.toContain('\x1b');
});
