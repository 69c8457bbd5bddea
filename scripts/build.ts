// Compiles src/ to dist/ with tsc alone, and makes the command executable, so that `npx yodel` works in a clone.
import { execFileSync } from 'node:child_process';
import { chmodSync, rmSync } from 'node:fs';

rmSync('dist', { recursive: true, force: true });
execFileSync('tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
chmodSync('dist/cli/yodel.cjs', 0o755);
