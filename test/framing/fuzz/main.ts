/**
 * The long form of the fuzz: `npm run fuzz -- [--seconds 60] [--seed N] [--only NAME]`, on Bun `bun test/framing/fuzz/main.ts`.
 * Prints a failure with the seed that repeats it, and exits with 1.
 */
import { parseArgs } from 'node:util';
import { fuzz, fuzzed } from './fuzz.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: '60' },
    seed: { type: 'string' },
    only: { type: 'string' },
  },
});
const runs = 200;
const chosen = fuzzed.filter(({ name }) => values.only === undefined || name === values.only);
if (chosen.length === 0)
  throw new Error(`no framing is named ${values.only}; known: ${fuzzed.map(({ name }) => name)}`);
const end = Date.now() + Number(values.seconds) * 1000;
let seed = values.seed === undefined ? Math.trunc(Math.random() * 2 ** 31) : Number(values.seed);
let cases = 0;
do {
  for (const subject of chosen) {
    const failure = fuzz(subject, runs, seed);
    if (failure !== undefined) {
      process.stderr.write(`${failure}\n`);
      process.stderr.write(`repeat it with: npm run fuzz -- --only '${subject.name}' --seed ${seed}\n`);
      process.exit(1);
    }
    cases += runs;
  }
  seed++;
} while (values.seed === undefined && Date.now() < end);
process.stdout.write(`${cases} cases of ${chosen.length} framings, the last with seed ${seed - 1}: no difference\n`);
