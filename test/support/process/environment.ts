/** The environment of the processes that tests start. */
import { expect } from 'vitest';
import { testVariable } from './leftovers.ts';

/** The running test, by which leftovers.ts reports processes that outlive it. */
export function nameOfTest(): string {
  const { currentTestName = 'none', testPath = '' } = expect.getState();
  return `${testPath.replace(/.*\/test\//, '')} > ${currentTestName}`;
}

/**
 * The environment of vitest, without the variables that configure yodel, and with the name of the test.
 */
export function environmentOfTest(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  return { ...process.env, YODEL_LISTEN: undefined, NO_COLOR: undefined, [testVariable]: nameOfTest(), ...more };
}
