/**
 * Builds dist/ from src/. tsc makes the declarations and the command's first step, `bun build` bundles the rest: a program
 * of two hundred files spends much of its start finding them. Bundled, Node listens in four fifths of the time, Bun in nine
 * tenths (`npm run bench -- --workload start`, fastest of nine starts). The library and the command share their chunks, so
 * that a handler file that imports yodel gets the same classes.
 *
 *     npm run build               build, unless dist/ is current
 *     npm run build -- --check    only check: exit status 1 if dist/ is stale
 *
 * Files are replaced by renaming, so that a program that starts meanwhile finds each of them whole.
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
import { rewriteBuiltinImports } from './builtin-modules.ts';
import { pruneDeclarations } from './declarations.ts';
import { rewriteSourceMap } from './source-maps.ts';

/** Files with a fixed path in dist/: the library, the command, and the programs of worker processes and threads. */
const entries = [
  'src/index.ts',
  'src/cli/main.ts',
  'src/cli/serve/worker.ts',
  'src/load/worker.ts',
  'src/journal/writer.ts',
  'src/journal/writer-text.ts',
];

/** The only package that is not bundled: Bun has its own. */
const external = '--external=ws';

process.chdir(join(import.meta.dirname, '..'));
if (process.argv.includes('--check')) {
  if (!isBuildCurrent()) {
    process.stderr.write('dist/ is stale: npm run build\n');
    process.exitCode = 1;
  }
} else if (!isBuildCurrent()) {
  await build();
}

async function build(): Promise<void> {
  // First, so that a source that changes during the build leaves it stale.
  const hash = hashOfSources();
  // Beside dist/, so that relative paths in the source maps stay valid.
  const fresh = mkdtempSync('.build-');
  try {
    const [made] = await Promise.all([bundle(fresh), compile(fresh)]);
    for (const file of filesIn(fresh).filter((name) => name.endsWith('.js'))) {
      rewriteSourceMap(join(fresh, file), fresh, 'src');
      rewriteBuiltinImports(join(fresh, file));
    }
    await embedWriter(fresh);
    await writeHelp(fresh);
    pruneDeclarations(fresh, 'index.d.ts', filesIn(fresh));
    // So that `npx yodel` works in a clone.
    chmodSync(join(fresh, 'cli/yodel.cjs'), 0o755);
    replaceDist(fresh);
    writeStamp({ hash, ...made });
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
}

/** Bundles the entries and returns what the bundle consists of. */
async function bundle(folder: string): Promise<Pick<Stamp, 'packages' | 'imports'>> {
  const metafile = join(folder, 'metafile.json');
  const form = ['--target=node', '--format=esm', '--splitting', '--sourcemap=linked', external];
  const places = ['--root=src', `--outdir=${folder}`, '--chunk-naming=chunks/[name]-[hash].[ext]'];
  await run('bun', ['build', ...entries, ...form, ...places, `--metafile=${metafile}`]);
  const { inputs, outputs } = JSON.parse(readFileSync(metafile, 'utf8')) as Metafile;
  rmSync(metafile);
  const files = sorted(Object.values(outputs).flatMap((output) => Object.keys(output.inputs)));
  // Bun also calls its own chunks external where they are imported dynamically.
  const imports = files
    .flatMap((file) => inputs[file]?.imports ?? [])
    .filter(({ external, path }) => external && !path.startsWith('.'));
  return { packages: sorted(files.flatMap(packageOf)), imports: sorted(imports.map(({ path }) => path)) };
}

/** The part of Bun's metafile that is used here. */
interface Metafile {
  /** Files read, by path. */
  readonly inputs: Readonly<Record<string, { readonly imports: readonly Import[] }>>;
  /** Files written, by path, with the files whose code they contain. */
  readonly outputs: Readonly<Record<string, { readonly inputs: Readonly<Record<string, unknown>> }>>;
}

interface Import {
  readonly path: string;
  readonly external?: boolean;
}

function sorted(names: readonly string[]): string[] {
  return [...new Set(names)].sort();
}

/** The package folder of a file, such as `node_modules/@scope/name`, nested or not; none for a file of src/. */
function packageOf(file: string): string[] {
  const [folder] = /^.*\bnode_modules\/(?:@[^/]+\/)?[^/]+/.exec(file) ?? [];
  return folder === undefined ? [] : [folder];
}

/** Compiles the declarations and the command's first step, which is CommonJS and not bundled. */
async function compile(folder: string): Promise<void> {
  const script = ['--ignoreConfig', '--target', 'es2024', '--module', 'nodenext', '--noCheck', '--noResolve'];
  await Promise.all([
    run('tsc', ['-p', 'tsconfig.build.json', '--outDir', folder]),
    run('tsc', [...script, '--types', 'node', '--outDir', join(folder, 'cli'), 'src/cli/yodel.cts']),
  ]);
}

/** Puts the program of the journal's thread into journal/writer-text.js, in one piece: see src/journal/writer-text.ts. */
async function embedWriter(folder: string): Promise<void> {
  const text = await run('bun', ['build', 'src/journal/writer.ts', '--target=node', '--format=esm', '--minify']);
  writeFileSync(join(folder, 'journal/writer-text.js'), `export const writerText = ${JSON.stringify(text)};\n`);
  rmSync(join(folder, 'journal/writer-text.js.map'), { force: true });
}

/** Writes the help beside the command's first step, which prints it. */
async function writeHelp(folder: string): Promise<void> {
  const { helpTexts } = await import('./help-texts.ts');
  writeFileSync(join(folder, 'cli/help.json'), JSON.stringify(await helpTexts()));
}

/** Runs an installed program and returns its stdout. On failure prints that too: tsc reports errors there. */
async function run(command: string, args: readonly string[]): Promise<string> {
  try {
    return (await promisify(execFile)(join('node_modules/.bin', command), args)).stdout;
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
