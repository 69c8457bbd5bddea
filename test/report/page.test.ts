import { expect, test } from 'vitest';
import { compareReports } from '../../src/load/result/compare.ts';
import type { BenchReport } from '../../src/load/result/report.ts';
import { renderPage } from '../../src/report/page.ts';
import { nothingAnswered, openLoop, sampleInterval, sampleReport, usual } from '../load/result/sample-report.ts';
import { fc } from '../support/fast-check.ts';
import { type ParsedPage, parsePage } from './parse-html.ts';

const slower = sampleReport(
  usual.map((value) => value * 2),
  { runtime: 'Bun 1.4.5' },
);

test('is valid HTML that loads and runs nothing', () => {
  const { tags, style } = parsePage(renderPage(sampleReport(), compareReports(slower, sampleReport())));
  const forbidden = ['script', 'link', 'img', 'iframe', 'object', 'embed', 'form', 'use', 'image', 'base'];
  expect(tags.map(({ name }) => name).filter((name) => forbidden.includes(name))).toEqual([]);
  const attributes = tags.flatMap((tag) => Object.entries(tag.attributes));
  expect(attributes.filter(([name]) => /^(on.*|href|src|style)$/.test(name))).toEqual([]);
  expect(attributes.map(([, value]) => value)).toContain("default-src 'none'; style-src 'unsafe-inline'");
  expect(style).not.toMatch(/url\(|@import|@font-face|https?:/);
});

test('is light or dark like the system, and fits a phone', () => {
  const { tags, style } = parsePage(renderPage(sampleReport()));
  expect(style).toContain('@media (prefers-color-scheme: dark)');
  expect(tags.find(({ attributes }) => attributes.name === 'viewport')?.attributes.content).toContain('device-width');
});

test('has four charts with titles, ticks and units, described in words', () => {
  const page = parsePage(renderPage(sampleReport()));
  expect(headings(renderPage(sampleReport()), 'h3')).toEqual([
    'Latency by percentile',
    'Messages answered per second',
    'Latency over time',
    'Latency distribution',
  ]);
  const drawings = page.tags.filter(({ name }) => name === 'svg');
  expect(drawings.every(({ attributes }) => (attributes['aria-label']?.length ?? 0) > 20)).toBe(true);
  for (const label of [
    '0 %',
    '90 %',
    '99 %',
    '99.9 %',
    '99.99 %',
    'seconds since the start',
    '500 µs',
    '1 ms',
    '1,000',
  ]) {
    expect(texts(renderPage(sampleReport()))).toContain(label);
  }
});

test('shows the numbers of the summary', () => {
  const { text } = parsePage(renderPage(sampleReport(usual, openLoop)));
  for (const words of ['1,000/s', 'target: 5,000/s', '1.49 ms', '1 in 100 took longer', 'Node 26.10.0', 'Test CPU']) {
    expect(text).toContain(words);
  }
  expect(text).toContain('The server did not keep up');
  expect(text).toContain('A latency counts from when its message was due');
  expect(text).toContain('unknown, needs at least 100,000 replies');
});

test('lists errors, and marks the seconds that had errors', () => {
  const html = renderPage(
    sampleReport(usual, {
      errors: [{ code: 'YODEL_WRONG_REPLY', count: 3, example: 'message 17 of connection 3' }],
      intervals: [sampleInterval(0), sampleInterval(1, { errors: 3 })],
    }),
  );
  const { text } = parsePage(html);
  expect(text).toContain('YODEL_WRONG_REPLY');
  expect(text).toContain('message 17 of connection 3');
  expect(texts(html)).toContain('seconds with errors');
  expect(texts(html)).toContain('1 to 2 s: 1,000/s, 3 errors');
});

test('shows a comparison as a table, with warnings and the old percentiles', () => {
  const html = renderPage(sampleReport(), compareReports(slower, sampleReport()));
  const { text, tags } = parsePage(html);
  expect(text).toContain('Compared with the run of 2026-02-03 10:11:12 UTC');
  expect(text).toContain('runtime: Bun 1.4.5 before, Node 26.10.0 now');
  expect(tags.filter(({ attributes }) => attributes.class === 'line before')).toHaveLength(1);
  expect(texts(html)).toContain('earlier run');
});

test('text from outside cannot become markup', () => {
  const shape = (report: BenchReport) =>
    tagNames(parsePage(renderPage(report, compareReports(report, sampleReport()))));
  const expected = shape(withText('harmless'));
  const hostile = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '</style><script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      '&lt;',
      "' onload='x",
      ']]>-->',
    ),
  );
  fc.assert(
    fc.property(hostile, (text) => {
      expect(shape(withText(text))).toEqual(expected);
    }),
    { numRuns: 40 },
  );
});

