/** Other people's programs that tests talk to. */
import { spawnSync } from 'node:child_process';
import { test } from 'vitest';

/**
 * `test`, for tests that need a program: without it they are skipped, but in CI (where it must be installed) they
 * fail and say how to get it.
 */
export function testWith(program: string, install: string): typeof test.skip {
  const found = spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
  if (found) return test as unknown as typeof test.skip;
  if (!process.env.CI) return test.skip;
  return ((name: string) =>
    test(name, () => {
      throw new Error(`${program} is missing: ${install}`);
    })) as unknown as typeof test.skip;
}
