/** The environment of the processes that tests start. */
import { expect } from 'vitest';
import { testVariable } from './leftovers.ts';

/** The environment of the tests, without what would change what yodel does. The processes in it can be found if they outlive their test. */
export function environmentOfTest(more: NodeJS.ProcessEnv = {}): NodeJS.ProcessEnv {
  const { currentTestName = 'none', testPath = '' } = expect.getState();
  const test = `${testPath.replace(/.*\/test\//, '')} > ${currentTestName}`;
  return { ...process.env, YODEL_LISTEN: undefined, NO_COLOR: undefined, [testVariable]: test, ...more };
}
