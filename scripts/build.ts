/**
 * Makes dist/ of src/: types and the command's first step by tsc, everything else bundled by `bun build`, for a program
 * of a hundred files spends much of its start with finding them: bundled, Node listens in four fifths of the time, Bun in
 * nine tenths (`npm run bench -- --workload start`, the fastest of nine starts).
 * The library and the command share their chunks, so that a class is the same one for a handler file that imports yodel.
 *
 * Each file is put in its place whole, and none is ever missing: npx builds the package once more when it first runs a
 * clone's command, and what runs from dist/ at that moment should not notice.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { hashOfSources, isBuildCurrent, writeStamp } from './build-stamp.ts';

if (process.argv.includes('--if-stale') && isBuildCurrent()) process.exit();

// Taken before the build: a source that changes meanwhile leaves the build stale.
const hash = hashOfSources();

const fresh = mkdtempSync('.build-');
try {
  execFileSync('tsc', ['-p', 'tsconfig.build.json', '--outDir', fresh], { stdio: 'inherit' });
  for (const file of filesBelow(fresh)) if (/\.js(\.map)?$/.test(file)) rmSync(join(fresh, file));
  bundle(['src/index.ts', 'src/cli/main.ts', 'src/cli/serve/worker.ts', 'src/load/worker.ts', 'src/journal/writer.ts']);
  // So that `npx yodel` works in a clone.
  chmodSync(join(fresh, 'cli/yodel.cjs'), 0o755);
  const made = filesBelow(fresh);
  for (const file of made) {
    mkdirSync(dirname(join('dist', file)), { recursive: true });
    renameSync(join(fresh, file), join('dist', file));
  }
  for (const file of filesBelow('dist')) {
    if (!made.includes(file)) rmSync(join('dist', file));
  }
  writeStamp('dist', hash);
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

function bundle(entries: readonly string[]): void {
  const form = ['--target=node', '--format=esm', '--splitting', '--sourcemap=linked'];
  const places = ['--root=src', `--outdir=${fresh}`, '--chunk-naming=chunks/[name]-[hash].[ext]'];
  // Bun has a ws of its own in place of the package.
  execFileSync('bun', ['build', ...entries, ...form, ...places, '--external=ws'], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
}

function filesBelow(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return entries.filter((entry) => statSync(join(folder, entry)).isFile());
}
