/**
 * Runs many command lines in one process, one after another: for tests of what a command prints and its exit status,
 * where it neither listens, connects nor reads stdin. This file is also the program that runs in that process.
 */
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../../src/cli/command-line.ts';
import type { Outcome } from './command.ts';
import { environmentOfTest } from './environment.ts';

export interface CommandLine {
  /** The words after `yodel`. */
  readonly args: readonly string[];
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Default: the current folder. */
  readonly cwd?: string;
}

/** The answer of the process, as a line of JSON. */
interface Printed {
  readonly stdout: string;
  readonly stderr: string;
  readonly status: number;
}

let runner: ((line: CommandLine) => Promise<Printed>) | undefined;

/** The outcome of one command line. */
export async function runLine(args: readonly string[], options: Omit<CommandLine, 'args'> = {}): Promise<Outcome> {
  runner ??= startRunner();
  const printed = await runner({ args, ...options });
  return { ...printed, stdout: Buffer.from(printed.stdout), signal: null };
}

/** The outcome of each command line, in order. */
export async function runLines(lines: readonly CommandLine[]): Promise<Outcome[]> {
  return await Promise.all(lines.map(({ args, ...options }) => runLine(args, options)));
}

/** Starts the process. It ends with its stdin, and so with the process of the tests. */
function startRunner(): (line: CommandLine) => Promise<Printed> {
  const child = spawn(process.execPath, [fileURLToPath(import.meta.url)], {
    stdio: ['pipe', 'pipe', 'inherit'],
    env: environmentOfTest(),
  });
  const waiting: { resolve: (printed: Printed) => void; reject: (error: Error) => void }[] = [];
  createInterface({ input: child.stdout }).on('line', (json) => waiting.shift()?.resolve(JSON.parse(json)));
  child.on('exit', (status, signal) => {
    runner = undefined;
    for (const { reject } of waiting.splice(0)) {
      reject(new Error(`a command line ended the process that ran it: ${signal ?? `status ${status}`}`));
    }
  });
  return (line) =>
    new Promise((resolve, reject) => {
      waiting.push({ resolve, reject });
      child.stdin.write(`${JSON.stringify(line)}\n`);
    });
}

async function runHere({ args, env = {}, cwd }: CommandLine): Promise<Printed> {
  const printed = { stdout: '', stderr: '' };
  const restores = (['stdout', 'stderr'] as const).map((name) => {
    const { write } = process[name];
    process[name].write = (text: unknown, done?: unknown) => {
      printed[name] += String(text);
      if (typeof done === 'function') done();
      return true;
    };
    return () => {
      process[name].write = write;
    };
  });
  const before = { env: { ...process.env }, cwd: process.cwd() };
  Object.assign(process.env, env);
  if (cwd) process.chdir(cwd);
  await runCommandLine(args);
  for (const restore of restores) restore();
  for (const name of Object.keys(process.env)) if (!(name in before.env)) delete process.env[name];
  Object.assign(process.env, before.env);
  process.chdir(before.cwd);
  const status = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { ...printed, status };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  // Each command line adds its listeners.
  for (const stream of [process.stdout, process.stderr]) stream.setMaxListeners(0);
  for await (const line of createInterface({ input: process.stdin })) {
    process.stdout.write(`${JSON.stringify(await runHere(JSON.parse(line) as CommandLine))}\n`);
  }
  process.exit();
}
