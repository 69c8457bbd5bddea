/**
 * The stamp of a build: a hash of everything that dist/ is made from. The build writes it into dist/, and whatever runs
 * the built command compares it with the sources first, so that nothing runs old code.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Contents } from './metafile.ts';

/** What the build records. It does not ship. */
export interface Stamp extends Contents {
  /** From {@link hashOfSources}. */
  readonly hash: string;
}

const root = new URL('..', import.meta.url).pathname;
const stampFile = join(root, 'dist/.stamp');
const inputs = ['src', 'scripts', 'package.json', 'package-lock.json', 'tsconfig.json', 'tsconfig.build.json'];

/** A hash of the names and contents of all files that the build reads. */
export function hashOfSources(): string {
  const hash = createHash('sha256');
  for (const path of inputs.flatMap(filesBelow)) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest('hex');
}

/** Whether dist/ was built from the sources as they are now. */
export function isBuildCurrent(): boolean {
  return readStamp()?.hash === hashOfSources();
}

/** Reads the stamp of dist/. Undefined without a complete build. */
export function readStamp(): Stamp | undefined {
  try {
    return JSON.parse(readFileSync(stampFile, 'utf8')) as Stamp;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Writes the stamp of a complete build. */
export function writeStamp(stamp: Stamp): void {
  writeFileSync(stampFile, `${JSON.stringify(stamp)}\n`);
}

/** Marks dist/ as stale, while its files are being replaced. */
export function removeStamp(): void {
  rmSync(stampFile, { force: true });
}

/** The path itself, or the files in the folder, sorted, relative to the project. */
function filesBelow(path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(root.length)).sort();
}
