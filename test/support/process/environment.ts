/** The environment of the processes that tests start. */
import { expect } from 'vitest';
import { testVariable } from './leftovers.ts';

/**
 * The environment of vitest, without the variables that configure yodel, and with the name of the test, by which
 * leftovers.ts reports processes that outlive it.
 */
export function environmentOfTest(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { currentTestName = 'none', testPath = '' } = expect.getState();
  const test = `${testPath.replace(/.*\/test\//, '')} > ${currentTestName}`;
  return { ...process.env, YODEL_LISTEN: undefined, NO_COLOR: undefined, [testVariable]: test, ...more };
}
