/** Reduces the declarations to those that the exported modules reach, with import paths that any TypeScript resolves. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** An imported file: `from './message.ts'`, `import('./message.ts')`, `import './message.ts'`. */
const specifier = /((?:\bfrom|\bimport)\s*\(?\s*)'(\.[^']+)\.ts'/g;

/**
 * Removes the declarations that no entry reaches, and their maps.
 *
 * @param folder the folder of the files
 * @param entries relative to the folder, such as `index.d.ts`
 * @param files all files of the folder, relative to it
 */
export function pruneDeclarations(folder: string, entries: readonly string[], files: readonly string[]): void {
  const reached = new Set<string>();
  for (const entry of entries) follow(folder, entry, reached);
  for (const file of files) {
    if (/\.d\.ts(\.map)?$/.test(file) && !reached.has(file.replace(/\.map$/, ''))) rmSync(join(folder, file));
  }
}

function follow(folder: string, file: string, reached: Set<string>): void {
  if (reached.has(file)) return;
  reached.add(file);
  const text = readFileSync(join(folder, file), 'utf8');
  for (const [, , name] of text.matchAll(specifier)) follow(folder, join(dirname(file), `${name}.d.ts`), reached);
  // tsc leaves `.ts` in declarations. `.js` is as long, so that the map stays valid.
  writeFileSync(join(folder, file), text.replace(specifier, "$1'$2.js'"));
}
