import { expect, test } from 'vitest';
import { latencyBands } from '../../../src/load/result/bands.ts';
import { fc } from '../../support/fast-check.ts';
import { sampleReport, usual } from './sample-report.ts';

const most = 20;

test('close latencies are in fine bands with round edges', () => {
  const bands = latencyBands(sampleReport(usual).histogram, most);
  expect(bands.length).toBeGreaterThanOrEqual(12);
  expect(bands.slice(1, 5).map(({ to }) => to)).toEqual([0.531, 0.562, 0.596, 0.631]);
});

test('one stall a thousand times longer than the rest keeps the bands of the rest fine', () => {
  const bands = latencyBands(sampleReport([...usual, 1000]).histogram, most);
  expect(bands.filter(({ count }) => count > 500).length).toBeGreaterThanOrEqual(8);
  expect(bands.at(-1)).toMatchObject({ to: 1000, count: 1 });
  expect(bands.at(-2)?.count).toBe(0);
});

test('without latencies there are no bands, and one latency makes one band', () => {
  expect(latencyBands([], most)).toEqual([]);
  expect(latencyBands([[1.3, 1]], most)).toEqual([{ from: 1.26, to: 1.33, count: 1 }]);
  expect(latencyBands([[0, 5]], most)).toHaveLength(1);
});

test('every latency is in exactly one band, and bands are adjacent', () => {
  const latencies = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }), { minLength: 1, maxLength: 100 });
  fc.assert(
    fc.property(latencies, fc.integer({ min: 15, max: 30 }), (latencies, most) => {
      const { histogram } = sampleReport(latencies);
      const bands = latencyBands(histogram, most);
      expect(bands.length).toBeLessThanOrEqual(most);
      for (const [index, { from, to, count }] of bands.entries()) {
        expect(from).toBeLessThan(to);
        if (index > 0) expect(bands[index - 1]?.to).toBe(from);
        const inside = histogram.filter(([value]) => (value > from || index === 0) && value <= to);
        expect(count).toBe(inside.reduce((sum, [, more]) => sum + more, 0));
      }
      expect(bands.reduce((sum, { count }) => sum + count, 0)).toBe(latencies.length);
      expect(bands.at(-1)?.count).toBeGreaterThan(0);
      expect(bands[0]?.count).toBeGreaterThan(0);
    }),
  );
});
