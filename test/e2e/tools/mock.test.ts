/** `yodel serve FILE.transcript` with a verdict: `--once` and `--verify`. */
import { expect, test } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';

const talk = '< welcome\n> hello {name}\n< hello yourself, {name}\n> bye\n< bye, {name}\n';

test.each([
  ['hello Ada\nbye\n', 0, ['completed']],
  ['hello Ada\n', 3, [/^FILE:4: the client ended its side without: > bye$/, 'not completed: 1 problem']],
  ['hello Ada\nquit\n', 3, [/#1: FILE:4: expected > bye, received > quit$/, 'not completed: 1 problem']],
  ['hello Ada\nbye\nmore\n', 3, [/#1: FILE: expected no more messages, received > more$/, 'not completed: 1 problem']],
] as const)('--once: after %j the status is %i', async (said, status, lines) => {
  const file = temporaryFile('talk.transcript', talk);
  const server = await serve([file, '--once', '--quiet']);
  const client = await dial(server.port);
  await client.send(said);
  client.end();
  const ended = await server.ended;
  expect(ended.status).toBe(status);
  const printed = ended.stderr.replaceAll(file, 'FILE').split('\n').slice(1, -1);
  expect(printed).toEqual(
    lines.map((line) =>
      typeof line === 'string'
        ? `yodel: FILE: ${line}`
        : expect.stringMatching(new RegExp(line.source.replace('^', '(^| )'))),
    ),
  );
});

test('--once ends, though a client that said everything keeps its connection', async () => {
  const server = await serve([temporaryFile('talk.transcript', talk), '--once', '--json']);
  const client = await dial(server.port);
  await client.send('hello Ada\nbye\n');
  await client.saw(/bye, Ada\n/);
  const { status, stdout } = await server.ended;
  expect(status).toBe(0);
  const verdict = JSON.parse(stdout.toString().trim().split('\n').at(-1) as string);
  expect(verdict).toMatchObject({ level: 'info', event: 'verdict', completed: true, runs: 1, problems: [] });
});

test('--verify judges all runs when the server is stopped', async () => {
  const server = await serve([temporaryFile('talk.transcript', talk), '--verify', '--json']);
  for (const said of ['hello Ada\nbye\n', 'hello Bob\nbye\n', 'hello Cleo\nquit\n']) {
    const client = await dial(server.port);
    await client.send(said);
    client.end();
    await client.ended;
  }
  const { status, stdout, stderr } = await server.stop();
  expect(status).toBe(3);
  expect(stderr).toMatch(/not completed: 1 problem; 2 runs were completed\n$/);
  const verdict = JSON.parse(stdout.toString().trim().split('\n').at(-1) as string);
  expect(verdict).toMatchObject({
    ...{ level: 'error', event: 'verdict', completed: false, runs: 2 },
    problems: [{ line: 4, expected: '> bye', received: { text: 'quit' } }],
  });
});

test('stopped while something is due, the status is 3, and the line is named', async () => {
  const server = await serve([temporaryFile('talk.transcript', talk), '--once', '--quiet']);
  const client = await dial(server.port);
  await client.ask('hello Ada');
  await client.saw(/yourself/);
  const { status, stderr } = await server.stop();
  expect(status).toBe(3);
  expect(stderr).toContain('talk.transcript:4: the client has not come to: > bye\n');
});

test('--timeout ends a server whose clients do nothing', async () => {
  const file = temporaryFile('talk.transcript', talk);
  const { status, stderr } = await (await serve([file, '--once', '--quiet', '--timeout', '100ms'])).ended;
  expect(status).toBe(3);
  expect(stderr).toContain('yodel: clients did nothing for 100 ms\n');
  expect(stderr).toContain('talk.transcript: no client has connected\n');
});

test('--timeout also ends it while a client that has ended its side waits for another one', async () => {
  const text = 'Ada> hello\nBob> hi\nAda< Bob says hi\n';
  const server = await serve([temporaryFile('two.transcript', text), '--once', '--quiet', '--timeout', '2s']);
  const ada = await dial(server.port);
  await ada.send('hello\n');
  ada.end();
  const { status, stderr } = await server.ended;
  expect(status).toBe(3);
  expect(stderr).toContain('two.transcript:2: Bob has not connected, and not come to: Bob> hi\n');
});

test('--lenient has a verdict, too', async () => {
  const server = await serve([temporaryFile('talk.transcript', talk), '--once', '--quiet', '--lenient']);
  const client = await dial(server.port);
  await client.send('hello Ada\nhello Bob\nbye\nhello Cleo\n');
  client.end();
  expect((await server.ended).status).toBe(0);
});

test.each([
  [['--once'], '--once is for a transcript, and "echo" is not one'],
  [['EMPTY', '--once'], 'every client would pass'],
  [['FILE', '--timeout', '1s'], '--timeout needs --once or --verify'],
  [['FILE', '--verify', '--workers', '2'], '--verify needs one process; omit --workers'],
  [['FILE', '--pace', 'slowly'], 'It takes recorded, or a factor such as 10x or 0.5x.'],
])('%j is refused', async (args, text) => {
  const file = temporaryFile('talk.transcript', args[0] === 'EMPTY' ? '# nothing\n>*\n' : talk);
  const { status, stderr } = await yodel([
    'serve',
    '--listen',
    '127.0.0.1:0',
    ...args.map((word) => (word === 'FILE' || word === 'EMPTY' ? file : word)),
  ]);
  expect(stderr).toContain(text);
  expect(status).toBe(2);
});
