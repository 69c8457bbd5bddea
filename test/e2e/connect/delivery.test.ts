/** Input that the runtime has passed on and the server's operating system has not taken. Only Linux tells. */
import { expect, onTestFinished, test } from 'vitest';
import { commandPath, start, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';

const isLinux = process.platform === 'linux';
/** More than a server's system takes that is not read, and less than this one buffers: all of it is passed on. */
const input = `${'a'.repeat(29_999)}\n`.repeat(50);

for (const flags of [[], ['--json']]) {
  const how = flags.join(' ') || 'bytes';

  test.skipIf(!isLinux)(`a server that ends and reads nothing has not taken all of the input: ${how}`, async () => {
    const { address } = await listen((socket) => socket.pause().end());
    const { stderr, status } = await yodel(['connect', address, '--wait', '500ms', ...flags], { input });
    expect(stderr).toMatch(
      /did not take (all of the input|the last \d+ bytes)|of input were not sent|before the end of input/,
    );
    expect(status).toBe(1);
  });

  test.skipIf(!isLinux)(`a server that stays open and reads nothing takes no input: ${how}`, async () => {
    const { address } = await listen((socket) => socket.pause());
    const args = ['connect', address, '--wait', '300ms', '--no-shutdown', ...flags];
    const { stderr, status } = await yodel(args, { input });
    expect(stderr).toMatch(/took no input for 300 ms|did not take the last \d+ bytes/);
    expect(status).toBe(1);
  });
}

test.skipIf(!isLinux)('a server that replies and closes before the input arrives did not take it', async () => {
  const closed = Promise.withResolvers<void>();
  const { address } = await listen((socket) =>
    socket
      .pause()
      .end('hi\n', () => socket.destroy())
      .on('close', closed.resolve),
  );
  const client = start([process.execPath, commandPath, 'connect', address]);
  onTestFinished(() => void client.process.kill());
  await closed.promise;
  client.process.stdin?.end('hello\n');
  const { stdout, stderr, status } = await client.ended;
  expect({ output: stdout.toString(), status }).toEqual({ output: 'hi\n', status: 1 });
  expect(stderr).toMatch(/^yodel: [^\n]+\n$/);
});
