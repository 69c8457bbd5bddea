import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { commandPath, type Running, start, yodel } from '../support/process/command.ts';
import { Terminal } from '../support/terminal.ts';
import { testWith } from '../support/tools.ts';

const ncat = testWith('ncat', 'apt-get install ncat');
const socat = testWith('socat', 'apt-get install socat');
const nc = testWith('nc.openbsd', 'apt-get install netcat-openbsd');
const socatAndTmux = testWith(['socat', 'tmux'], 'apt-get install socat tmux');

// ncat and socat block when their pipe is full, and lose what is in flight then. So this fits into a pipe.
const text = Array.from({ length: 1200 }, (_, line) => `line ${line} of many, grüezi 你好`).join('\n');

/** Starts a server on a free port, and on another one when a different program has taken it meanwhile. */
async function startOn(program: (port: number) => [string, ...string[]], ready: RegExp): Promise<[Running, number]> {
  for (let attempt = 1; ; attempt++) {
    const port = await freePort();
    const server = start(program(port), { hasChildren: true });
    try {
      await server.saw(ready);
      return [server, port];
    } catch (error) {
      if (attempt === 5) throw error;
    }
  }
}

// -d -d prints when it listens. Without -t, socat gives up half a second after the FIN of its client.
const socatOptions = ['-d', '-d', '-t', '10'];

const ncatEcho = () =>
  startOn((port) => ['ncat', '-v', '-lk', '-e', '/bin/cat', '127.0.0.1', String(port)], /Listening on 127/);
const socatEcho = () =>
  startOn((port) => ['socat', ...socatOptions, `TCP-LISTEN:${port},bind=127.0.0.1,fork`, 'PIPE'], /listening on/);

async function exchange(address: string): Promise<void> {
  const { stdout, stderr, status } = await yodel(['connect', address], { input: text });
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output: text, stderr: '', status: 0 });
}

ncat('ncat -lk -e /bin/cat echoes everything, client after client', async () => {
  const [, port] = await ncatEcho();
  for (let number = 1; number <= 3; number++) {
    const client = start([process.execPath, commandPath, 'connect', `:${port}`]);
    // ncat before 7.96 loses what is in flight when its client ends its side, so the end waits for the replies.
    client.process.stdin?.write(`${text}\n`);
    await client.saw(/line 1199 .*\n/);
    client.process.stdin?.end();
    const { stdout, stderr, status } = await client.ended;
    expect({ output: stdout.toString(), stderr, status }).toEqual({ output: `${text}\n`, stderr: '', status: 0 });
  }
});

socat('socat TCP-LISTEN,fork PIPE echoes everything, with several clients at a time', async () => {
  const [, port] = await socatEcho();
  await Promise.all([exchange(`:${port}`), exchange(`:${port}`), exchange(`:${port}`)]);
});

socat('socat UNIX-LISTEN,fork PIPE echoes everything', async () => {
  const path = join(temporaryFolder(), 'socket');
  const server = start(['socat', ...socatOptions, `UNIX-LISTEN:${path},fork`, 'PIPE'], { hasChildren: true });
  await server.saw(/listening on/);
  await exchange(`unix://${path}`);
});

socat('waits for a server that answers after a second', async () => {
  const late = 'SYSTEM:read line; sleep 1; echo "late $line"';
  const [, port] = await startOn(
    (port) => ['socat', ...socatOptions, `TCP-LISTEN:${port},bind=127.0.0.1`, late],
    /listening on/,
  );
  const { stdout, stderr, status } = await yodel(['connect', `:${port}`], { input: 'hello\n' });
  expect({ output: stdout.toString(), stderr, status }).toEqual({ output: 'late hello\n', stderr: '', status: 0 });
});

nc('nc -l: both sides talk, and either may end', async () => {
  const [server, port] = await startOn(
    (port) => ['nc.openbsd', '-v', '-l', '-N', '127.0.0.1', String(port)],
    /Listening on/,
  );
  const client = start([process.execPath, commandPath, 'connect', `:${port}`]);
  client.process.stdin?.write('from the client\n');
  await server.saw(/from the client\n/);
  server.process.stdin?.write('from the server\n');
  await client.saw(/from the server\n/);
  client.process.stdin?.end();
  server.process.stdin?.end();
  expect((await client.ended).status).toBe(0);
  expect((await server.ended).status).toBe(0);
});

nc('nc -l that receives a file gets it byte for byte', async () => {
  const file = text.repeat(100);
  const [server, port] = await startOn(
    (port) => ['nc.openbsd', '-v', '-l', '-N', '127.0.0.1', String(port)],
    /Listening on/,
  );
  server.process.stdin?.end();
  const { stderr, status } = await yodel(['connect', `:${port}`], { input: file });
  expect(stderr).toMatch(/^yodel: .* ended the connection; nothing was received; if a reply was due, .*\n$/);
  expect(status).toBe(0);
  expect((await server.ended).stdout.toString()).toBe(file);
});

socatAndTmux('by hand against socat', async () => {
  const [, port] = await socatEcho();
  const terminal = new Terminal();
  terminal.enter(`yodel connect :${port}`);
  await terminal.sees(/Ctrl-D ends\n>$/);
  terminal.enter('hello');
  await terminal.sees(/\n< hello {2}\d/);
  terminal.press('C-d');
  await terminal.sees(/\n\$$/);
});
