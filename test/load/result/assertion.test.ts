import { expect, test } from 'vitest';
import { YodelError } from '../../../src/errors.ts';
import { checkAssertion, parseAssertion } from '../../../src/load/result/assertion.ts';
import type { BenchReport } from '../../../src/load/result/report.ts';
import { nothingAnswered, sampleReport } from './sample-report.ts';

test.each([
  ['p99 < 5ms', 'p99', '<', 5],
  ['p99<5ms', 'p99', '<', 5],
  ['  P99  <=  5 ms ', 'p99', '<=', 5],
  ['p99.99 > 500us', 'p99.99', '>', 0.5],
  ['p42 >= 500µs', 'p42', '>=', 0.5],
  ['max < 1.5s', 'max', '<', 1500],
  ['mean < 1.1s', 'mean', '<', 1100],
  ['min == 0ms', 'min', '==', 0],
  ['stdev != 2ms', 'stdev', '!=', 2],
  ['p100 < 5ms', 'p100', '<', 5],
  ['rate >= 50k/s', 'rate', '>=', 50_000],
  ['rate >= 1.5M/s', 'rate', '>=', 1_500_000],
  ['rate > 500', 'rate', '>', 500],
  ['errors == 0', 'errors', '==', 0],
  ['messages >= 10k', 'messages', '>=', 10_000],
  ['unanswered < 3', 'unanswered', '<', 3],
  ['lost == 0', 'lost', '==', 0],
] as const)('%j is parsed', (text, metric, operator, value) => {
  expect(parseAssertion(text)).toEqual({ text: text.trim().replace(/ +/g, ' '), metric, operator, value });
});

const list =
  'Metrics: min, mean, stdev, max, p50 (p75, p90, p99, p99.9 … any percentile), rate, errors, messages, unanswered, lost';
const form = 'a metric, a comparison and a value, such as "p99 < 5ms", "rate >= 50k/s" or "errors == 0"';

