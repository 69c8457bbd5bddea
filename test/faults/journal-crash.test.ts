/** kill -9 under load. `npm run test:crash` repeats it a hundred times. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/files.ts';
import { crash, missingOf, type Sent } from './crash.ts';

const times = Number(process.env.YODEL_TEST_CRASHES ?? 5);

test(`after kill -9 under load, ${times} times, every answered message is recorded, once and in order`, {
  timeout: 30_000 + times * 3000,
}, async () => {
  const file = join(temporaryFolder(), 'crash.journal');
  const clients: Sent[] = [];
  let slowest = 0;
  for (let round = 0; round < times; round++) {
    const crashed = await crash(file, round);
    clients.push(...crashed.clients);
    slowest = Math.max(slowest, crashed.readyMs);
  }
  expect(await missingOf(file, clients)).toEqual([]);
  const answered = clients.reduce((sum, client) => sum + client.answered, 0);
  expect(answered).toBeGreaterThan(times);
  process.stdout.write(`${times} kills, ${answered} answered, 0 lost; ready again within ${Math.round(slowest)} ms\n`);
});
