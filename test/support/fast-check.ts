/**
 * fast-check, with random inputs that are the same in every run: a commit that has passed once passes again. `TEST_SEED=random`
 * or `TEST_SEED=7` tries others (`npm run test:random`).
 */
import fc from 'fast-check';

const chosen = process.env.TEST_SEED ?? '1';

/** What random tests begin with. A failure prints it. */
export const testSeed = chosen === 'random' ? Math.trunc(Math.random() * 2 ** 31) : Number(chosen);
if (!Number.isInteger(testSeed)) throw new Error(`TEST_SEED takes a whole number or "random", got "${chosen}"`);

fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: testSeed });

export { fc };
