/** SIGHUP to a server with workers. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { waitUntil } from '../../support/process/process.ts';
import { serveWithWorkers } from './workers.ts';

describe('a reload with workers', () => {
  it('reaches every worker; an error is reported once, and new workers get the last good settings', async () => {
    const folder = temporaryFolder();
    const file = join(folder, 'yodel.toml');
    writeFileSync(file, 'maxMessageLength = 5\n');
    const server = await serveWithWorkers(['--config', file]);
    const tooLong = (limit: number) => `error: message 1 is longer than the limit of ${limit} bytes`;
    const limits = async () => {
      const answers: string[] = [];
      for (let count = 0; count < 8; count++) answers.push(await (await dial(server.port)).ask('123456789'));
      return new Set(answers);
    };
    expect(await limits()).toEqual(new Set([tooLong(5)]));
    writeFileSync(file, 'maxMessageLength = 7\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded/);
    expect(await limits()).toEqual(new Set([tooLong(7)]));
    writeFileSync(file, 'maxMessageLength = "much"\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: not reloaded, the old settings remain in effect: .*maxMessageLength/);
    process.kill(server.workers[0] as number, 'SIGKILL');
    await server.saw(/worker 1 restarted/);
    expect(await limits()).toEqual(new Set([tooLong(7)]));
    expect(server.stderr().match(/reloaded/g)).toHaveLength(2);
  });

  it('reaches a worker that is starting', async () => {
    const folder = temporaryFolder();
    const [file, gate] = [join(folder, 'yodel.toml'), join(folder, 'gate')];
    writeFileSync(file, 'maxMessageLength = 5\n');
    // Loading waits as long as the gate exists.
    const handler = handlerFile(
      `import { existsSync } from 'node:fs';
       console.error('loading');
       while (process.argv[2] === '2' && existsSync(${JSON.stringify(gate)})) await new Promise((r) => setTimeout(r, 20));
       export default (m) => m;`,
    );
    const server = await serveWithWorkers([handler, '--config', file]);
    writeFileSync(gate, '');
    process.kill(server.workers[1] as number, 'SIGKILL');
    await waitUntil('worker 2 loads again', () => (server.stderr().match(/loading/g) ?? []).length === 3);
    writeFileSync(file, 'maxMessageLength = 7\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded/);
    rmSync(gate);
    await server.saw(/worker 2 restarted/);
    const answers = new Set<string>();
    for (let count = 0; count < 16; count++) answers.add(await (await dial(server.port)).ask('123456789'));
    expect([...answers]).toEqual(['error: message 1 is longer than the limit of 7 bytes']);
  });

  it('names the settings that need a restart, and no worker gets them before', async () => {
    const file = join(temporaryFolder(), 'yodel.toml');
    writeFileSync(file, 'framing = "lines"\n');
    const server = await serveWithWorkers(['--config', file]);
    writeFileSync(file, 'framing = "delimiter:|"\nmaxMessageLength = 5\n');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded: .*; these changes need a restart: framing\n/);
    process.kill(server.workers[0] as number, 'SIGKILL');
    await server.saw(/worker 1 restarted/);
    for (let count = 0; count < 8; count++) expect(await (await dial(server.port)).ask('hello')).toBe('hello');
    writeFileSync(file, 'framing = "bogus"\n');
    server.process.kill('SIGHUP');
    await server.saw(/not reloaded, the old settings remain in effect: unknown framing "bogus"/);
  });

  it('loads a new handler in every worker, and a broken one in none', async () => {
    const handler = handlerFile('export default ({ text }) => `old ${text}`;', 'handler.mjs');
    const server = await serveWithWorkers([handler]);
    const answers = async () => {
      const all = new Set<string>();
      for (let count = 0; count < 8; count++) all.add(await (await dial(server.port)).ask('a'));
      return [...all];
    };
    writeFileSync(handler, 'export default ({ text }) => `new ${text}`;');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: reloaded/);
    expect(await answers()).toEqual(['new a']);
    writeFileSync(handler, 'export default (');
    server.process.kill('SIGHUP');
    await server.saw(/yodel: not reloaded, the old settings remain in effect: the handler file/);
    expect(await answers()).toEqual(['new a']);
  });
});
