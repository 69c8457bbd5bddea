import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { hasRunningMember } from '../../src/process/running-groups.ts';

const leaders: number[] = [];

afterEach(() => {
  for (const leader of leaders.splice(0)) process.kill(-leader, 'SIGKILL');
});

/** Starts a process in a group of its own, and returns its id. */
async function startGroup(): Promise<number> {
  const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true });
  await once(child, 'spawn');
  leaders.push(child.pid as number);
  return child.pid as number;
}

test('a group that was started after the last scan counts as running', async () => {
  const first = await startGroup();
  expect(hasRunningMember(first, performance.now())).toBe(true);
  // The scan that answered this is used again for a moment.
  const startedAt = performance.now();
  const second = await startGroup();
  expect(hasRunningMember(second, startedAt)).toBe(true);
});

test('a group without running members is known once it was scanned', async () => {
  const startedAt = performance.now();
  const leader = await startGroup();
  process.kill(-leader, 'SIGKILL');
  leaders.pop();
  await expect.poll(() => hasRunningMember(leader, startedAt), { timeout: 20_000 }).toBe(false);
});
