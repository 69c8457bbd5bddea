/** A minute of the soak on each runtime, with a light load, beside the other tests. `npm run test:soak` takes 30 minutes. */
import { describe, expect, test } from 'vitest';
import { start } from '../support/process/command.ts';
import { testWith } from '../support/tools.ts';
import { OthersMessages } from './chat-member.ts';
import { Replies } from './conversation.ts';
import { afterWarmUp, growthOf } from './flat.ts';
import { Random } from './random.ts';

const main = new URL('./main.ts', import.meta.url).pathname;
const seconds = Number(process.env.SOAK_SECONDS ?? 60);

const testWithOpenssl = testWith('openssl', 'apt-get install openssl');

testWithOpenssl(
  'a minute of mixed load with all faults loses, doubles and reorders nothing, and leaves nothing behind',
  {
    timeout: seconds * 2000 + 60_000,
  },
  async () => {
    const words = ['--seconds', `${seconds}`, '--clients', '14'];
    const { status, stdout, stderr } = await start([process.execPath, main, ...words], { hasChildren: true }).ended;
    expect(status, `${stdout}${stderr}`).toBe(0);
    expect(String(stdout)).toMatch(/^seed \d+, /);
    for (const runtime of ['node', 'bun'])
      expect(String(stdout)).toMatch(new RegExp(`^${runtime}: \\d{2,} connections, `, 'm'));
  },
);

describe('the soak notices', () => {
  const problemsOf = (replies: Replies, received: readonly string[]) => {
    for (const text of ['a.0', 'a.1', 'a.2']) replies.expect(text);
    for (const text of received) replies.check(text);
    return replies.problems;
  };

  test('a reply that is right', () => {
    expect(problemsOf(new Replies(), ['a.0', 'a.1', 'a.2'])).toEqual([]);
  });

  test.each([
    ['lost', ['a.0', 'a.2']],
    ['doubled', ['a.0', 'a.0', 'a.1']],
    ['reordered', ['a.1', 'a.0', 'a.2']],
    ["another client's", ['a.0', 'b.1', 'a.2']],
    ['cut', ['a.0', 'a.', 'a.2']],
    ['sent after an error', ['a.0', 'error: too long', 'a.1']],
    ['one too many', ['a.0', 'a.1', 'a.2', 'a.3']],
  ])('a reply that is %s', (_, received) => {
    expect(problemsOf(new Replies(), received)).not.toEqual([]);
  });

  test.each([
    ['lost', ['b.4', 'c.7', 'b.6']],
    ['doubled', ['b.4', 'b.4']],
    ['reordered', ['b.4', 'b.6', 'b.5']],
  ])('a message of another member that is %s', (_, received) => {
    const messages = new OthersMessages();
    for (const text of received) messages.check(text);
    expect(messages.problems).not.toEqual([]);
  });

  test('growth after the warm-up, and none before or in noise', () => {
    const samples = (of: (at: number) => number) => Array.from({ length: 31 }, (_, at) => ({ at, value: of(at) }));
    const total = (of: (at: number) => number) => growthOf(afterWarmUp(samples(of))).total;
    expect(total((at) => 100 + 2 * at)).toBeCloseTo(40);
    expect(total((at) => Math.min(at, 10))).toBeCloseTo(0);
    const random = new Random(1);
    expect(Math.abs(total(() => random.next()))).toBeLessThan(1);
  });
});

test('a seed repeats all decisions', () => {
  const decisions = (seed: number) => {
    const random = new Random(seed, 'c1');
    return Array.from({ length: 100 }, () => random.between(0, 1000));
  };
  expect(decisions(5)).toEqual(decisions(5));
  expect(decisions(5)).not.toEqual(decisions(6));
  expect(Math.min(...decisions(5))).toBeGreaterThanOrEqual(0);
  expect(Math.max(...decisions(5))).toBeLessThanOrEqual(1000);
});
