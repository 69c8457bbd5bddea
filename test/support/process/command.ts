/** Runs the built command, on the runtime that runs the tests. */
import { type ChildProcess, spawn } from 'node:child_process';
import { onTestFinished } from 'vitest';
import { environmentOfTest } from './environment.ts';

/** The built command. current-build.ts keeps it current. */
export const commandPath: string = new URL('../../../dist/cli/yodel.cjs', import.meta.url).pathname;

export interface RunOptions {
  /** Written to stdin, which is then closed. Default: nothing. */
  readonly input?: string | Uint8Array;
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  /** Whether the program starts others, which are killed with it. */
  readonly hasChildren?: boolean;
  /** Where stdout goes instead of the outcome: a file descriptor, or nowhere. */
  readonly stdout?: number | 'ignore';
}

export interface Outcome {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs `yodel ARGS` to its end. */
export async function yodel(args: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  return await run([process.execPath, commandPath, ...args], options);
}

/** Runs any program to its end. */
export async function run(program: readonly [string, ...string[]], options: RunOptions = {}): Promise<Outcome> {
  const child = start(program, options);
  child.process.stdin?.end(options.input ?? '');
  return await child.ended;
}

/** A running program. It is killed when the test ends. */
export interface Running {
  readonly process: ChildProcess;
  readonly pid: number;
  stdout(): string;
  stderr(): string;
  /** The output so far, byte for byte. */
  bytes(): { readonly stdout: Buffer; readonly stderr: Buffer };
  /** Resolves with the match when the pattern is in stderr and stdout together. Rejects when the program ends without it. */
  saw(pattern: RegExp): Promise<RegExpExecArray>;
  readonly ended: Promise<Outcome>;
  /** Sends a signal (default: SIGTERM) and waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<Outcome>;
}

/** Starts any program, with pipes to it. */
export function start([file, ...args]: readonly [string, ...string[]], options: RunOptions = {}): Running {
  const child = spawn(file, args, {
    cwd: options.cwd,
    env: environmentOfTest(options.env),
    stdio: ['pipe', options.stdout ?? 'pipe', 'pipe'],
    detached: options.hasChildren ?? false,
  });
  // Input for a program that has ended is lost, which is not an error of the test.
  child.stdin?.on('error', () => undefined);
  const out: Buffer[] = [];
  const err: Buffer[] = [];
  let watchers: (() => void)[] = [];
  const notify = () => {
    for (const look of watchers) look();
  };
  child.stdout?.on('data', (chunk: Buffer) => out.push(chunk) && notify());
  child.stderr?.on('data', (chunk: Buffer) => err.push(chunk) && notify());
  const text = (chunks: Buffer[]) => Buffer.concat(chunks).toString();
  const ended = new Promise<Outcome>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) => {
      resolve({ status, signal, stdout: Buffer.concat(out), stderr: text(err) });
    });
  });
  ended.catch(() => undefined);
  const running: Running = {
    process: child,
    pid: child.pid ?? 0,
    stdout: () => text(out),
    stderr: () => text(err),
    bytes: () => ({ stdout: Buffer.concat(out), stderr: Buffer.concat(err) }),
    saw: (pattern) =>
      new Promise((resolve, reject) => {
        const look = () => {
          const match = pattern.exec(`${text(err)}\n${text(out)}`);
          if (!match) return;
          watchers = watchers.filter((one) => one !== look);
          resolve(match);
        };
        watchers.push(look);
        look();
        const gone = () => {
          look();
          reject(new Error(`${file} ended without printing ${pattern}; it printed:\n${text(err)}\n${text(out)}`));
        };
        ended.then(gone, reject);
      }),
    ended,
    stop(signal = 'SIGTERM') {
      child.kill(signal);
      return ended;
    },
  };
  const exited = new Promise((resolve) => child.on('exit', resolve).on('error', resolve));
  onTestFinished(async ({ task }) => {
    if (task.result?.state === 'fail') reportProcess([file, ...args], running);
    if (options.hasChildren && child.pid) killGroup(child.pid);
    else child.kill('SIGKILL');
    await exited;
  });
  return running;
}

/** Prints the state and the output of a process when its test has failed: the reason may be there. */
function reportProcess(words: readonly string[], { process: { exitCode, signalCode }, stdout, stderr }: Running): void {
  const state = signalCode ?? (exitCode === null ? 'still running' : `exit status ${exitCode}`);
  const output = [stderr(), stdout()].map((text) => text.slice(-2000)).filter((text) => text !== '');
  const command = words.join(' ').slice(0, 500);
  process.stderr.write(`${command}\n(${state}) printed:\n${output.join('\n') || 'nothing'}\n\n`);
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // All of them have ended.
  }
}

/** A running `yodel serve`. */
export interface RunningServer extends Running {
  /** As printed: `tcp://127.0.0.1:40123`. */
  readonly address: string;
  readonly port: number;
}

/**
 * Starts `yodel serve ARGS` on a free port, unless the arguments name an address, and waits until it listens. Its log is
 * text, as on a terminal, unless the environment of `options` says otherwise.
 */
export async function serve(args: readonly string[] = [], options: RunOptions = {}): Promise<RunningServer> {
  const listen = args.includes('--listen') ? [] : ['--listen', '127.0.0.1:0'];
  const env = { YODEL_LOG_FORMAT: 'text', ...options.env };
  const running = start([process.execPath, commandPath, 'serve', ...args, ...listen], { ...options, env });
  const [, address = ''] = await running.saw(/listening on (\S+)/);
  return { ...running, address, port: Number(/:(\d+)$/.exec(address)?.[1] ?? 0) };
}
