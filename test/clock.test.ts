import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { realClock } from '../src/clock.ts';

const module = new URL('../src/clock.ts', import.meta.url).href;

test('timers of the real clock fire in order, none early, and not once cancelled', async () => {
  const startedAt = realClock.now();
  const fired: [delay: number, elapsed: number][] = [];
  const all = [700, 100, 550, 620].map(
    (delay) =>
      new Promise<void>((resolve) => {
        realClock.after(delay, () => {
          fired.push([delay, realClock.now() - startedAt]);
          resolve();
        });
      }),
  );
  realClock.after(580, () => fired.push([0, 0])).cancel();
  const runtimeTimer = realClock.after(680, () => fired.push([0, 0]));
  realClock.after(400, () => runtimeTimer.cancel());
  await Promise.all(all);
  expect(fired.map(([delay]) => delay)).toEqual([100, 550, 620, 700]);
  // A timer of Node may be up to 1 ms early.
  for (const [delay, elapsed] of fired) expect(elapsed).toBeGreaterThanOrEqual(delay - 1);
});

test.each([
  ['a cancelled timer', 'realClock.after(60_000, () => undefined).cancel();'],
  [
    'timers that are cancelled and set again',
    'for (let i = 0; i < 3; i++) realClock.after(60_000, () => undefined).cancel();',
  ],
])('%s does not keep the process alive', (_, code) => {
  const program = `const { realClock } = await import('${module}'); ${code} console.log('done');`;
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], {
    timeout: 20_000,
    encoding: 'utf8',
    env: { ...process.env, NODE_OPTIONS: '--no-warnings' },
  });
  expect(output).toBe('done\n');
});

test('a timer keeps the process alive until it fires, whether or not others were cancelled before', () => {
  const code = `realClock.after(60_000, () => undefined).cancel(); realClock.after(600, () => console.log('fired'));`;
  const program = `const { realClock } = await import('${module}'); ${code}`;
  const env = { ...process.env, NODE_OPTIONS: '--no-warnings' };
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', env });
  expect(output).toBe('fired\n');
});
