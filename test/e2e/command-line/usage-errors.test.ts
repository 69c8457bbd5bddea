import { describe, expect, test } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { type Outcome, yodel } from '../../support/process/command.ts';
import { runLine, runLines } from '../../support/process/command-lines.ts';

/** One line on stderr, nothing on stdout, exit status 2. */
function expectUsageError({ stdout, stderr, status }: Outcome, ...expected: (string | RegExp)[]): void {
  expect(stderr).toMatch(/^yodel: [^\n]+\n$/);
  for (const text of expected) expect(stderr).toMatch(text);
  expect(stdout.toString()).toBe('');
  expect(status).toBe(2);
}

const mistakes: readonly [what: string, args: string[], ...expected: (string | RegExp)[]][] = [
  ['an unknown command', ['frobnicate'], 'frobnicate', 'yodel --help'],
  ['a flag of netcat', ['-lk', '7878'], 'yodel serve --listen :7878', 'yodel --help'],
  ['a flag of netcat to connect', ['connect', '-q', '1', 'host', '80'], 'yodel connect host 80 --wait 1s'],
  ['a flag of netcat to serve', ['serve', '-e', 'cat'], 'yodel serve exec:cat'],
  ['a host instead of a command', ['example.org', '80'], 'yodel connect example.org 80'],
  ['a mistyped command', ['srve'], 'Did you mean serve?'],
  ['a mistyped option', ['serve', '--lisen', ':0'], "'--lisen'", 'Did you mean --listen?'],
  ['a mistyped option of connect', ['connect', '--cuont', '1'], 'Did you mean --count?'],
  ['an option without its value', ['serve', '--listen'], '--listen <address>', 'missing'],
  ['a port above 65535', ['serve', '--listen', '70000'], '70000', '65535', '127.0.0.1:7878'],
  ['a port that is not a number', ['serve', '--listen', 'localhost:http'], '"http"', '127.0.0.1:7878'],
  ['an unknown scheme', ['serve', '--listen', 'udp://127.0.0.1:1'], '"udp"', 'tcp://127.0.0.1:7878'],
  ['an IPv6 address without brackets', ['connect', '::1:7878'], 'brackets', /\[::1\]:7878/],
  ['an invalid rate', ['serve', '--rate', 'nonsense'], 'yodel serve --help', 'nonsense', '1/s, 30/m or 50k/s'],
  ['a size of 0', ['serve', '--max-message', '0'], '--max-message', 'cannot be 0', '512, 64KiB or 1MB'],
  ['a time without a unit', ['serve', '--idle-timeout', '10'], '--idle-timeout', '500ms, 10s or 5m'],
  ['a negative number', ['serve', '--max-connections', '-1'], '--max-connections', '1000 or 10k'],
  ['a fraction of a message', ['serve', '--max-messages', '1.5'], '--max-messages', '1000 or 10k'],
  ['a number that is too large', ['serve', '--max-message', '1e99'], '--max-message'],
  ['a word that is not one of the choices', ['serve', '--on-too-long', 'drop'], 'close or discard'],
  ['an unknown encoding', ['serve', '--encoding', 'latin1'], 'latin1', 'utf8, binary'],
  ['an unknown framing', ['serve', '--framing', 'nope', '--listen', ':0'], '"nope"', 'Known: lines, delimiter, '],
  ['an unknown framing of connect', ['connect', '--framing', 'nope'], '"nope"', 'Known: lines, delimiter, '],
  ['an address instead of the handler', ['serve', '7878'], 'yodel serve --listen 7878'],
  ['a mistyped handler', ['serve', 'ehco'], 'did you mean "echo"?'],
  [
    'a handler that does not exist',
    ['serve', 'zzz'],
    '"zzz"',
    'echo, discard, time, chargen, chat, exec:COMMAND, proxy:ADDRESS',
    './handler.ts',
  ],
  ['a handler file that does not exist', ['serve', './nowhere.ts'], './nowhere.ts does not exist'],
  ['a directory as the handler', ['serve', '/tmp'], '/tmp', 'not a file', '.ts or .js'],
  ['too many arguments', ['serve', 'echo', 'discard'], 'echo, discard'],
  ['a second argument of connect that is not a port', ['connect', 'localhost', 'http'], '"http"', 'HOST PORT'],
  ['a mistyped option of bench', ['bench', '--asert', 'p99 < 1s'], 'Did you mean --assert?'],
  ['a rate of 0', ['bench', '--rate', '0'], '--rate', 'cannot be 0', '50k/s'],
  ['a rate and a pipeline', ['bench', '--rate', '1/s', '-P', '2'], '--rate', '--pipeline'],
  ['two kinds of messages', ['bench', '--size', '1', '--message', 'x'], '--size', '--message'],
  ['two kinds of messages, one of a file', ['bench', '--message-file', 'x', '--message', 'x'], '--message-file'],
  ['an invalid assertion', ['bench', '--assert', 'nonsense'], '"nonsense"', 'p99 < 5ms'],
  ['an assertion on an unknown metric', ['bench', '--assert', 'p90x < 5ms'], '"p90x"', 'Did you mean p90?'],
  ['an assertion without a unit', ['bench', '--assert', 'p99 < 5'], 'p99 < 5', '5ms'],
  ['an address instead of an assertion', ['bench', '--assert', ':7878'], ':7878', 'before --assert'],
  [
    'an address both before and after the assertions',
    ['bench', '1', '--assert', 'p99 < 1s', '2'],
    'two addresses',
    '"1"',
  ],
  ['more processes than connections', ['bench', '--threads', '3', '-c', '2'], '--threads 3', 'not 2'],
  ['far too many processes', ['bench', '--threads', '1000', '-c', '1000'], '--threads 1000', 'too many'],
  ['CRLF with another framing than lines', ['connect', '--crlf', '--framing', 'raw'], '--crlf', 'lines', '"raw"'],
  ['two ports', ['bench', '127.0.0.1:1', '2'], '"127.0.0.1:1"', 'already has a port'],
  ['counting replies without a framing', ['bench', '--framing', 'raw', '--replies', 'count'], 'raw', 'echo or none'],
  ['an empty message without a framing', ['bench', '--framing', 'raw', '--size', '0'], 'empty', 'raw'],
  ['a message that the framing cannot carry', ['bench', '--framing', 'delimiter:,', '--message', 'a,b'], 'offset 1'],
  ['a file of messages that does not exist', ['bench', '--message-file', '/nowhere/at/all'], '/nowhere/at/all'],
  ['an old result that does not exist', ['bench', '--compare', '/nowhere/at/all'], '/nowhere/at/all'],
  ['an old result in another format', ['bench', '--compare', '/etc/passwd'], '/etc/passwd', '--json'],
  ['a page that cannot be written', ['bench', '--html', '/nowhere/at/all'], '/nowhere/at/all', 'no such directory'],
  ['a directory instead of a file', ['bench', '--hdr', '/tmp'], '/tmp', 'it is a directory'],
  ['no connections', ['bench', '-c', '0'], '--connections', 'cannot be 0'],
  ['messages that need too much memory', ['bench', '--size', '1GiB'], '1073741824 bytes', 'too much memory'],
  ['a certificate name for a plain address', ['bench', ':1', '--servername', 'x'], '--servername', 'tls://'],
  ['an unchecked certificate for a plain address', ['connect', ':1', '--insecure'], '--insecure', 'tls://'],
  [
    'a file of certificate authorities that does not exist',
    ['bench', 'tls://:1', '--cacert', '/nowhere/at/all'],
    '/nowhere/at/all',
  ],
  ['a framing for a WebSocket address', ['bench', 'ws://:1/', '--framing', 'raw'], '--framing', 'ws://127.0.0.1:1/'],
  ['sending nothing', ['send', ':1', '', '--framing', 'raw'], 'an empty message', '"raw"'],
  [
    'TLS without a certificate',
    ['serve', '--listen', 'tls://:1'],
    'tls://127.0.0.1:1',
    '--cert and --key',
    '--tls-self-signed',
  ],
  ['a certificate without a TLS address', ['serve', '--cert', '/dev/null'], '--cert', 'tls:// or wss://'],
  ['an invalid certificate', ['serve', '--listen', 'tls://:1', '--cert', '/dev/null'], 'no certificate', '/dev/null'],
  ['an invalid network', ['serve', '--allow', '10.0.0.0/33'], '"allow"', '10.0.0.0/33', '2001:db8::/32'],
  [
    'a server name without files',
    ['serve', '--listen', 'tls://:1', '--cert', '/dev/null', '--sni', 'a'],
    '--sni',
    'cert.pem',
  ],
  ['off as a size', ['bench', '--size', 'off'], '--size', '512, 64KiB or 1MB'],
  ['a count of 0', ['connect', '--count', '0'], '--count', 'cannot be 0'],
];

