/** Keeps the declarations that a program can reach from index.d.ts, in the spelling that every TypeScript takes. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What a declaration file names: `from './message.ts'`, `import('./message.ts')`, `import './message.ts'`. */
const specifier = /((?:\bfrom|\bimport)\s*\(?\s*)'(\.[^']+)\.ts'/g;

/**
 * Removes from `files` the declarations that `entry` does not reach, with their maps.
 *
 * @param folder where the files are
 * @param entry such as `index.d.ts`
 */
export function pruneDeclarations(folder: string, entry: string, files: readonly string[]): void {
  const reached = new Set<string>();
  follow(folder, entry, reached);
  for (const file of files) {
    if (/\.d\.ts(\.map)?$/.test(file) && !reached.has(file.replace(/\.map$/, ''))) rmSync(join(folder, file));
  }
}

function follow(folder: string, file: string, reached: Set<string>): void {
  if (reached.has(file)) return;
  reached.add(file);
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, , name] of text.matchAll(specifier)) follow(folder, join(dirname(file), `${name}.d.ts`), reached);
  // tsc leaves `.ts` in its declarations: as long as `.js`, so that the map stays true.
  writeFileSync(join(folder, file), text.replace(specifier, "$1'$2.js'"));
}
