/** Runs `npm run bench` in its quick form, and reads what it wrote. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from './files.ts';
import { type Outcome, run } from './process/command.ts';
import { testWith } from './tools.ts';

export const root: string = new URL('../../', import.meta.url).pathname;

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

export interface Results {
  readonly tables: readonly Table[];
  /** All raw values. */
  readonly runs: readonly {
    readonly round: number;
    readonly slice: number;
    readonly workload: string;
    readonly contender: string;
    readonly value?: number;
    readonly abuse?: {
      readonly [phase in 'alone' | 'elsewhere' | 'beside']: Readonly<Record<'p50' | 'p99' | 'max', number>>;
    } & { readonly attackRate: number };
  }[];
}

export interface Table {
  readonly workload: { readonly name: string; readonly ratio: boolean };
  readonly rows: readonly {
    readonly contender: string;
    readonly value: Spread | null;
    readonly ratio: Spread | null;
    readonly p50: number | null;
    readonly p99: number | null;
    readonly added: { readonly p50: number; readonly p99: number } | null;
    readonly processor: {
      readonly servers: number;
      readonly engine: number | null;
      readonly engineToServers: Spread | null;
    } | null;
    readonly loaded: { readonly timesP50: Spread; readonly timesP99: Spread } | null;
    readonly remarks: readonly string[];
  }[];
}

export interface Benchmark extends Results {
  readonly folder: string;
  readonly outcome: Outcome;
  /** The page of tables. */
  readonly page: string;
}

/** Runs the benchmark as its script does, and returns what it wrote. The workloads and the contenders are separated by commas. */
export async function benchmark(
  workloads: string,
  contenders: string,
  env: NodeJS.ProcessEnv = {},
  more: string[] = [],
  folder = temporaryFolder(),
): Promise<Benchmark> {
  const outcome = await run(benchmarkCommand(workloads, contenders, '--output', folder, ...more), {
    cwd: root,
    env,
    hasChildren: true,
  });
  expect(outcome.status, outcome.stderr).toBe(0);
  const { tables, runs } = JSON.parse(readFileSync(join(folder, 'results.json'), 'utf8')) as Results;
  return { folder, outcome, tables, runs, page: readFileSync(join(folder, 'README.md'), 'utf8') };
}

export function benchmarkCommand(workloads: string, contenders: string, ...more: string[]): [string, ...string[]] {
  const choice = ['--workload', workloads, '--contender', contenders];
  return [process.execPath, 'bench/bench.ts', '--quick', ...choice, ...more];
}

/** Whether the load generator can be built with TLS. */
export function hasLibssl(): boolean {
  return spawnSync('gcc', ['-E', '-x', 'c', '-include', 'openssl/ssl.h', '/dev/null']).status === 0;
}

/** `test`, for tests in which the load generator speaks TLS, and that need these programs; see {@link testWith}. */
export function testWithLibssl(...programs: readonly string[]): typeof test.skip {
  const needed = ['gcc', 'openssl', ...programs];
  const install = 'apt-get install gcc libc6-dev openssl libssl-dev nginx libnginx-mod-stream';
  if (hasLibssl()) return testWith(needed, install);
  if (!process.env.CI) return test.skip;
  const failing = (name: string) =>
    test(name, () => {
      throw new Error(`the headers of OpenSSL are missing: ${install}`);
    });
  return failing as unknown as typeof test.skip;
}
