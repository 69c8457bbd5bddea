/** Runs the README's commands, with free ports in place of the ones it names. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { commandPath, type Running, run, serve, start } from '../support/command.ts';

const root = new URL('../../', import.meta.url).pathname;
const readme = readFileSync(`${root}README.md`, 'utf8');

/** The commands of the console blocks, each with the output that stands below it. */
const commands = [...readme.matchAll(/```console\n(.*?)```/gs)].flatMap(([, block = '']) =>
  block
    .split(/^\$ /m)
    .slice(1)
    .map((part) => {
      const [command = '', ...output] = part.split('\n');
      return { command, output: output.join('\n') };
    }),
);

/** `bun --bun` puts a `node` that is Bun in front; npm itself needs the real one. */
const path = (process.env.PATH ?? '')
  .split(':')
  .filter((folder) => !folder.includes('bun-node'))
  .join(':');

test('the README has the commands that are run here, and no others', () => {
  expect(commands.map(({ command }) => command)).toEqual([
    'npm install && npm start',
    'npx yodel connect',
    'yodel serve',
    'yodel connect',
    "printf 'one\\ntwo\\n' | yodel connect",
    'yodel connect < package-lock.json | cmp - package-lock.json',
    'yodel connect 127.0.0.1:1 < /dev/null',
    'yodel serve ./examples/shout.ts --listen 9000',
    "yodel bench 127.0.0.1:7878 --rate 5k/s --duration 2s --assert 'p99 < 1s' 'errors == 0'",
    'npm install && npm test',
  ]);
});

test('`npm start` serves, and `npx yodel connect` talks to it', async () => {
  const server = start(['npm', 'start'], { cwd: root, env: { PATH: path, YODEL_LISTEN: '127.0.0.1:0' } });
  const address = await listeningAddress(server);
  const client = await run(['npx', 'yodel', 'connect', address], { cwd: root, env: { PATH: path }, input: 'hello\n' });
  expect(client.stdout.toString()).toBe('hello\n');
  expect(client.status).toBe(0);
  // npm hands a signal on to the shell it started, which need not hand it on: the server is asked itself.
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

  test('`yodel bench` measures at the rate that it is given', async () => {
    const server = await serve(['--quiet']);
    const command = commands.find((one) => one.command.startsWith('yodel bench'))?.command ?? '';
    // How long replies take is this machine's affair.
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
