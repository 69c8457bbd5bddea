/** Other programs that tests need. */
import { spawnSync } from 'node:child_process';
import { test } from 'vitest';

/** Whether a program is installed. */
export function hasTool(program: string): boolean {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0;
}

/**
 * `test`, for tests that need programs. If one is missing, the test is skipped; in CI it fails with the command that
 * installs it.
 * @param unless something else that is missing, if anything
 */
export function testWith(
  programs: string | readonly string[],
  install: string,
  { unless }: { readonly unless?: string | undefined } = {},
): typeof test.skip {
  const missing = [programs].flat().filter((program) => !hasTool(program));
  return testUnless(unless === undefined ? missing : [...missing, unless], install);
}

/** `testWith`, for tests that also need modules of Debian's Python, /usr/bin/python3. */
export function testWithPython(
  modules: readonly string[],
  programs: readonly string[],
  install: string,
): typeof test.skip {
  const { status } = spawnSync('/usr/bin/python3', ['-c', `import ${modules.join(', ')}`]);
  return testWith(programs, install, { unless: status === 0 ? undefined : modules.join(', ') });
}

function testUnless(missing: readonly string[], install: string): typeof test.skip {
  if (missing.length === 0) return test as unknown as typeof test.skip;
  if (!process.env.CI) return test.skip;
  const fail = () => {
    throw new Error(`${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing: ${install}`);
  };
  const failing = (name: string) => test(name, fail);
  return Object.assign(failing, { each: () => failing }) as unknown as typeof test.skip;
}
