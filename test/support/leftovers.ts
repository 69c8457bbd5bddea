/**
 * No process outlives the tests. Each process that a test starts inherits a variable that names the run, so that it can
 * be found whoever its parent is. What is left at the end of a run fails the run; what is left by a run that crashed or
 * was interrupted is killed by a watchdog. As a program, this file is that watchdog.
 */
import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

/** Names the run in the environment of its processes. Not YODEL_…: yodel would warn about it. */
const runVariable = 'TEST_RUN';
/** Names the test that started a process. */
export const testVariable = 'TEST_NAME';
const patienceMs = 5000;

interface Leftover {
  readonly pid: number;
  readonly command: string;
  /** The test that started it, if a test did. */
  readonly test: string | undefined;
}

/** Before all tests, once for each project of vitest. Returns what is to be done after them. */
export default function setUp(): (() => Promise<void>) | undefined {
  if (process.env[runVariable]) return undefined;
  const run = randomUUID();
  process.env[runVariable] = run;
  const watchdog = spawn(process.execPath, [fileURLToPath(import.meta.url), run], {
    stdio: ['pipe', 'ignore', 'inherit'],
    env: { ...process.env, [runVariable]: undefined },
    detached: true,
  });
  watchdog.unref();
  return async () => {
    const left = await leftAfterPatience(run);
    watchdog.kill();
    for (const leftover of left) kill(leftover);
    if (left.length === 0) return;
    const lines = left.map(({ command, test }) => `${command}\n  started by the test: ${test}`);
    throw new Error(`processes were left behind:\n${lines.join('\n')}`);
  };
}

async function leftAfterPatience(run: string): Promise<Leftover[]> {
  for (const giveUpAt = Date.now() + patienceMs; ; await delay(50)) {
    // What no test started is vitest's own.
    const left = processesOf(run).filter(({ test }) => test !== undefined);
    if (left.length === 0 || Date.now() > giveUpAt) return left;
  }
}

/** The running processes of a run, vitest's own included. */
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
      // It has ended meanwhile, or belongs to another user.
      return [];
    }
  });
}

function kill({ pid }: Leftover): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const run = process.argv[2] as string;
  for await (const _ of process.stdin);
  for (const leftover of processesOf(run)) kill(leftover);
}
