/** A recorded conversation of redis-cli and redis-server: checked against the server, and served to the client. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { freePort } from '../support/ports.ts';
import { run, serve, start, yodel } from '../support/process/command.ts';
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
  'redis-server passes the recorded transcript, and redis-cli cannot distinguish the served transcript from the server',
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
    // redis-cli begins with COMMAND DOCS. The order of the reply is stable only after redis has rehashed its table of
    // subcommands, and each lookup moves that one step on.
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
