import { expect, test } from 'vitest';
import type { BenchReport } from '../../src/load/result/report.ts';
import { renderPage } from '../../src/report/page.ts';
import { formatSummary } from '../../src/report/summary.ts';
import { paintFor } from '../../src/terminal/style.ts';
import { nothingAnswered, openLoop, sampleReport, usual } from '../load/result/sample-report.ts';
import { fc } from '../support/fast-check.ts';

const plain = { width: 80, paint: paintFor(false) };

test('summarizes a run without problems', () => {
  expect(
    formatSummary(sampleReport(), plain),
  ).toBe(`50 connections to tcp://127.0.0.1:7878 sent messages of 64 bytes for 10 s, 1 in
flight on each. Framing: lines. Every reply was compared with its message.

  Messages     10,000 messages answered in 10 s: 1,000 per second
  Data         635 KiB (63.5 KiB/s) sent, 635 KiB (63.5 KiB/s) received
  Connections  50, none lost
  Errors       none
  Generator    50 % of one core used
  Machine      yodel 0.1.0, Node 26.10.0, Linux 6.6, 2 cores of Test CPU

Latency: from sending a message to its reply
  min         500 µs
  p50        1.00 ms  half of the replies took longer
  p75        1.25 ms  1 in 4 took longer
  p90        1.40 ms  1 in 10 took longer
  p95        1.45 ms  1 in 20 took longer
  p99        1.49 ms  1 in 100 took longer
  p99.9      1.50 ms  1 in 1,000 took longer
  p99.99     1.50 ms  uncertain: only 1 reply took longer
  p99.999: unknown, needs at least 100,000 replies
  max        1.50 ms
  mean       1.00 ms
  stdev       289 µs

Distribution: 10,000 replies
${distribution(formatSummary(sampleReport(), plain))}
`);
});

test('draws a bar for each band of latencies, in proportion to its share', () => {
  const report = sampleReport([...Array(75).fill(1), ...Array(25).fill(2)]);
  expect(distribution(formatSummary(report, { ...plain, width: 60 }))).toBe(
    [
      '     1 ms – 1.06 ms  ███████████████████ 75  75.0 %  p50',
      '  1.06 ms – 1.88 ms                       0',
      '  1.88 ms –    2 ms  ██████▍             25  25.0 %  p90 p99',
    ].join('\n'),
  );
});

test('for an open loop, shows the target rate, the share that was reached, and how late messages were sent', () => {
  const text = formatSummary(sampleReport(usual, openLoop), plain);
  expect(text.replace(/\n/g, ' ')).toContain('at 5,000 per second in total, whether or not replies had arrived');
  expect(text).toContain('  Target       5,000 per second, of which 20 % was reached\n');
  expect(text).toContain('messages were sent late by');
  expect(text).toContain('Latency: from when a message was due to its reply\n');
  expect(text).toContain('\nThe server did not keep up: it answered 20 % of the scheduled messages.');
});

test('does not blame a server that keeps up with the target rate', () => {
  const text = formatSummary(sampleReport(usual, { ...openLoop, rate: { target: 1000, achieved: 995 } }), plain);
  expect(text).toContain('1,000 per second, of which 99.5 % was reached');
  expect(text).not.toContain('keep up');
});

test('when the load generator was the bottleneck, says so and does not blame the server', () => {
  const limited = 'the generator used 97 % of a core; spread it over more cores with --threads 2';
  const text = formatSummary(
    sampleReport(usual, { ...openLoop, generator: { cpu: 0.97, lateness: null, limited } }),
    plain,
  );
  expect(text.replace(/\n/g, ' ')).toContain(
    'The load generator may have been the bottleneck. The generator used 97 % of a core; spread it over more cores with --threads 2.',
  );
  expect(text).not.toContain('keep up');
});

test('blames a server that did not keep up with what was sent, however late some of it was sent', () => {
  const text = formatSummary(
    sampleReport(usual, {
      ...openLoop,
      messages: { sent: 50_000, answered: 10_000, unanswered: 40_000 },
      generator: { cpu: 0.3, lateness: null, limited: 'the generator sent 1 % of the messages at least 4 ms late' },
    }),
    plain,
  );
  expect(text).toContain('The load generator may have been the bottleneck.');
  expect(text).toContain('The server did not keep up: it answered 20 % of the scheduled messages.');
});

