/**
 * Builds dist/ from src/: the declarations and the command's first step by tsc, everything else by `bun build`, because a
 * program of two hundred files spends much of its start on finding them: bundled, Node listens in four fifths of the time,
 * Bun in nine tenths (`npm run bench -- --workload start`, the fastest of nine starts). The library and the command share
 * their chunks, so that a class is the same one for a handler file that imports yodel.
 *
 *     node scripts/build.ts           build, unless dist/ is current
 *     node scripts/build.ts --check   only check: exit status 1 when dist/ is stale
 *
 * Files are replaced by renaming, and none is ever missing, so that what runs from dist/ meanwhile does not notice.
 */
import { execFile } from 'node:child_process';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { promisify } from 'node:util';
import { hashOfSources, isBuildCurrent, removeStamp, type Stamp, writeStamp } from './build-stamp.ts';
import { pruneDeclarations } from './declarations.ts';
import { rewriteSourceMap } from './source-maps.ts';

/** What dist/ has at a fixed path: the library, the command, and the programs of further processes and threads. */
const entries = [
  'src/index.ts',
  'src/cli/main.ts',
  'src/cli/serve/worker.ts',
  'src/load/worker.ts',
  'src/journal/writer.ts',
  'src/journal/writer-text.ts',
];

/** The only package that is not bundled, because Bun has its own. */
const external = '--external=ws';

process.chdir(join(import.meta.dirname, '..'));
if (process.argv.includes('--check')) {
  if (!isBuildCurrent()) {
    process.stderr.write('dist/ was built from other sources: npm run build\n');
    process.exitCode = 1;
  }
} else if (!isBuildCurrent()) {
  await build();
}

async function build(): Promise<void> {
  // Taken first: a source that changes meanwhile leaves the build stale.
  const hash = hashOfSources();
  // Beside dist/, so that the relative paths in the source maps stay true.
  const fresh = mkdtempSync('.build-');
  try {
    const [made] = await Promise.all([bundle(fresh), compile(fresh)]);
    for (const file of filesIn(fresh)) if (file.endsWith('.js')) rewriteSourceMap(join(fresh, file), fresh, 'src');
    await embedWriter(fresh);
    pruneDeclarations(fresh, 'index.d.ts', filesIn(fresh));
    // So that `npx yodel` works in a clone.
    chmodSync(join(fresh, 'cli/yodel.cjs'), 0o755);
    replaceDist(fresh);
    writeStamp({ hash, ...made });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Bundles the entries, and returns what the bundle is made of. */
async function bundle(folder: string): Promise<Pick<Stamp, 'packages' | 'imports'>> {
  const metafile = join(folder, 'metafile.json');
  const form = ['--target=node', '--format=esm', '--splitting', '--sourcemap=linked', external];
  const places = ['--root=src', `--outdir=${folder}`, '--chunk-naming=chunks/[name]-[hash].[ext]'];
  await run('bun', ['build', ...entries, ...form, ...places, `--metafile=${metafile}`]);
  const { inputs, outputs } = JSON.parse(readFileSync(metafile, 'utf8')) as Metafile;
  rmSync(metafile);
  const files = sorted(Object.values(outputs).flatMap((output) => Object.keys(output.inputs)));
  // To the bundler its own chunks are external too when they are imported late.
  const imports = files
    .flatMap((file) => inputs[file]?.imports ?? [])
    .filter(({ external, path }) => external && !path.startsWith('.'));
  return { packages: sorted(files.flatMap(packageOf)), imports: sorted(imports.map(({ path }) => path)) };
}

/** As much of the bundler's metafile as is used. */
interface Metafile {
  /** By path: every file that it read. */
  readonly inputs: Readonly<Record<string, { readonly imports: readonly Import[] }>>;
  /** By path: the files that it wrote, each with those whose code is in it. */
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;
}

interface Import {
  readonly path: string;
  readonly external?: boolean;
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

/** `node_modules/@scope/name` of `node_modules/@scope/name/lib/file.js`, also where it is nested; nothing for a file of src/. */
function packageOf(file: string): string[] {
  const [folder] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
  return folder === undefined ? [] : [folder];
}

/** The declarations, and the command's first step, which is CommonJS and not bundled. */
async function compile(folder: string): Promise<void> {
  const script = ['--ignoreConfig', '--target', 'es2024', '--module', 'nodenext', '--noCheck', '--noResolve'];
  await Promise.all([
    run('tsc', ['-p', 'tsconfig.build.json', '--outDir', folder]),
    run('tsc', [...script, '--types', 'node', '--outDir', join(folder, 'cli'), 'src/cli/yodel.cts']),
  ]);
}

/**
 * Fills journal/writer-text.js with the program of the journal's thread in one piece, for a program that a bundler has made
 * one file of: there is no journal/writer.js beside it.
 */
async function embedWriter(folder: string): Promise<void> {
  const text = await run('bun', ['build', 'src/journal/writer.ts', '--target=node', '--format=esm', '--minify']);
  writeFileSync(join(folder, 'journal/writer-text.js'), `export const writerText = ${JSON.stringify(text)};\n`);
  rmSync(join(folder, 'journal/writer-text.js.map'), { force: true });
}

/** Runs a program, and returns what it prints. tsc reports its errors on stdout, bun on stderr. */
async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(command, args)).stdout;
  } catch (error) {
    process.stderr.write((error as { stdout?: string }).stdout ?? '');
    throw error;
  }
}

function replaceDist(fresh: string): void {
  const made = filesIn(fresh);
  removeStamp();
  for (const file of made) {
    mkdirSync(dirname(join('dist', file)), { recursive: true });
    renameSync(join(fresh, file), join('dist', file));
  }
  for (const file of filesIn('dist')) if (!made.includes(file)) rmSync(join('dist', file));
}

function filesIn(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile())
    .map(({ parentPath, name }) => relative(folder, join(parentPath, name)));
}
