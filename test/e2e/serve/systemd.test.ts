/** Socket activation and notifications of systemd, with its own programs. */

import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { temporaryFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { freePort } from '../../support/ports.ts';
import { commandPath, type Running, run, start } from '../../support/process/command.ts';
import { testWith } from '../../support/tools.ts';

const activation = testWith('systemd-socket-activate', 'apt-get install systemd');
const notification = testWith(['systemd-notify', 'python3'], 'apt-get install systemd python3');
const verification = testWith('systemd-analyze', 'apt-get install systemd');

/** `yodel serve ARGS` with passed sockets, started when the first client connects. */
function activated(sockets: readonly string[], args: readonly string[]): Running {
  const passed = sockets.flatMap((socket) => ['--listen', socket]);
  const command = [process.execPath, commandPath, 'serve', '--log-format', 'text', ...args];
  return start(['systemd-socket-activate', ...passed, ...command], { hasChildren: true });
}

activation.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])('%s: serves the sockets that systemd passes', async (_, workers) => {
  const port = await freePort();
  const path = join(temporaryFolder(), 'y.sock');
  const addresses = ['--listen', `127.0.0.1:${port}`, '--listen', `unix://${path}`];
  const server = activated([`127.0.0.1:${port}`, path], [...addresses, ...workers]);
  await server.saw(/Listening on .*y\.sock/);
  // The connection waits in the backlog until the server has started.
  expect(await (await dial(port)).ask('hello')).toBe('hello');
  await server.saw(new RegExp(`yodel: listening on tcp://127.0.0.1:${port}`));
  await server.saw(/yodel: listening on unix:/);
  expect(await (await dial(path)).ask('hello')).toBe('hello');
  expect((await server.stop()).status).toBe(0);
});

activation('an address that differs from the passed socket is an error', async () => {
  const port = await freePort();
  const server = activated([`127.0.0.1:${port}`], ['--listen', `127.0.0.1:${port + 1}`]);
  await server.saw(/Listening on/);
  await dial(port);
  const { status, stderr } = await server.ended;
  expect(stderr).toContain(
    `yodel: descriptor 3 listens on tcp://127.0.0.1:${port}, not on tcp://127.0.0.1:${port + 1}`,
  );
  expect(status).toBe(2);
});

activation('more passed sockets than addresses are an error', async () => {
  const [one, other] = [await freePort(), await freePort()];
  const server = activated([`127.0.0.1:${one}`, `127.0.0.1:${other}`], ['--listen', `127.0.0.1:${one}`]);
  await server.saw(/Listening on .*\n.*Listening on/);
  await dial(one);
  const { status, stderr } = await server.ended;
  expect(stderr).toContain(
    'yodel: the number of passed sockets is not the number of addresses (descriptors: 2, addresses: 1)',
  );
  expect(status).toBe(2);
});

/** Receives notifications as systemd does, and prints them. */
const listener = `
import os, socket, subprocess, sys
path = sys.argv[1]
inbox = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
inbox.bind(path)
# Its log goes to stderr, where it cannot end up in the middle of a line of this program.
child = subprocess.Popen(sys.argv[2:], env=dict(os.environ, NOTIFY_SOCKET=path), stdout=sys.stderr)
print('child', child.pid, flush=True)
while True:
    # A barrier comes with a descriptor and waits until it is closed. Not receiving it closes it.
    notified = inbox.recv(4096).decode()
    if notified != 'BARRIER=1':
        print('notified', notified.replace('\\n', ' '), flush=True)
    if 'STOPPING=1' in notified:
        break
sys.exit(child.wait())
`;

notification.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])('%s: notifies systemd of start, reload and stop', async (_, workers) => {
  const script = temporaryFile('listener.py', listener);
  const socket = join(temporaryFolder(), 'notify');
  const command = [process.execPath, commandPath, 'serve', '--listen', '127.0.0.1:0', ...workers];
  const service = start(['python3', script, socket, ...command], { hasChildren: true });
  const [, child] = await service.saw(/child (\d+)/);
  const main = `MAINPID=${child}`;
  await service.saw(new RegExp(`notified ${main} READY=1`));
  process.kill(Number(child), 'SIGHUP');
  await service.saw(new RegExp(`notified ${main} MONOTONIC_USEC=\\d+ RELOADING=1\nnotified ${main} READY=1`));
  process.kill(Number(child), 'SIGTERM');
  await service.saw(new RegExp(`notified ${main} STOPPING=1`));
  expect((await service.ended).status).toBe(0);
});

notification('a failed notification is reported, and the server continues', async () => {
  const nowhere = join(temporaryFolder(), 'nobody');
  const command = [process.execPath, commandPath, 'serve', '--listen', '127.0.0.1:0'] as const;
  const service = start(command, { env: { NOTIFY_SOCKET: nowhere } });
  await service.saw(/yodel: cannot notify systemd of READY=1: \S/);
  const [, port] = await service.saw(/listening on \S+:(\d+)/);
  expect(await (await dial(Number(port))).ask('hello')).toBe('hello');
  expect((await service.stop()).status).toBe(0);
});

verification.each(['yodel.service', 'yodel.socket'])('systemd accepts packaging/%s', async (name) => {
  const file = fileURLToPath(new URL(`../../../packaging/${name}`, import.meta.url));
  const { status, stderr } = await run(['systemd-analyze', 'verify', '--man=no', file]);
  expect(stderr).toBe('');
  expect(status).toBe(0);
});
