/**
 * Runs many command lines in one process, one after the other: where all that matters is what each of them says and its
 * exit status, and none listens, connects or reads its input. As a program it is the process that runs them.
 */
import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { runCommandLine } from '../../src/cli/command-line.ts';
import type { Outcome } from './command.ts';

/** The words behind `yodel`, and what is set for them in the environment. */
export interface CommandLine {
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** The outcome of each, in their order. */
export function runLines(lines: readonly CommandLine[]): Outcome[] {
  const json = execFileSync(process.execPath, [fileURLToPath(import.meta.url)], {
    input: JSON.stringify(lines),
    encoding: 'utf8',
    env: { ...process.env, YODEL_LISTEN: undefined, NO_COLOR: undefined },
    timeout: 60_000,
  });
  const said = JSON.parse(json) as { stdout: string; stderr: string; status: number }[];
  return said.map((one) => ({ ...one, stdout: Buffer.from(one.stdout), signal: null }));
}

async function runHere({ args, env = {} }: CommandLine): Promise<{ stdout: string; stderr: string; status: unknown }> {
  const said = { stdout: '', stderr: '' };
  const writes = (['stdout', 'stderr'] as const).map((name) => {
    const { write } = process[name];
    process[name].write = (text: unknown, done?: unknown) => {
      said[name] += String(text);
      if (typeof done === 'function') done();
      return true;
    };
    return () => {
      process[name].write = write;
    };
  });
  const environment = { ...process.env };
  Object.assign(process.env, env);
  await runCommandLine(args);
  for (const restore of writes) restore();
  for (const name of Object.keys(process.env)) if (!(name in environment)) delete process.env[name];
  Object.assign(process.env, environment);
  const status = process.exitCode;
  process.exitCode = 0;
  return { ...said, status };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  let input = '';
  for await (const chunk of process.stdin) input += chunk;
  const outcomes: unknown[] = [];
  for (const line of JSON.parse(input) as CommandLine[]) outcomes.push(await runHere(line));
  process.stdout.write(JSON.stringify(outcomes));
}
