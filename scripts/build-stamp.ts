/**
 * The stamp of a build: a hash of everything that dist/ is made from. The build writes it into dist/, and whatever runs
 * the built command compares it with the sources first, so that nothing runs old code.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const root = new URL('..', import.meta.url).pathname;
const stampName = '.stamp';
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

/** Writes the stamp into a folder that holds a build of the sources with this hash. */
export function writeStamp(folder: string, hash: string): void {
  writeFileSync(join(folder, stampName), `${hash}\n`);
}

/** Whether dist/ was built from the sources as they are now. */
export function isBuildCurrent(): boolean {
  try {
    return readFileSync(join(root, 'dist', stampName), 'utf8').trim() === hashOfSources();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
    throw error;
  }
}

/** The path itself, or the files in the folder, sorted, relative to the project. */
function filesBelow(path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  return files.map((entry) => join(entry.parentPath, entry.name).slice(root.length)).sort();
}