test.each([
  ['nonsense', `the assertion "nonsense" is invalid: expected ${form}`],
  ['', `the assertion "" is invalid: expected ${form}`],
  [
    'p99',
    `the assertion "p99" is invalid: expected ${form}; put it in quotes, because a shell reads < and > as redirections`,
  ],
  [
    'tcp://127.0.0.1:7878',
    `"tcp://127.0.0.1:7878" is not an assertion but looks like an address: write the address before --assert. An assertion is ${form}`,
  ],
  ['< 5ms', `the assertion "< 5ms" has no metric: expected ${form}. ${list}`],
  ['eror == 0', `unknown metric "eror" in the assertion "eror == 0". Did you mean errors? ${list}`],
  ['raet > 1/s', `unknown metric "raet" in the assertion "raet > 1/s". Did you mean rate? ${list}`],
  ['P999 < 1ms', `unknown metric "P999" in the assertion "P999 < 1ms". Did you mean p99.9? ${list}`],
  ['average < 1ms', `unknown metric "average" in the assertion "average < 1ms". Did you mean mean? ${list}`],
  ['p0 < 1ms', `unknown metric "p0" in the assertion "p0 < 1ms". Did you mean p50? ${list}`],
  ['weather > 1ms', `unknown metric "weather" in the assertion "weather > 1ms". ${list}`],
  ['constructor > 1', `unknown metric "constructor" in the assertion "constructor > 1". ${list}`],
  ['errors = 0', 'unknown comparison "=" in the assertion "errors = 0": write == for "equal"'],
  ['errors => 0', 'unknown comparison "=>" in the assertion "errors => 0": use one of < <= > >= == !='],
  ['p99 < 5', 'the value in the assertion "p99 < 5" must be a time with a unit, such as 500us, 5ms or 1.5s, not "5"'],
  [
    'p99 < 5ms/s',
    'the value in the assertion "p99 < 5ms/s" must be a time with a unit, such as 500us, 5ms or 1.5s, not "5ms/s"',
  ],
  ['p99 <', 'the value in the assertion "p99 <" must be a time with a unit, such as 500us, 5ms or 1.5s and is missing'],
  [
    'rate > 5ms',
    'the value in the assertion "rate > 5ms" must be messages per second, such as 500/s, 50k/s or 1.5M/s, not "5ms"',
  ],
  [
    'errors < 1.5',
    'the value in the assertion "errors < 1.5" must be a whole number, such as 0, 1000 or 10k, not "1.5"',
  ],
  ['errors > -1', 'the value in the assertion "errors > -1" must be a whole number, such as 0, 1000 or 10k, not "-1"'],
])('%j is refused with the expected form', (text, message) => {
  let thrown: unknown;
  try {
    parseAssertion(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toBeInstanceOf(YodelError);
  expect(thrown).toMatchObject({ code: 'YODEL_INVALID_OPTION', message });
});

const report: BenchReport = sampleReport(undefined, {
  errors: [
    { code: 'YODEL_REPLY_TIMEOUT', count: 2, example: '' },
    { code: 'YODEL_WRONG_REPLY', count: 1, example: '' },
  ],
  messages: { sent: 10_002, answered: 10_000, unanswered: 2 },
  connections: { wanted: 50, opened: 50, lost: 4 },
});

test.each([
  ['p50 < 5ms', 'ok       p50 < 5ms: 1.00 ms'],
  ['p50 > 5ms', 'not met  p50 > 5ms: 1.00 ms'],
  ['rate >= 1k/s', 'ok       rate >= 1k/s: 1,000/s'],
  ['rate > 1k/s', 'not met  rate > 1k/s: 1,000/s'],
  ['errors == 3', 'ok       errors == 3: 3'],
  ['errors != 3', 'not met  errors != 3: 3'],
  ['messages >= 10k', 'ok       messages >= 10k: 10,000'],
  ['unanswered <= 2', 'ok       unanswered <= 2: 2'],
  ['lost < 4', 'not met  lost < 4: 4'],
])('%j of a run gives the line %j', (text, line) => {
  const result = checkAssertion(parseAssertion(text), report);
  expect(result).toEqual({ holds: line.startsWith('ok'), text: line });
});

test('a value that three digits cannot tell from the expected one is shown in full', () => {
  const justAboveLimit = sampleReport([5.0004]);
  const { holds, text } = checkAssertion(parseAssertion('max <= 5ms'), justAboveLimit);
  expect([holds, text]).toEqual([false, 'not met  max <= 5ms: 5.0004 ms']);
});

test('a percentile of too few replies has a remark', () => {
  const { text } = checkAssertion(parseAssertion('p99.9 < 5ms'), sampleReport([1, 2, 3]));
  expect(text).toBe('ok       p99.9 < 5ms: 3.00 ms (the slowest of only 3 replies)');
});

test('every assertion about latencies fails when nothing was answered', () => {
  const { holds, text } = checkAssertion(parseAssertion('p99 < 5ms'), nothingAnswered);
  expect([holds, text]).toEqual([false, 'not met  p99 < 5ms: no message was answered']);
  const { options } = nothingAnswered;
  const silent = { ...nothingAnswered, options: { ...options, replies: 'none' as const } };
  expect(checkAssertion(parseAssertion('max != 5ms'), silent).text).toBe(
    'not met  max != 5ms: no replies were expected',
  );
});

test('unanswered messages count as the slowest', () => {
  const latencies = Array.from({ length: 90 }, () => 1);
  const report = sampleReport(latencies, { messages: { sent: 100, answered: 90, unanswered: 10 } });
  const check = (text: string) => checkAssertion(parseAssertion(text), report);
  expect(check('p90 < 5ms').holds).toBe(true);
  for (const metric of ['p91', 'p99', 'p100', 'max', 'mean']) {
    expect(check(`${metric} < 5ms`)).toEqual({
      holds: false,
      text: expect.stringContaining('10 messages were never answered'),
    });
  }
  expect(check('min < 5ms').holds).toBe(true);
});
