/** Processes started by a server under test. */
import { readdirSync, readFileSync } from 'node:fs';
import { onTestFinished } from 'vitest';
import { waitUntil } from './process.ts';

/** Whether a process runs. A zombie does not. */
export function isRunning(pid: number): boolean {
  try {
    return !/^\d+ \(.*\) [ZX] /s.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}

/** The running children of a process. */
export function childrenOf(pid: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((one) => parentOf(one) === pid && isRunning(one));
}

/** Resolves when none of the processes runs. Those that still do when the test ends are killed. */
export async function allGone(...pids: number[]): Promise<void> {
  onTestFinished(() => {
    for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  });
  await waitUntil(`processes ${pids.join(', ')} are gone`, () => !pids.some(isRunning));
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^\d+ \(.*\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
