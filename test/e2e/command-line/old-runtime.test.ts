import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { commandPath, run } from '../../support/process/command.ts';

/** An installed Node that is too old, if there is one. */
const oldNode = ['/usr/bin/node', '/usr/local/bin/node'].find((path) => {
  const [major = 99, minor = 0] = spawnSync(path, ['-p', 'process.versions.node']).stdout?.toString().split('.') ?? [];
  return Number(major) < 22 || (Number(major) === 22 && Number(minor) < 18);
});

test.skipIf(!oldNode)('a Node that is too old gets a one-line error with instructions', async () => {
  const { status, stdout, stderr } = await run([oldNode as string, commandPath, 'serve']);
  expect(stderr).toMatch(/^yodel: needs Node\.js 22\.18 or newer, this is \d+\.\d+\.\d+; [^\n]*npm install[^\n]*\n$/);
  expect(stdout.toString()).toBe('');
  expect(status).toBe(2);
});

const isBun = process.versions.bun !== undefined;
const [tooOld, oldest, newer] = isBun
  ? (['1.3.99', '1.4.0', '2.0.0'] as const)
  : (['22.17.1', '22.18.0', '30.0.0'] as const);

async function runAs(version: string): Promise<{ status: number | null; stderr: string }> {
  const name = isBun ? 'bun' : 'node';
  const preload = temporaryFile(
    'preload.cjs',
    `Object.defineProperty(process, 'versions', { value: { ...process.versions, ${name}: '${version}' } });`,
  );
  return await run([process.execPath, isBun ? '--preload' : '--require', preload, commandPath, '--version']);
}

test('the oldest supported runtime is accepted, and the version before it is not', async () => {
  const refused = await runAs(tooOld);
  expect(refused.stderr).toMatch(new RegExp(`^yodel: needs (Node\\.js|Bun) [^\n]*this is ${tooOld}; [^\n]*\n$`));
  expect(refused.status).toBe(2);
  expect(await runAs(oldest)).toMatchObject({ status: 0, stderr: '' });
  expect(await runAs(newer)).toMatchObject({ status: 0, stderr: '' });
});
