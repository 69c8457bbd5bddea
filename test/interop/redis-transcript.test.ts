/** A real conversation, recorded between a real client and a real server: checked against the one, served to the other. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { run, serve, start, yodel } from '../support/command.ts';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { testWith } from '../support/tools.ts';

const redis = testWith(['redis-server', 'redis-cli'], 'apt-get install redis-server');

const commands = [
  'SET greeting "hello\\x00\\xff\\r\\n{name} /x/"',
  'GET greeting',
  'INCR n',
  'INCR n',
  'LRANGE nothing 0 -1',
  'NOSUCH command',
  'MSET a 1 b 2',
  'MGET a b c',
].join('\n');

redis(
  'redis-cli and redis-server: the transcript is checked green, and the client cannot tell the server from it',
  async () => {
    const folder = temporaryFolder();
    const port = await freePort();
    const server = start([
      'redis-server',
      '--port',
      String(port),
      '--bind',
      '127.0.0.1',
      '--save',
      '',
      '--dir',
      folder,
    ]);
    await server.saw(/Ready to accept connections/);
    // redis-cli begins with COMMAND DOCS, whose order holds only once the server's table of subcommands has stopped moving:
    // each look into it moves it one step on.
    await run(['redis-cli', '-p', String(port)], { input: 'COMMAND COUNT\n'.repeat(32) });
    const ask = async (where: number) => {
      const { stdout, status } = await run(['redis-cli', '-p', String(where)], { input: `${commands}\n` });
      expect(status).toBe(0);
      return stdout.toString('latin1');
    };
    const records = join(folder, 'records');
    const between = await serve([`proxy:127.0.0.1:${port}`, '--record', records, '--encoding', 'binary', '--quiet']);
    const real = await ask(between.port);
    await between.stop();
    const [name = ''] = readdirSync(records);
    const file = join(records, name);

    await run(['redis-cli', '-p', String(port), 'FLUSHALL']);
    const check = await yodel(['check', file, `127.0.0.1:${port}`]);
    expect(check.stdout.toString()).toMatch(/1 transcript: all as expected; (\d{2,}) of \1 messages as expected\n$/);
    expect(check.status).toBe(0);

    const played = await serve([file, '--quiet']);
    expect(await ask(played.port)).toBe(real);
  },
);
