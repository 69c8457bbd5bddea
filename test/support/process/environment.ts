/** The environment of the processes that tests start. */
import { expect } from 'vitest';
import { testVariable } from './leftovers.ts';

/** The running test, by which leftovers.ts reports processes that outlive it. */
export function nameOfTest(): string {
  const { currentTestName = 'none', testPath = '' } = expect.getState();
  return `${testPath.replace(/.*\/test\//, '')} > ${currentTestName}`;
}

/**
 * The environment of vitest, without the variables that configure yodel or the tests, and with the name of the test.
 */
export function environmentOfTest(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  // yodel warns about variables with its prefix that it does not know.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith('YODEL_TEST_'));
  return {
    ...Object.fromEntries(own),
    YODEL_LISTEN: undefined,
    NO_COLOR: undefined,
    [testVariable]: nameOfTest(),
    ...more,
  };
}
