/** Child processes that end with this one, together with their own children. */
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Running children. Each leads a process group that contains its own children. */
const leaders = new Set<number>();

/** The children's environment: the project's own Node and Bun first on the path, daemons included, and no yodel settings of the user. */
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
  /** Resolves with the exit status, or undefined if a signal ended it. Never rejects. */
  readonly ended: Promise<number | undefined>;
  /** Whether it has ended. */
  hasEnded(): boolean;
  /** Kills it with all its children and waits until it has exited. */
  kill(): Promise<void>;
}

export interface StartOptions {
  /** Destination of stdout and stderr: pipes, or a file descriptor. */
  readonly output?: 'pipe' | number;
  readonly input?: 'pipe' | 'ignore';
  readonly cwd?: string;
}

/** Starts a program as the leader of its own process group. */
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
  // The program may close its input early (EPIPE); its output and status show that.
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
      // Again, for children that were started in between.
      killGroup(pid);
      leaders.delete(pid);
    },
  };
}

export interface Outcome {
  /** Undefined if a signal or the time limit ended it. */
  readonly status: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
  readonly timedOut: boolean;
}

/** Runs a program until it exits or the time limit ends it. Never rejects: a missing program has status 127. */
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
    // The program was killed or does not exist: return what it had printed.
  }
  return Buffer.concat(chunks).toString();
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // ESRCH: the whole group has exited.
  }
}