test('when no reply was an echo, suggests --replies count', () => {
  const errors = [{ code: 'YODEL_WRONG_REPLY', count: 50, example: 'message 1 of connection 1' }];
  const text = formatSummary({ ...nothingAnswered, errors }, plain);
  expect(text.replace(/\n/g, ' ')).toContain('No message was answered with the same bytes.');
  expect(text).toContain('--replies count');
});

test('lists errors by count, each with its code and the first one', () => {
  const text = formatSummary(
    sampleReport(usual, {
      errors: [
        { code: 'YODEL_WRONG_REPLY', count: 3, example: 'message 17 of connection 3: expected "a", got "b"' },
        { code: 'YODEL_REPLY_TIMEOUT', count: 1204, example: 'no reply within 10s' },
      ],
      messages: { sent: 11_204, answered: 10_000, unanswered: 1204 },
      connections: { wanted: 50, opened: 48, lost: 3 },
    }),
    plain,
  );
  expect(text).toContain('  Errors       1,207\n');
  expect(text).toContain('  Connections  48 of 50 opened, 3 lost\n');
  expect(text).toContain(`
Errors: how often, and the first of each kind
  1,204  YODEL_REPLY_TIMEOUT
         no reply within 10s
      3  YODEL_WRONG_REPLY
         message 17 of connection 3: expected "a", got "b"

Only 48 of 50 connections could be opened.
3 connections were lost.
1,204 messages were not answered; the latencies do not include them.
`);
});

test('a run without any reply has no latencies, and says so', () => {
  const text = formatSummary(nothingAnswered, plain);
  expect(text).not.toContain('Latency');
  expect(text).not.toContain('NaN');
  expect(text).toContain('\nNo message was answered.\n');
});

test('reports when a run ended early', () => {
  const interrupted = sampleReport(usual, { ended: 'interrupted', seconds: 3.2 });
  expect(formatSummary(interrupted, plain)).toContain(
    'The run was interrupted after 3.2 s; these are the results so far.\n',
  );
  const failed = sampleReport(usual, { ended: 'failed', seconds: 3.2 });
  expect(formatSummary(failed, plain)).toContain(
    'The run was aborted after 3.2 s: connections were lost, and no reply arrived\nwithin the time-out.\n',
  );
});

test('without replies, shows what was sent', () => {
  const { options } = sampleReport();
  const sent = sampleReport([], {
    options: { ...options, replies: 'none', count: 5000, size: null, threads: 2 },
    messages: { sent: 5000, answered: 0, unanswered: 0 },
    rate: { target: null, achieved: 500 },
  });
  const text = formatSummary(sent, plain).replace(/\n/g, ' ');
  expect(text).toContain(
    '50 connections of 2 processes to tcp://127.0.0.1:7878 sent up to 5,000 messages of various sizes for up to 10 s',
  );
  expect(text).toContain('No replies were expected.');
  expect(text).toContain('5,000 messages sent in 10 s: 500 per second');
  expect(text).not.toContain('No message was answered');
});

test('shows no percentile that has too few replies', () => {
  const text = formatSummary(sampleReport([1, 2, 3]), plain);
  expect(text).toContain('  p50        2.00 ms  uncertain: only 1 reply took longer\n');
  expect(text).toContain('  p75, p90, p95, p99, p99.9, p99.99, p99.999: unknown, needs at least 4 replies\n');
  expect(text).not.toMatch(/^ {2}p9\S+ +[\d.]+ ms/m);
});

test('text from a peer cannot control the terminal', () => {
  const hostile = 'x\x1b[2J\x07\u202e\ny';
  const { options, machine } = sampleReport();
  const report = sampleReport(usual, {
    address: hostile,
    options: { ...options, framing: hostile },
    machine: { ...machine, cpu: hostile, os: hostile },
    runtime: hostile,
    yodel: hostile,
    errors: [{ code: hostile, count: 1, example: hostile }],
    generator: { cpu: 1, lateness: null, limited: hostile },
  });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: this looks for control characters
  expect(formatSummary(report, plain)).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f\u202e]/);
});

test('cuts a very long error', () => {
  const endless = sampleReport(usual, { errors: [{ code: 'X', count: 1, example: 'ab '.repeat(100_000) }] });
  expect(formatSummary(endless, plain).length).toBeLessThan(5000);
});

