import { expect, test } from 'vitest';
import { YodelError } from '../../../src/errors.ts';
import { readReport } from '../../../src/load/result/read-report.ts';
import { nothingAnswered, openLoop, sampleReport } from './sample-report.ts';

test('the output of --json can be read', () => {
  for (const report of [sampleReport(), nothingAnswered, sampleReport([1], openLoop)]) {
    expect(readReport(`${JSON.stringify(report)}\n`, 'old.json')).toEqual(report);
  }
});

test('a byte order mark is skipped', () => {
  expect(readReport(`\ufeff${JSON.stringify(nothingAnswered)}`, 'old.json')).toEqual(nothingAnswered);
});

const good = sampleReport([1, 2]);
const hint = 'Create one with: yodel bench ADDRESS --json > FILE';

test.each([
  ['an empty file', '', `old.json is not a report of yodel bench: it is empty. ${hint}`],
  ['text', 'p99 is fine', `old.json is not a report of yodel bench: it is not JSON. ${hint}`],
  [
    'half a report',
    JSON.stringify(good).slice(0, 100),
    `old.json is not a report of yodel bench: it is not JSON. ${hint}`,
  ],
  [
    'two reports',
    `${JSON.stringify(good)}\n${JSON.stringify(good)}\n`,
    `old.json is not a report of yodel bench: it contains 2 lines of JSON, and a report is one line. ${hint}`,
  ],
  ['null', 'null', `old.json is not a report of yodel bench: it has no "kind": "yodel-bench". ${hint}`],
  [
    'a package.json',
    '{"name":"x"}',
    `old.json is not a report of yodel bench: it has no "kind": "yodel-bench". ${hint}`,
  ],
  [
    'a report without version',
    '{"kind":"yodel-bench"}',
    `old.json is not a report of yodel bench: its version is not 1. ${hint}`,
  ],
  [
    'a report of a newer version',
    '{"kind":"yodel-bench","version":2}',
    'old.json contains a report of version 2, from a newer yodel; this one reads version 1. Update yodel, or create the report again with this version',
  ],
  [
    'a field missing',
    json({ seconds: undefined }),
    'old.json is not a report of yodel bench: seconds must be a number from 0',
  ],
  ['a negative number', json({ seconds: -1 }), 'seconds must be a number from 0'],
  [
    'an infinite number',
    json({ seconds: 1 }).replace('"seconds":1', '"seconds":1e999'),
    'seconds must be a number from 0',
  ],
  ['a text for a number', json({ messages: { ...good.messages, sent: '5' } }), 'messages.sent must be a number from 0'],
  ['a number for a text', json({ address: 7878 }), 'address must be a string'],
  ['an unknown end', json({ ended: 'exploded' }), 'ended must be one of done, interrupted, failed'],
  ['latency that is a list', json({ latency: [] }), 'latency.min must be a number from 0'],
  ['latency that is missing', json({ latency: undefined }), 'latency must be an object'],
  ['a histogram of triples', json({ histogram: [[1, 2, 3]] }), 'histogram[0] must have 2 items'],
  ['a histogram of nothing', json({ histogram: 'none' }), 'histogram must be a list'],
  ['an error without a code', json({ errors: [{ count: 1, example: '' }] }), 'errors[0].code must be a string'],
])('%s is refused with the reason', (_, text, message) => {
  expect(() => readReport(text, 'old.json')).toThrow(message);
  try {
    readReport(text, 'old.json');
  } catch (error) {
    expect(error).toBeInstanceOf(YodelError);
    expect(error).toMatchObject({ code: 'YODEL_INVALID_OPTION' });
  }
});

function json(changes: object): string {
  return JSON.stringify({ ...good, ...changes });
}
