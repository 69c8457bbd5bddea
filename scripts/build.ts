/**
 * Compiles src/ to dist/ with tsc alone, and makes the command executable, so that `npx yodel` works in a clone.
 *
 * Each file is put in its place whole, and none is ever missing: npx builds the package once more when it first runs a
 * clone's command, and what runs from dist/ at that moment should not notice.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const fresh = mkdtempSync('.build-');
try {
  execFileSync('tsc', ['-p', 'tsconfig.build.json', '--outDir', fresh], { stdio: 'inherit' });
  chmodSync(join(fresh, 'cli/yodel.cjs'), 0o755);
  const made = filesBelow(fresh);
  for (const file of made) {
    mkdirSync(dirname(join('dist', file)), { recursive: true });
    renameSync(join(fresh, file), join('dist', file));
  }
  for (const file of filesBelow('dist')) {
    if (!made.includes(file)) rmSync(join('dist', file));
  }
} finally {
  rmSync(fresh, { recursive: true, force: true });
}

function filesBelow(folder: string): string[] {
  mkdirSync(folder, { recursive: true });
  const entries = readdirSync(folder, { recursive: true, encoding: 'utf8' });
  return entries.filter((entry) => statSync(join(folder, entry)).isFile());
}
