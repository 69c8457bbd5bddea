/** Builds the contenders and the load generator, and finds out which tools are missing. */
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Command, type Contender, certificate } from './contenders.ts';
import { capture } from './processes.ts';
import { gcc, libssl, openssl, type Tool } from './tools.ts';
import type { Workload } from './workloads.ts';

/** All build products; ignored by git. */
export const buildFolder: string = fileURLToPath(new URL('build', import.meta.url));
export const loadGenerator: string = join(buildFolder, 'load');

const here = fileURLToPath(new URL('.', import.meta.url));

export interface LeftOut {
  readonly contender: Contender;
  readonly reason: string;
}

export interface LeftOutWorkload {
  readonly workload: Workload;
  readonly reason: string;
}

export interface Built {
  readonly contenders: readonly Contender[];
  readonly workloads: readonly Workload[];
  readonly leftOut: readonly LeftOut[];
  readonly leftOutWorkloads: readonly LeftOutWorkload[];
  /** Maps a tool or crate to its version. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * Builds the load generator and the given contenders, and what the workloads need. A contender or workload for which
 * something is missing is left out, with the reason.
 *
 * @throws Error when the load generator cannot be built, because nothing can be measured without it
 */
export async function build(selected: readonly Contender[], planned: readonly Workload[] = []): Promise<Built> {
  mkdirSync(buildFolder, { recursive: true });
  const versions: Record<string, string> = {};
  await buildLoadGenerator(versions);

  const workloads: Workload[] = [];
  const leftOutWorkloads: LeftOutWorkload[] = [];
  for (const workload of planned) {
    const reason = await whyNotMeasured(workload, versions);
    if (reason) leftOutWorkloads.push({ workload, reason });
    else workloads.push(workload);
  }
  const failure = workloads.some(({ needs }) => needs?.includes(openssl)) && (await makeCertificate());
  if (failure) throw new Error(`the certificate cannot be made: ${failure}`);

  const contenders: Contender[] = [];
  const leftOut: LeftOut[] = [];
  for (const contender of selected) {
    const reason = await whyNot(contender, versions);
    if (reason) leftOut.push({ contender, reason });
    else contenders.push(contender);
  }
  return { contenders, workloads, leftOut, leftOutWorkloads, versions };
}

/** Without the library for TLS it is built without TLS. */
async function buildLoadGenerator(versions: Record<string, string>): Promise<void> {
  const noGcc = await missing(gcc, versions);
  if (noGcc) throw new Error(`the load generator needs a C compiler: ${noGcc}`);
  const [flags, libraries] = (await missing(libssl, versions)) ? [[], []] : [['-DWITH_TLS'], ['-lssl', '-lcrypto']];
  const failure = await compile(
    ['gcc', '-O2', ...flags, '-o', fresh(loadGenerator), `${here}load/load.c`, ...libraries],
    loadGenerator,
  );
  if (failure) throw new Error(`the load generator cannot be built: ${failure}`);
}

async function whyNotMeasured({ needs = [] }: Workload, versions: Record<string, string>): Promise<string | undefined> {
  for (const tool of needs) {
    const reason = await missing(tool, versions);
    if (reason) return reason;
  }
  return undefined;
}

/** Makes the self-signed certificate of all TLS servers, and its key, in one file. Returns what went wrong, if anything did. */
async function makeCertificate(): Promise<string | undefined> {
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const files = ['-keyout', fresh(certificate), '-out', fresh(certificate)];
  return await compile(
    ['openssl', 'req', '-x509', ...key, '-days', '2', '-subj', '/CN=localhost', ...files],
    certificate,
  );
}

/** Finds the tools of a contender and builds it. Returns the reason if it cannot take part. */
async function whyNot({ name, tools, build: recipe }: Contender, versions: Record<string, string>) {
  for (const tool of tools) {
    const reason = await missing(tool, versions);
    if (reason) return reason;
  }
  if (!recipe) return undefined;
  const source = here + recipe.source;
  const product = join(buildFolder, name);
  switch (recipe.by) {
    case 'gcc':
      return await compile(['gcc', '-O3', '-o', fresh(product), source], product);
    case 'rustc':
      return await compile(['rustc', '-C', 'opt-level=3', '-o', fresh(product), source], product);
    case 'go':
      return await compile(['go', 'build', '-o', fresh(product), source], product);
    case 'cargo':
      return await buildCrate(source, name, versions);
  }
}

/** Records the tool's version, or returns how to install it. */
async function missing(tool: Tool, versions: Record<string, string>): Promise<string | undefined> {
  if (versions[tool.name] !== undefined) return undefined;
  const { status, stdout, stderr } = await capture(tool.version, { withinMs: 20_000 });
  if (status !== 0) return `no ${tool.name}: ${tool.install}`;
  versions[tool.name] = /\d+(\.\d+)+[\w.+-]*/.exec(stdout + stderr)?.[0] ?? 'unknown';
  return undefined;
}

/** A product is written here first and renamed into place, so that a running copy is not disturbed. */
const fresh = (product: string) => `${product}.${process.pid}`;

/** Runs a program that writes a product. Returns what went wrong, if anything did. */
async function compile(command: Command, product: string): Promise<string | undefined> {
  const reason = await fails(command);
  if (!reason) renameSync(fresh(product), product);
  return reason;
}

async function fails(command: Command, cwd?: string): Promise<string | undefined> {
  const { status, stderr, timedOut } = await capture(command, { withinMs: 180_000, ...(cwd ? { cwd } : {}) });
  if (timedOut) return `${command[0]} took longer than three minutes`;
  if (status === 0) return undefined;
  const lines = stderr.trim().split('\n');
  return `${command[0]} failed: ${lines.find((line) => /error/i.test(line)) ?? lines.at(-1) ?? `status ${status}`}`;
}

/** The crates of Debian's packages. They are preferred because they need no network. */
const debianCrates = '/usr/share/cargo/registry';

/** Builds a copy, so that cargo does not write among the sources. */
async function buildCrate(source: string, name: string, versions: Record<string, string>) {
  const product = join(buildFolder, name);
  const folder = join(buildFolder, 'crates', name);
  cpSync(source, folder, { recursive: true, preserveTimestamps: true });
  const hasCrates =
    existsSync(debianCrates) && readdirSync(debianCrates).some((crate) => crate.startsWith('tokio-util-'));
  const offline = [
    '--offline',
    ...['--config', 'source.crates-io.replace-with="debian"'],
    ...['--config', `source.debian.directory="${debianCrates}"`],
  ];
  const reason = await fails(['cargo', 'build', '--release', ...(hasCrates ? offline : [])], folder);
  if (reason) return reason;
  cpSync(join(folder, 'target', 'release', name), fresh(product));
  renameSync(fresh(product), product);
  const lock = readFileSync(join(folder, 'Cargo.lock'), 'utf8');
  for (const crate of ['tokio', 'tokio-util']) {
    versions[crate] = new RegExp(`name = "${crate}"\nversion = "(.*)"`).exec(lock)?.[1] ?? 'unknown';
  }
  return undefined;
}