test('fits terminals of 40 columns or more, and uses at most 100', () => {
  const any = fc.record({
    latencies: fc.array(fc.double({ min: 0, max: 1e7, noNaN: true }), { maxLength: 300 }),
    factor: fc.constantFrom(1, 1000, 1e9),
    width: fc.integer({ min: 40, max: 200 }),
  });
  fc.assert(
    fc.property(any, ({ latencies, factor, width }) => {
      const report = sampleReport(latencies, openLoop);
      const histogram = report.histogram.map(([value, count]) => [value, count * factor] as const);
      const lines = formatSummary({ ...report, histogram }, { ...plain, width }).split('\n');
      expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(Math.min(width, 100));
    }),
  );
});

test('colours change nothing else', () => {
  const report: BenchReport = sampleReport(usual, { ...openLoop, errors: [{ code: 'X', count: 2, example: 'y' }] });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a colour begins with one
  const uncoloured = formatSummary(report, { width: 60, paint: paintFor(true) }).replace(/\x1b\[\d+m/g, '');
  expect(uncoloured).toBe(formatSummary(report, { width: 60, paint: paintFor(false) }));
});

/** The rows of the distribution. */
function distribution(summary: string): string {
  return /Distribution: .*\n((?: {2}.*\n)+)/.exec(summary)?.[1]?.trimEnd() ?? '';
}

test('says which replies are not in the latencies, and what was no reply', () => {
  const report = sampleReport(usual, { replies: { failed: 20, untimed: 7, unasked: 100 } });
  const summary = formatSummary(report, { paint: paintFor(false), width: 1000 }).replaceAll(/\s+/g, ' ');
  expect(summary).toContain('20 replies report an error, 0.2 % of all; the latencies are those of the others.');
  expect(summary).toContain('The latencies of 7 messages are unknown and left out');
  expect(summary).toContain(
    'sent 100 messages before any request. They are not counted as replies; --greeting 2 says so.',
  );
});

const staged = sampleReport(usual, {
  ...openLoop,
  options: { ...sampleReport([]).options, pipeline: null, rate: 550, stages: '1s:100,1s:100..1000' },
  stages: [
    {
      seconds: 1,
      from: 100,
      to: 100,
      sent: 100,
      answered: 100,
      rate: 100,
      errors: 0,
      latency: sampleReport(usual).latency,
    },
    { seconds: 1, from: 100, to: 1000, sent: 550, answered: 0, rate: 0, errors: 3, latency: null },
  ],
});

test('shows what came of each stage', () => {
  const lines = formatSummary(staged, plain).split('\n');
  const first = lines.findIndex((line) => line.startsWith('Stages:'));
  expect(lines.slice(first, first + 4)).toEqual([
    'Stages: of the messages due in each',
    '                             sent  answered  per second      p50      p99      max  errors',
    '  1 s at 100/s                100       100       100/s  1.00 ms  1.49 ms  1.50 ms       0',
    '  1 s from 100/s to 1,000/s   550         0         0/s        -        -        -       3',
  ]);
  const page = renderPage(staged);
  expect(page).toContain('<th scope="row">1 s from 100/s to 1,000/s</th><td class="number">550</td>');
});

test('shows how long connecting took, if each message had a connection', () => {
  const report = sampleReport(usual, { connect: sampleReport(usual).latency });
  const text = 'Connecting   500 µs (min), 1.00 ms (p50), 1.49 ms (p99), 1.50 ms (max)';
  expect(formatSummary(report, plain)).toContain(text);
  expect(formatSummary(sampleReport(usual), plain)).not.toContain('Connecting');
});

test('shows what came of each request of a transcript', () => {
  const { latency } = sampleReport(usual);
  const requests = [
    { line: 4, text: '> get {random:6}', sent: 5000, answered: 4990, errors: 10, latency },
    {
      line: 7,
      file: 'more\x1b.transcript',
      text: `> ${'x'.repeat(60)}`,
      sent: 1,
      answered: 0,
      errors: 0,
      latency: null,
    },
  ];
  const transcript = { file: 'session.transcript', rounds: 5000, rate: 500, requests };
  const text = formatSummary(
    sampleReport(usual, { transcript, connections: { wanted: 50, opened: 50, lost: 0 } }),
    plain,
  );
  expect(text).toMatch(/^50 connections to tcp:\/\/127\.0\.0\.1:7878 played session\.transcript for 10 s\.\n/);
  expect(text).toContain('  Rounds       5,000 rounds of the transcript: 500/s\n');
  expect(text).toContain('4  > get {random:6}');
  expect(text).toMatch(/7 {2}> x{27}… +1 +0 +- +- +- +0\n/);
  expect(text).not.toContain('\x1b');
  expect(renderPage(sampleReport(usual, { transcript }))).toContain('<td class="number">4,990</td>');
});
