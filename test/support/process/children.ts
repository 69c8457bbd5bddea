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

/** Whether all threads of a process wait for something: none has work, such as a signal. */
export function isAsleep(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    try {
      return /\) S /.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'));
    } catch {
      // It has ended.
      return true;
    }
  });
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^\d+ \(.*\) \S+ (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, 'utf8'))?.[1]);
  } catch {
    return undefined;
  }
}
