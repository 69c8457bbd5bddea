/** Other people's programs that tests talk to. */
import { spawnSync } from 'node:child_process';
import { test } from 'vitest';

/**
 * `test`, for tests that need programs: without them they are skipped, but in CI (where they must be installed) they
 * fail and say how to get them.
 */
export function testWith(programs: string | readonly string[], install: string): typeof test.skip {
  const missing = [programs].flat().filter((program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0);
  if (missing.length === 0) return test as unknown as typeof test.skip;
  if (!process.env.CI) return test.skip;
  return ((name: string) =>
    test(name, () => {
      throw new Error(`${missing.join(' and ')} is missing: ${install}`);
    })) as unknown as typeof test.skip;
}
