/**
 * `npm run test:soak`: both runtimes under a mixed load with faults, 30 minutes by default.
 *
 *     node test/soak/main.ts [--seconds 1800] [--seed N] [--runtime node,bun] [--clients 35]
 *
 * SOAK_SECONDS and SOAK_SEED do the same. Ends with status 1 if anything was wrong.
 */
import { execFileSync } from 'node:child_process';
import { parseArgs } from 'node:util';
import { isBuildCurrent } from '../../scripts/build-stamp.ts';
import type { Runtime } from './servers.ts';
import { soak } from './soak.ts';

const { values } = parseArgs({
  options: {
    seconds: { type: 'string', default: process.env.SOAK_SECONDS ?? '1800' },
    seed: { type: 'string', default: process.env.SOAK_SEED ?? `${Math.floor(Math.random() * 2 ** 32)}` },
    runtime: { type: 'string', default: 'node,bun' },
    clients: { type: 'string', default: '35' },
  },
});
const [seconds, seed, clients] = [values.seconds, values.seed, values.clients].map(Number) as [number, number, number];
const runtimes = values.runtime.split(',') as Runtime[];
if (
  !(seconds > 0 && clients > 0) ||
  !Number.isInteger(seed) ||
  runtimes.some((one) => one !== 'node' && one !== 'bun')
) {
  process.stderr.write(
    'soak: --seconds and --clients are numbers above 0, --seed is a whole number, --runtime node,bun\n',
  );
  process.exit(2);
}
if (!isBuildCurrent()) execFileSync('npm', ['run', 'build'], { stdio: ['ignore', 'ignore', 'inherit'] });

process.stdout.write(`seed ${seed}, ${seconds} s, ${clients} clients on ${runtimes.join(' and ')}\n`);
const results = await Promise.all(
  runtimes.map((runtime) =>
    soak({ runtime, seconds, seed, clients, progress: (line) => process.stderr.write(`${runtime}: ${line}\n`) }),
  ),
);
for (const { runtime, problems, growth, actions, ...rest } of results) {
  const done = Object.entries(actions).map(([name, count]) => `${name} ${count}`);
  process.stdout.write(
    `\n${runtime}: ${rest.connections} connections, ${rest.messages} messages, ${rest.reloads} reloads`,
  );
  process.stdout.write(`; excused after a stall: ${rest.excused}\n  ${done.join(', ')}\n`);
  for (const line of growth) process.stdout.write(`  ${line}\n`);
  for (const line of problems) process.stdout.write(`  WRONG: ${line}\n`);
}
const isRight = results.every(({ problems }) => problems.length === 0);
process.stdout.write(
  isRight ? '\nall right\n' : `\nwrong; to repeat: --seed ${seed} --seconds ${seconds} --clients ${clients}\n`,
);
process.exit(isRight ? 0 : 1);
