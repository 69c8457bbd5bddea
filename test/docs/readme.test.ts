/** Runs the README's commands, on free ports instead of those it names. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { freePort } from '../support/ports.ts';
import { commandPath, type Running, run, serve, start } from '../support/process/command.ts';
import { connectTo } from '../support/talk.ts';
import { Terminal } from '../support/terminal.ts';
import { testWith } from '../support/tools.ts';

const root = new URL('../../', import.meta.url).pathname;
const readme = readFileSync(`${root}README.md`, 'utf8');

/** The commands of the console blocks, each with the output shown below it. */
const commands = [...readme.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return { command, output: output.join('\n') };
    }),
);

/** `bun --bun` puts a `node` that is Bun first; npm itself needs the real one. */
const path = (process.env.PATH ?? '')
  .split(':')
  .filter((folder) => !folder.includes('bun-node'))
  .join(':');

test('the README has the commands that are run here, and no others', () => {
  expect(commands.map(({ command }) => command)).toEqual([
    'npm install && npm start',
    'npx yodel connect',
    'npm pack',
    'npm install -g ./yodel-0.1.0.tgz',
    'yodel serve',
    'yodel connect',
    "printf 'one\\ntwo\\n' | yodel connect",
    'yodel connect < package-lock.json | cmp - package-lock.json',
    'yodel connect 127.0.0.1:1 < /dev/null',
    'yodel serve ./examples/shout.ts --listen 9000',
    'yodel serve --quiet',
    "yodel bench 127.0.0.1:7878 --rate 5k/s --duration 2s --assert 'p99 < 1s' 'errors == 0'",
    'npm install && npm test',
  ]);
});

test('the README installs the tarball that `npm pack` makes', () => {
  const { name, version } = JSON.parse(readFileSync(`${root}package.json`, 'utf8'));
  expect(readme).toContain(`npm install -g ./${name}-${version}.tgz`);
});

/** A screen without what differs from run to run: times, ports, and the address that a free port adds to the hint. */
function shape(screen: string): string {
  return screen
    .replaceAll(/\d+:\d\d:\d\d\.\d+/g, 'TIME')
    .replaceAll(/\d+(\.\d+)? (µs|ms|s)\b/g, '# s')
    .replace(/yodel connect tcp:\S+/, 'yodel connect')
    .replaceAll(/(127\.0\.0\.1[: ])\d+/g, '$1#')
    .replaceAll(/ +$/gm, '')
    .trimEnd();
}

testWith('tmux', 'apt-get install tmux')('a server and a client show what the README shows', async () => {
  const outputOf = (command: string) => commands.find((one) => one.command === command)?.output ?? '';
  const port = await freePort();
  const server = new Terminal({ width: 120 });
  server.enter(`clear; yodel serve --listen 127.0.0.1:${port}`);
  await server.sees(/Ctrl-C stops it/);
  const client = await connectTo(`127.0.0.1:${port}`);
  for (const [index, line] of ['hello', 'wörld 你好 🎉'].entries()) {
    client.enter(line);
    await client.sees(new RegExp(`(< .* ms\n[\\s\\S]*){${index + 1}}>$`));
  }
  expect(shape(client.lines())).toBe(`${shape(outputOf('yodel connect'))}\n>`);
  client.press('C-d');
  await server.sees(/the peer ended it/);
  expect(shape(server.lines())).toBe(shape(outputOf('yodel serve')));
});

test('`npm start` serves, and `npx yodel connect` talks to it', async () => {
  const server = start(['npm', 'start'], { cwd: root, env: { PATH: path, YODEL_LISTEN: '127.0.0.1:0' } });
  const address = await listeningAddress(server);
  const client = await run(['npx', 'yodel', 'connect', address], { cwd: root, env: { PATH: path }, input: 'hello\n' });
  expect(client.stdout.toString()).toBe('hello\n');
  expect(client.status).toBe(0);
  // npm passes a signal to the shell that it started, which may not pass it on. So it goes to the server itself.
  process.kill(await childOf(server.pid), 'SIGTERM');
  await server.ended;
});

describe('in a pipe', () => {
  let folder: string;

  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'yodel-readme-'));
    mkdirSync(join(folder, 'bin'));
    symlinkSync(commandPath, join(folder, 'bin', 'yodel'));
    symlinkSync(process.execPath, join(folder, 'bin', 'node'));
    return () => rmSync(folder, { recursive: true });
  });

  for (const { command, output } of commands.filter(
    ({ command }) => /yodel connect/.test(command) && / [|<] /.test(command),
  )) {
    test(`\`${command}\` prints what the README says`, async () => {
      const server = await serve(['--quiet']);
      onTestFinished(async () => void (await server.stop()));
      const there = command.replace(/yodel connect(?! [\d])/, `yodel connect ${server.address}`);
      const outcome = await run(['bash', '-c', there], { cwd: root, env: { PATH: `${join(folder, 'bin')}:${path}` } });
      expect(outcome.stdout.toString() + outcome.stderr).toBe(output.replace(/\n$/, output === '' ? '' : '\n'));
    });
  }

  test('`yodel bench` measures at the given rate', async () => {
    const server = await serve(['--quiet']);
    const command = commands.find((one) => one.command.startsWith('yodel bench'))?.command ?? '';
    // The latency depends on this machine.
    const there = command.replace('127.0.0.1:7878', server.address).replace('p99 < 1s', 'p99 < 60s');
    const { status, stdout } = await run(['bash', '-c', there], {
      cwd: root,
      env: { PATH: `${join(folder, 'bin')}:${path}` },
    });
    expect(stdout.toString()).toContain('ok       errors == 0');
    expect(status).toBe(0);
  });

  test('`yodel serve ./examples/shout.ts` answers in capitals', async () => {
    const server = start([process.execPath, commandPath, 'serve', './examples/shout.ts', '--listen', '127.0.0.1:0'], {
      cwd: root,
    });
    const address = await listeningAddress(server);
    const client = await run([process.execPath, commandPath, 'connect', address], { input: 'hello\n' });
    expect(client.stdout.toString()).toBe('HELLO\n');
  });
});

async function listeningAddress(server: Running): Promise<string> {
  const [, address = ''] = await server.saw(/listening on (\S+)/);
  return address;
}

async function childOf(pid: number): Promise<number> {
  const listing = (await run(['ps', '-eo', 'pid=,ppid=,args='])).stdout.toString().trim().split('\n');
  const rows = listing.map((line) => /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? []);
  let found = pid;
  for (let child: string | undefined = String(pid); child; ) {
    found = Number(child);
    child = rows.find(([, , parent]) => parent === child)?.[1];
  }
  return found;
}