test('shows characters that hide or reorder text as escapes', () => {
  const { text } = parsePage(renderPage(withText('a\u202eb\x1b\u0000c')));
  expect(text).toContain('a\\u202eb\\x1b\\0c');
});

test.each([
  ['nothing was answered', nothingAnswered],
  ['a single reply', sampleReport([3], { intervals: [sampleInterval(0, { answered: 1, p50: 3, p99: 3, max: 3 })] })],
  ['a reply in no time', sampleReport([0])],
  ['a run too short for a whole second', sampleReport([1, 2], { intervals: [sampleInterval(0, { seconds: 0.004 })] })],
  [
    'an interval of no length',
    sampleReport([1], { intervals: [sampleInterval(0), sampleInterval(1, { seconds: 0 })] }),
  ],
  ['only an interval of no length', sampleReport([1], { intervals: [sampleInterval(0, { seconds: 0 })] })],
  ['no intervals', sampleReport(usual, { intervals: [] })],
  [
    'seconds without replies',
    sampleReport(usual, {
      intervals: [
        sampleInterval(0),
        sampleInterval(1, { answered: 0, p50: null, p99: null, max: null }),
        sampleInterval(2),
      ],
    }),
  ],
  ['a rate of 0', sampleReport(usual, { rate: { target: 0, achieved: 0 }, seconds: 0 })],
  ['latencies from a nanosecond to two hours', sampleReport([1e-6, 0.001, 1, 1000, 7_200_000])],
  [
    'a million million replies',
    sampleReport([1, 2], {
      histogram: [
        [1, 1e12],
        [2, 1e12],
      ],
    }),
  ],
  [
    'a day',
    sampleReport(usual, { intervals: Array.from({ length: 86_400 }, (_, at) => sampleInterval(at)), seconds: 86_400 }),
  ],
])('%s can be drawn: all lies within the charts', (_, report) => {
  const html = renderPage(report);
  const { tags, text } = parsePage(html);
  expect(html).not.toMatch(/NaN|Infinity|undefined|null/);
  expect(html.length).toBeLessThan(200_000);
  for (const { attributes } of tags) {
    for (const [name, most] of [
      ['x', 560],
      ['cx', 560],
      ['y', 300],
      ['cy', 300],
      ['width', 560],
      ['height', 300],
    ] as const) {
      const value = attributes[name];
      if (value === undefined) continue;
      expect(Number(value)).toBeGreaterThanOrEqual(0);
      expect(Number(value)).toBeLessThanOrEqual(most);
    }
    for (const [, number] of (attributes.d ?? '').matchAll(/(-?[\d.e+-]+)/g)) {
      expect(Number(number)).toBeGreaterThanOrEqual(0);
      expect(Number(number)).toBeLessThanOrEqual(560);
    }
  }
  expect(text).toContain('Details');
});

/** A report in which every text is this one. */
function withText(text: string): BenchReport {
  const { options, machine } = sampleReport();
  return sampleReport(usual, {
    address: text,
    started: text,
    yodel: text,
    runtime: text,
    machine: { ...machine, cpu: text, os: text },
    options: { ...options, framing: text },
    errors: [{ code: text, count: 1, example: text }],
    generator: { cpu: 1, lateness: null, limited: text },
  });
}

function tagNames({ tags }: ParsedPage): string[] {
  return tags.map(({ name, attributes }) => `${name} ${Object.keys(attributes).join(' ')}`);
}

function headings(html: string, name: string): string[] {
  return [...html.matchAll(new RegExp(`<${name}>([^<]*)</${name}>`, 'g'))].map(([, text = '']) => text);
}

/** Each piece of text between two tags. */
function texts(html: string): string[] {
  return [...html.matchAll(/>([^<]+)</g)].map(([, text = '']) => text.trim());
}