describe('a mistake is one clear line and exit status 2:', async () => {
  const outcomes = await runLines(mistakes.map(([, args]) => ({ args })));
  for (const [index, [what, args, ...expected]] of mistakes.entries()) {
    test(`${what}: yodel ${args.join(' ')}`, () => expectUsageError(outcomes[index] as Outcome, ...expected));
  }
});

test('a separate process prints the same, and exits', async () => {
  const some = [
    ['serve', '--lisen', ':0'],
    ['connect', 'localhost', 'http'],
    ['bench', '--size', 'off'],
    ['send', 'wss://:1/', 'x'],
  ];
  expect(await Promise.all(some.map((args) => yodel(args)))).toEqual(await runLines(some.map((args) => ({ args }))));
});

const badHandlers: readonly [what: string, source: string, ...expected: (string | RegExp)[]][] = [
  ['exports nothing', 'const handler = () => undefined;', 'no default export', /export default \(message\) =>/],
  ['has no default export', 'export const handler = () => undefined;', 'no default export'],
  [
    'exports something other than a handler',
    'export default 5;',
    'not a handler',
    /function \(message, session\) => reply/,
  ],
  ['exports an empty object', 'export default {};', 'an empty one', /export default \(message\) =>/],
  [
    'exports a callback that is not a function',
    'export default { message: 1 };',
    '"message" of the handler is not a function, but a number',
  ],
  ['has a syntax error', '\n\nexport default (message) => {', 'cannot be loaded', /handler\.ts:\d/],
  ['imports what does not exist', "import './nothing.js';\nexport default () => '';", 'cannot be loaded', 'nothing.js'],
  ['throws when it is loaded', '\nthrow new Error("no luck");', 'cannot be loaded: Error: no luck', /handler\.ts:2/],
];

