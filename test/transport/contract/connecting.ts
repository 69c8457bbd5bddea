import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../../src/address.ts';
import type { OpenNetwork, Place } from '../network.ts';

export function describeConnecting(openNetwork: OpenNetwork, { hasHostNames }: Place): void {
  describe('connecting', () => {
    test('to an address without a listener is refused, and the error names the address', async () => {
      const network = openNetwork();
      const { listener } = await network.listen();
      await listener.close();
      const failure = network.connect(listener.address);
      await expect(failure).rejects.toMatchObject({
        name: 'YodelError',
        code: 'YODEL_CONNECTION_REFUSED',
        message: expect.stringContaining(`cannot connect to ${listener.address}`),
      });
    });

    test.runIf(hasHostNames)('to a host name without a listener is refused too', async () => {
      const network = openNetwork();
      const { listener } = await network.listen(new TcpAddress('localhost', 0));
      await listener.close();
      const { port } = listener.address as TcpAddress;
      await expect(network.connect(new TcpAddress('localhost', port))).rejects.toMatchObject({
        code: 'YODEL_CONNECTION_REFUSED',
        message: expect.stringContaining(`tcp://localhost:${port}`),
      });
    });

    test.runIf(hasHostNames)('to a host that does not exist fails, with that reason', async () => {
      const failure = openNetwork().connect(new TcpAddress('no-such-host.invalid', 7878));
      await expect(failure).rejects.toMatchObject({
        code: 'YODEL_HOST_NOT_FOUND',
        message: expect.stringContaining('tcp://no-such-host.invalid:7878'),
      });
    });

    test.runIf(hasHostNames)('to a host by its name works', async () => {
      const network = openNetwork();
      const testListener = await network.listen(new TcpAddress('localhost', 0));
      const { port } = testListener.address as TcpAddress;
      const client = await network.connect(new TcpAddress('localhost', port));
      const server = await testListener.next();
      client.start().send(1000);
      await server.start().receivedAll(1000);
    });

    test('with an aborted signal rejects with its reason, and the listener notices nothing', async () => {
      const network = openNetwork();
      const testListener = await network.listen();
      const reason = new Error('no longer needed');
      await expect(network.connect(testListener.address, AbortSignal.abort(reason))).rejects.toBe(reason);
      await network.passTime();
      expect(testListener.accepted).toBe(0);
    });

    test('with a signal that is aborted during the attempt rejects with its reason, and leaves no connection behind', async () => {
      const network = openNetwork();
      const testListener = await network.listen();
      const reason = new Error('no longer needed');
      const aborter = new AbortController();
      const failure = network.connect(testListener.address, aborter.signal);
      aborter.abort(reason);
      await expect(failure).rejects.toBe(reason);
      await network.passTime();
      // The operating system may have accepted it before.
      if (testListener.accepted === 0) return;
      const server = (await testListener.next()).start();
      server.whenEnded = () => server.end();
      await server.closed();
    });

    test.runIf(hasHostNames)(
      'with a signal that is aborted while the name is resolved rejects with its reason',
      async () => {
        const reason = new Error('no longer needed');
        const aborter = new AbortController();
        const failure = openNetwork().connect(new TcpAddress('no-such-host.invalid', 7878), aborter.signal);
        aborter.abort(reason);
        await expect(failure).rejects.toBe(reason);
      },
    );

    test.runIf(hasHostNames)(
      'with a signal that is aborted while a server does not answer rejects with its reason',
      async () => {
        const network = openNetwork();
        const { address, stop } = await startDeafServer();
        const reason = new Error('it took too long');
        const aborter = new AbortController();
        const outcomes: unknown[] = [];
        const attempts: Promise<void>[] = [];
        // Once the kernel's queue for it is full, attempts get no answer.
        while (attempts.length === outcomes.length) {
          for (let i = 0; i < 20; i++) {
            const attempt = network.connect(address, aborter.signal);
            attempts.push(
              attempt.then(
                () => void outcomes.push('connected'),
                (error) => void outcomes.push(error),
              ),
            );
          }
          await network.passTime();
        }
        aborter.abort(reason);
        await Promise.all(attempts);
        expect(outcomes).toContain(reason);
        expect(outcomes.filter((outcome) => outcome !== 'connected' && outcome !== reason)).toEqual([]);
        await stop();
      },
    );

    test('with a signal that is aborted afterwards changes nothing', async () => {
      const network = openNetwork();
      const testListener = await network.listen();
      const aborter = new AbortController();
      const client = (await network.connect(testListener.address, aborter.signal)).start();
      const server = (await testListener.next()).start();
      aborter.abort();
      client.send(1000);
      await server.receivedAll(1000);
      await network.passTime();
      expect(client.isClosed).toBe(false);
    });

    test('many times at once makes as many connections', async () => {
      const network = openNetwork();
      const testListener = await network.listen();
      const clients = await Promise.all(Array.from({ length: 100 }, () => network.connect(testListener.address)));
      const servers = await Promise.all(clients.map(() => testListener.next()));
      for (const client of clients) client.start().send(1000);
      await Promise.all(servers.map((server) => server.start().receivedAll(1000)));
      expect(testListener.accepted).toBe(100);
    });
  });
}

/** A process that listens and never accepts. */
async function startDeafServer(): Promise<{ address: TcpAddress; stop: () => Promise<unknown> }> {
  const program = `
    const server = require('node:net').createServer().listen({ host: '127.0.0.1', port: 0, backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port));
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    });`;
  const child = spawn(process.execPath, ['-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [port] = (await once(child.stdout, 'data')) as [Buffer];
  const exited = once(child, 'exit');
  const stop = () => {
    child.kill('SIGKILL');
    return exited;
  };
  return { address: new TcpAddress('127.0.0.1', Number(port)), stop };
}
