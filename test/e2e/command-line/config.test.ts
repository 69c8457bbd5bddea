/** Settings from a file: precedence and errors. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { type Outcome, serve, yodel } from '../../support/process/command.ts';
import { runLine, runLines } from '../../support/process/command-lines.ts';

function write(text: string, name = 'yodel.toml'): string {
  const file = join(temporaryFolder(), name);
  writeFileSync(file, text);
  return file;
}

/** The outcomes of `config check` and `serve` with a settings file. */
async function checkAndServe(file: string): Promise<Outcome[]> {
  return await runLines([{ args: ['config', 'check', file] }, { args: ['serve', '--config', file] }]);
}

/** A line of `config print`. */
async function printed(name: string, args: string[], env: Record<string, string> = {}): Promise<string | undefined> {
  const { stdout, stderr, status } = await runLine(['config', 'print', ...args], { env });
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 });
  const line = stdout
    .toString()
    .split('\n')
    .find((one) => one.replace('# ', '').startsWith(`${name} `));
  return line?.replace(/ +/g, ' ');
}

test('a server takes its settings from a file', async () => {
  const file = write(
    'listen = ["tcp://127.0.0.1:0"]\nhandler = "discard"\nmaxMessageLength = 5\nidleTimeout = "1m"\nmessages = false\n',
  );
  const server = await serve(['--config', file, '--listen', '127.0.0.1:0']);
  const { stdout } = await yodel(['connect', server.address, '--wait', '1s'], { input: 'short\nmuch too long\n' });
  expect(stdout.toString()).toBe('error: message 2 is longer than the limit of 5 bytes\n');
  expect(server.stdout()).not.toContain('5 B short');
});

test('flags override the environment, the environment the file, and the file the defaults', async () => {
  const file = write('rate = "3/s"\n');
  const env = { YODEL_RATE: '2/s' };
  expect(await printed('rate', [])).toBe('rate = "off" # default');
  expect(await printed('rate', [file])).toBe(`rate = "3/s" # ${file}`);
  expect(await printed('rate', [file], env)).toBe('rate = "2/s" # YODEL_RATE');
  expect(await printed('rate', [file, '--rate', '1/s'], env)).toBe('rate = "1/s" # --rate');
  expect(await printed('rate', ['--rate', '1/s'])).toBe('rate = "1/s" # --rate');
  expect(await printed('rate', [], { YODEL_CONFIG: file })).toBe(`rate = "3/s" # ${file}`);
});

test('the output of config print is a file with the same settings', async () => {
  const file = write(
    'listen = ["127.0.0.1:7000", "unix:///tmp/y"]\nmaxMessages = "off"\nhighWaterMark = "1MiB"\n[sni]\n"*.example.org" = "a.pem,b.pem"\n',
  );
  const first = (await runLine(['config', 'print', file])).stdout.toString();
  const again = (await runLine(['config', 'print', write(first)])).stdout.toString();
  const bare = (text: string) => text.replace(/ +#.*$/gm, '');
  expect(bare(again)).toBe(bare(first));
  expect(first).toContain('sni = ["*.example.org=a.pem,b.pem"]');
});

test('a settings file may be JSON, and --json prints one object per line', async () => {
  const file = write('{ "rate": 5, "allow": ["127.0.0.1"] }', 'yodel.json');
  const { stdout } = await runLine(['config', 'print', file, '--json']);
  const settings = stdout
    .toString()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as { name: string });
  expect(settings.find(({ name }) => name === 'rate')).toEqual({ name: 'rate', value: '5/s', source: file });
  expect(settings.find(({ name }) => name === 'allow')).toMatchObject({ value: ['127.0.0.1'] });
});

test.each([
  ['an unknown setting', 'maxConections = 5\n', /has no setting "maxConections". Did you mean "maxConnections"\?/],
  ['an invalid value', 'maxConnections = 0\n', /the option "maxConnections" takes a whole number/],
  ['an unknown word', 'onTooLong = "maybe"\n', /the setting "onTooLong" in .*: It takes close or discard/],
  ['text instead of a size', 'maxMessageLength = "big"\n', /the setting "maxMessageLength" in .*: It takes a size/i],
  ['text instead of a boolean', 'quiet = "yes"\n', /the setting "quiet" in .* takes true or false, not "yes"/],
  [
    'a number instead of text',
    'listen = 7878\n',
    /the setting "listen" in .* takes a string, or a list of strings, not 7878/,
  ],
  ['invalid TOML', 'rate = 5\nrate = = 6\n', /cannot read .*yodel\.toml, line 2: /],
  ['a name that would change the prototype of objects', '"__proto__" = 1\n', /has no setting "__proto__"|cannot read/],
] as const)('%s is one clear line and exit status 2', async (_, text, expected) => {
  const file = write(text);
  for (const { stderr, status } of await checkAndServe(file)) {
    expect(stderr).toMatch(/^yodel: .*\n$/);
    expect(stderr).toMatch(expected);
    expect(stderr).toContain(file);
    expect(status).toBe(2);
  }
});

test('config check accepts a correct file', async () => {
  const file = write('rate = "5/s"\n');
  const { stdout, status } = await yodel(['config', 'check', file]);
  expect(stdout.toString()).toBe(`${file}: all settings are valid\n`);
  expect(status).toBe(0);
});

test.each([
  ['framing = "bogus"', /unknown framing "bogus"/],
  ['allow = ["bogus"]', /the option "allow" takes IP addresses and networks/],
  ['deny = ["1.2.3.4/99"]', /the option "deny" takes/],
  ['proxyProtocol = ["x"]', /the option "proxyProtocol" takes/],
  ['listen = "nonsense://x"', /unknown scheme "nonsense"/],
  ['handler = "./missing.mjs"', /the handler file \.\/missing\.mjs does not exist/],
  ['metrics = "unix:///x"', /--metrics takes a TCP address/],
  ['listen = "tls://:0"', /needs --cert and --key/],
  ['listen = "tls://:0"\ncert = "/nonexistent.pem"', /cannot read \/nonexistent\.pem/],
  ['listen = "ws://:0"\norigin = ["app.example.org"]', /"app\.example\.org" is not a web origin/],
  ['origin = ["https://app.example.org"]', /--origin needs a ws:\/\/ or wss:\/\/ address/],
] as const)('%s passes neither the check nor the start', async (text, expected) => {
  const file = write(`${text}\n`);
  for (const { stderr, status, stdout } of await checkAndServe(file)) {
    expect(stderr).toMatch(expected);
    expect(stdout.toString()).toBe('');
    expect(status).toBe(2);
  }
});

test('an unknown YODEL_ variable is reported, and nothing else changes', async () => {
  const { stderr, stdout } = await runLine(['config', 'print'], { env: { YODEL_MAX_CONECTIONS: '3' } });
  expect(stderr).toBe(
    'yodel: unknown environment variable YODEL_MAX_CONECTIONS ignored. Did you mean "YODEL_MAX_CONNECTIONS"?\n',
  );
  expect(stdout.toString()).toMatch(/^maxConnections = 10000 /m);
});
