/** Runs before each test: a process that the test starts with the environment it has inherits the name of the test, too. */
import { beforeEach } from 'vitest';
import { nameOfTest } from './environment.ts';
import { testVariable } from './leftovers.ts';

beforeEach(() => {
  process.env[testVariable] = nameOfTest();
});
