import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { UnixAddress } from '../../src/address.ts';
import type { Transport } from '../../src/transport/transport.ts';
import { Network, type Place } from './network.ts';

/** Registers the tests of what only Unix sockets have: a file. */
export function describeUnixSockets(name: string, createTransport: () => Transport, place: Place): void {
  const openNetwork = () => new Network(createTransport(), place);
  const freshPath = () => (place.freshAddress() as UnixAddress).path;

  describe(`${name}, socket files`, () => {
    test('one that a killed process left behind is replaced', async () => {
      const path = freshPath();
      await listenAndBeKilled(path);
      expect(existsSync(path)).toBe(true);
      const network = openNetwork();
      const { client, server } = await network.open(await network.listen(new UnixAddress(path)));
      client.send(1000);
      await server.receivedAll(1000);
    });

    test('one that a killed process left behind refuses connections', async () => {
      const path = freshPath();
      await listenAndBeKilled(path);
      const failure = openNetwork().connect(new UnixAddress(path));
      await expect(failure).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    });

    test('one where a server listens stays', async () => {
      const path = freshPath();
      const network = openNetwork();
      const testListener = await network.listen(new UnixAddress(path));
      await expect(network.listen(new UnixAddress(path))).rejects.toMatchObject({
        code: 'YODEL_ADDRESS_IN_USE',
        message: expect.stringContaining(path),
      });
      expect(existsSync(path)).toBe(true);
      await network.connect(testListener.address);
    });

    test('an ordinary file in its place is not deleted', async () => {
      const path = freshPath();
      writeFileSync(path, 'precious');
      const failure = openNetwork().listen(new UnixAddress(path));
      await expect(failure).rejects.toMatchObject({
        code: 'YODEL_ADDRESS_IN_USE',
        message: expect.stringContaining(path),
      });
      expect(readFileSync(path, 'utf8')).toBe('precious');
    });

    test('a link in its place is not followed or deleted', async () => {
      const path = freshPath();
      const target = freshPath();
      writeFileSync(target, 'precious');
      symlinkSync(target, path);
      await expect(openNetwork().listen(new UnixAddress(path))).rejects.toMatchObject({ code: 'YODEL_ADDRESS_IN_USE' });
      expect(readFileSync(path, 'utf8')).toBe('precious');
    });

    test('connecting to an ordinary file fails, and the file stays', async () => {
      const path = freshPath();
      writeFileSync(path, 'precious');
      const failure = openNetwork().connect(new UnixAddress(path));
      await expect(failure).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
      expect(readFileSync(path, 'utf8')).toBe('precious');
    });

    test('connecting to a file that does not exist fails', async () => {
      const failure = openNetwork().connect(new UnixAddress(freshPath()));
      await expect(failure).rejects.toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
    });

    test('listening in a directory that does not exist fails, with the reason', async () => {
      const path = join(freshPath(), 'app.sock');
      const failure = openNetwork().listen(new UnixAddress(path));
      await expect(failure).rejects.toMatchObject({
        name: 'YodelError',
        message: `cannot listen on unix://${path}: there is no such socket file or directory`,
      });
    });

    test('a closed listener removes its file', async () => {
      const path = freshPath();
      const { listener } = await openNetwork().listen(new UnixAddress(path));
      expect(existsSync(path)).toBe(true);
      await listener.close();
      expect(existsSync(path)).toBe(false);
    });

    test('the longest path that an address may have works', async () => {
      const folder = dirname(freshPath());
      const path = join(folder, 'x'.repeat(107 - Buffer.byteLength(folder) - 1));
      expect(Buffer.byteLength(path)).toBe(107);
      const network = openNetwork();
      await network.open(await network.listen(new UnixAddress(path)));
      expect(existsSync(path)).toBe(true);
    });
  });
}

/** Another process listens there and gets SIGKILL, so that it cannot remove its socket file. */
async function listenAndBeKilled(path: string): Promise<void> {
  const program = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => console.log('listening'))`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  await once(child.stdout, 'data');
  child.kill('SIGKILL');
  await exited;
}