for (const [what, source, ...expected] of badHandlers) {
  test(`a handler file that ${what} is one clear line and exit status 2`, async () => {
    const path = handlerFile(source);
    expectUsageError(await runLine(['serve', path, '--listen', ':0']), path, ...expected);
  });
}

test('a JavaScript handler file with a syntax error is one clear line and exit status 2', async () => {
  const path = handlerFile('export default (message) => {', 'handler.js');
  expectUsageError(await runLine(['serve', path, '--listen', ':0']), path, 'cannot be loaded');
});

test('a bad value in the environment is one clear line that names the variable, and exit status 2', async () => {
  const bad = { YODEL_MAX_MESSAGE: 'zonk', YODEL_RATE: '-3', YODEL_IDLE_TIMEOUT: 'soon', YODEL_ENCODING: 'latin1' };
  const outcomes = await runLines([
    ...Object.entries(bad).map(([name, value]) => ({ args: ['serve', '--listen', ':0'], env: { [name]: value } })),
    { args: ['serve'], env: { YODEL_LISTEN: '127.0.0.1:99999' } },
    { args: ['connect'], env: { YODEL_WAIT: 'long' } },
  ]);
  const expected = [...Object.entries(bad), ['99999'], ['YODEL_WAIT']];
  for (const [index, outcome] of outcomes.entries()) expectUsageError(outcome, ...(expected[index] ?? []));
});

test('yodel alone shows its help on stderr, with exit status 2', async () => {
  const { stdout, stderr, status } = await yodel([]);
  expect(stdout.toString()).toBe('');
  expect(stderr).toMatch(/^Examples:\n {2}yodel serve /);
  expect(status).toBe(2);
});

test('arguments are quoted with control characters escaped', async () => {
  const cwd = temporaryFolder();
  const lines = [['serve', '\x1b[31mred'], ['\x1b[31mred'], ['serve', '--listen', '\x1b[31mred:http']];
  for (const outcome of await runLines(lines.map((args) => ({ args, cwd })))) {
    expectUsageError(outcome, '\\x1b[31mred');
    expect(outcome.stderr).not.toContain('\x1b');
  }
});
