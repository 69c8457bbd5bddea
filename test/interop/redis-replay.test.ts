/** Recorded traffic with redis behind `yodel serve proxy:`, replayed. */
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { run, serve, start, yodel } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';

const redis = testWith(['redis-server', 'redis-cli', 'redis-benchmark'], 'apt-get install redis-server');

async function startRedis(): Promise<number> {
  const port = await freePort();
  const bind = ['--port', String(port), '--bind', '127.0.0.1', '--save', ''];
  const server = start(['redis-server', ...bind, '--dir', temporaryFolder()]);
  await server.saw(/Ready to accept connections/);
  return port;
}

redis(
  'recorded clients of redis are replayed against a new server without differences, and differences are reported',
  async () => {
    const file = join(temporaryFolder(), 'redis.journal');
    const real = await startRedis();
    const proxy = await serve([
      `proxy:127.0.0.1:${real}`,
      '--encoding',
      'binary',
      '--no-messages',
      '--json',
      '--journal',
      file,
      '--journal-replies',
    ]);
    let sessions = 0;
    // A session that began before the last one was over would be replayed beside it.
    const cli = async (...args: string[]) => {
      await run(['redis-cli', '-p', String(proxy.port), ...args]);
      await proxy.saw(new RegExp(`"event":"closed","session":${++sessions},`));
    };
    await cli('SET', 'greeting', 'hello\r\n\xff');
    await cli('GET', 'greeting');
    for (let count = 0; count < 5; count++) await cli('INCR', 'visits');
    await cli('RPUSH', 'list', 'a', 'b', 'c');
    await cli('LRANGE', 'list', '0', '-1');
    await cli('NOSUCH');
    const benchmark = ['-p', String(proxy.port), '-n', '500', '-c', '1', '-P', '8', '-q', '-t', 'lpush,sadd'];
    expect((await run(['redis-benchmark', ...benchmark])).status).toBe(0);
    await proxy.stop();

    const fresh = await startRedis();
    const replayed = await yodel(['replay', file, `127.0.0.1:${fresh}`, '--speed', 'max']);
    const [, equal, all] = /(\S+) of (\S+) replies as recorded/.exec(replayed.stdout.toString()) ?? [];
    expect(replayed.stdout.toString()).not.toContain('a different message');
    expect(equal).toBe(all);
    expect(replayed.status).toBe(0);

    // The counter continues from its value: its replies differ, and nothing else in these sessions.
    const again = await yodel(['replay', file, `127.0.0.1:${fresh}`, '--session', '3', '--speed', 'max', '--json']);
    expect(JSON.parse(again.stdout.toString())).toMatchObject({ sent: 5, expected: 1, differences: 1 });
    expect(again.status).toBe(3);
  },
);
