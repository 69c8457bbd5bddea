/** `start` and `stop` of a handler file. */
import { writeFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { serve, yodel } from '../../support/process/command.ts';

const handler = (name: string) => `
export default {
  async start() { await null; console.error('${name} starts'); },
  async stop() { await null; console.error('${name} stops'); },
  message: ({ text }) => '${name} ' + text,
};`;

test('a handler file is started before the server listens, and stopped when it has shut down', async () => {
  const server = await serve([handlerFile(handler('it'))]);
  const { stdout } = await yodel(['connect', server.address], { input: 'a\n' });
  expect(stdout.toString()).toBe('it a\n');
  const { stderr, status } = await server.stop();
  expect(stderr).toMatch(/it starts\n[\s\S]*listening on [\s\S]*it stops\n/);
  expect(status).toBe(0);
});

test('with --workers it is started and stopped in each process', async () => {
  const server = await serve([handlerFile(handler('it')), '--workers', '2']);
  const { stderr } = await server.stop();
  expect(stderr.match(/it starts/g)).toHaveLength(2);
  expect(stderr.match(/it stops/g)).toHaveLength(2);
});

test.each([[], ['--workers', '2']])(
  'a handler that cannot start is an error with its reason, and exit status 1 %o',
  async (...flags) => {
    const file = handlerFile("export default { start() { throw new Error('no database'); }, message: () => 'x' };");
    const { stderr, status } = await yodel(['serve', file, '--listen', '127.0.0.1:0', ...flags]);
    expect(stderr).toContain(`yodel: the handler ${file} cannot start: Error: no database\n`);
    expect(stderr).not.toContain('listening');
    expect(stderr).not.toContain('internal error');
    expect(status).toBe(1);
  },
);

test('a handler that fails to stop is reported, and the exit status is 1', async () => {
  const file = handlerFile(
    "export default { stop: () => Promise.reject(new Error('not saved')), message: () => 'x' };",
  );
  const { stderr, status } = await (await serve([file])).stop();
  expect(stderr).toContain('the handler failed to stop: Error: not saved');
  expect(status).toBe(1);
});

test('a reload starts the new version first, then stops the old one; if it cannot start, the old one goes on', async () => {
  const file = handlerFile(handler('old'));
  const server = await serve([file]);
  const ask = async () => (await yodel(['connect', server.address], { input: 'a\n' })).stdout.toString();
  writeFileSync(file, "export default { start() { throw new Error('no database'); }, message: () => 'bad' };");
  process.kill(server.pid, 'SIGHUP');
  await server.saw(/not reloaded, the old settings remain in effect: the handler \S+ cannot start: Error: no database/);
  expect(await ask()).toBe('old a\n');
  writeFileSync(file, handler('new'));
  process.kill(server.pid, 'SIGHUP');
  await server.saw(/new starts\n[\s\S]*old stops\n/);
  expect(await ask()).toBe('new a\n');
  const { stderr } = await server.stop();
  expect(stderr.match(/(old|new) (starts|stops)/g)).toEqual(['old starts', 'new starts', 'old stops', 'new stops']);
});
