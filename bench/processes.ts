/** Child processes that never outlive this one, nor leave children of their own behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Those that run. Each leads a group of its own, in which its children are. */
const leaders = new Set<number>();

/** What children see: the project's own Node and Bun first, daemons too, and no settings meant for somebody's own yodel. */
const environment = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(YODEL_|NODE_OPTIONS$|NODE_COMPILE_CACHE$|npm_)/.test(name)),
  ),
  PATH: `${root}node_modules/.bin:${process.env.PATH}:/usr/sbin`,
};

process.on('exit', () => {
  for (const leader of leaders) killGroup(leader);
});
for (const [signal, status] of [
  ['SIGINT', 130],
  ['SIGTERM', 143],
  ['SIGHUP', 129],
] as const) {
  process.on(signal, () => process.exit(status));
}

export interface Child {
  readonly pid: number;
  readonly process: ChildProcess;
  /** Resolves once it has ended, with its status, or undefined when a signal ended it. Never rejects. */
  readonly ended: Promise<number | undefined>;
  /** Whether it has ended. */
  hasEnded(): boolean;
  /** Kills it and all its children, and waits for its end. */
  kill(): Promise<void>;
}

export interface StartOptions {
  /** Where stdout and stderr go: pipes, or a file's descriptor. */
  readonly output?: 'pipe' | number;
  readonly input?: 'pipe' | 'ignore';
  readonly cwd?: string;
}

/** Starts a program as the leader of a group of its own. */
export function start(
  [file, ...args]: readonly [string, ...string[]],
  { output = 'pipe', input = 'ignore', cwd = root }: StartOptions = {},
): Child {
  const child = spawn(file, args, { cwd, env: environment, stdio: [input, output, output], detached: true });
  const pid = child.pid;
  if (pid !== undefined) leaders.add(pid);
  let over = false;
  const ended = new Promise<number | undefined>((resolve) => {
    const end = (status: number | undefined) => {
      over = true;
      resolve(status);
    };
    child.on('exit', (status) => end(status ?? undefined));
    child.on('error', () => end(127));
  });
  // Its input may end before it has taken all of it: that shows in what it says and in its status.
  child.stdin?.on('error', () => undefined);
  return {
    pid: pid ?? 0,
    process: child,
    ended,
    hasEnded: () => over,
    async kill() {
      if (pid === undefined) return;
      killGroup(pid);
      await ended;
      // Again, for children that were born in between.
      killGroup(pid);
      leaders.delete(pid);
    },
  };
}

export interface Outcome {
  /** Undefined when a signal ended it, or the time was up. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** Runs a program to its end, or until the time is up. Never rejects: a program that is missing has status 127. */
export async function capture(
  command: readonly [string, ...string[]],
  { withinMs, cwd }: { readonly withinMs: number; readonly cwd?: string },
): Promise<Outcome> {
  const child = start(command, cwd === undefined ? {} : { cwd });
  const stdout = gather(child.process.stdout);
  const stderr = gather(child.process.stderr);
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    void child.kill();
  }, withinMs);
  const status = await child.ended;
  clearTimeout(timer);
  await child.kill();
  return { status: timedOut ? undefined : status, stdout: await stdout, stderr: await stderr, timedOut };
}

async function gather(stream: NodeJS.ReadableStream | null): Promise<string> {
  const chunks: Buffer[] = [];
  if (!stream) return '';
  try {
    for await (const chunk of stream) chunks.push(chunk as Buffer);
  } catch {
    // The program was killed, or was never there: what it has said until then is all there is.
  }
  return Buffer.concat(chunks).toString();
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}
