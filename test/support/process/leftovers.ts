/**
 * Ensures that no process outlives the tests. Each process that a test starts inherits a variable with the id of the run,
 * which identifies it even when its parent is gone. Processes left at the end of a run fail the run. A watchdog kills the processes
 * of a run that crashed or was interrupted. This file is also the program of that watchdog.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** The variable with the id of the run. Not YODEL_…: yodel warns about unknown variables of that form. */
const runVariable = 'TEST_RUN';
/** The variable with the name of the test that started a process. */
export const testVariable = 'TEST_NAME';
const timeoutMs = 20_000;

interface Leftover {
  readonly pid: number;
  readonly command: string;
  /** The test that started it, if a test did. */
  readonly test: string | undefined;
}

/** Runs before all tests, once for each project of vitest. Returns the check to run after them. */
export default function setUp(): (() => Promise<void>) | undefined {
  // Only Linux shows the environment of other processes as files.
  if (process.env[runVariable] || !existsSync('/proc/self/environ')) return undefined;
  const run = randomUUID();
  process.env[runVariable] = run;
  const watchdog = spawn(process.execPath, [fileURLToPath(import.meta.url), run], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, [runVariable]: undefined },
    detached: true,
  });
  watchdog.unref();
  return async () => {
    const left = await leftAfterTimeout(run);
    watchdog.kill();
    for (const leftover of left) kill(leftover);
    if (left.length === 0) return;
    const lines = left.map(({ command, test }) => `${command}\n  started by the test: ${test}`);
    throw new Error(`processes were left behind:\n${lines.join('\n')}`);
  };
}

async function leftAfterTimeout(run: string): Promise<Leftover[]> {
  for (const deadline = Date.now() + timeoutMs; ; await delay(50)) {
    // A process without the name of a test belongs to vitest.
    const left = processesOf(run).filter(({ test }) => test !== undefined);
    if (left.length === 0 || Date.now() > deadline) return left;
  }
}

/** The processes of a run, including those of vitest. */
function processesOf(run: string): Leftover[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.flatMap((pid) => {
    try {
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0');
      if (!environment.includes(`${runVariable}=${run}`)) return [];
      const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').trim();
      const test = environment.find((variable) => variable.startsWith(`${testVariable}=`));
      return [{ pid: Number(pid), command, test: test?.slice(testVariable.length + 1) }];
    } catch {
      // It has exited in the meantime, or belongs to another user.
      return [];
    }
  });
}

function kill({ pid }: Leftover): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has exited in the meantime.
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const run = process.argv[2] as string;
  for await (const _ of process.stdin);
  for (const leftover of processesOf(run)) kill(leftover);
}
