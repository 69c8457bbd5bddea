import { expect, test } from 'vitest';
import { exactScale, latencyScale, linearScale, logScale, type Scale } from '../../src/report/chart-scale.ts';
import { fc } from '../support/fast-check.ts';

const labels = ({ ticks }: Scale) => ticks.map(({ label }) => label);

test('a linear axis has round numbers and ends above its highest value', () => {
  expect(labels(linearScale(105_000))).toEqual(['0', '25,000', '50,000', '75,000', '100,000', '125,000']);
  expect(labels(linearScale(1))).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1']);
  expect(labels(linearScale(0))).toEqual(['0', '0.2', '0.4', '0.6', '0.8', '1']);
});

test('an exact axis ends at its last value', () => {
  const scale = exactScale(10.4);
  expect(labels(scale)).toEqual(['0', '2', '4', '6', '8', '10']);
  expect(scale.place(10.4)).toBe(1);
});

test('similar latencies get a linear axis, others a logarithmic one', () => {
  expect(labels(latencyScale([0.8, 1.9]))).toEqual(['0', '500 µs', '1 ms', '1.5 ms', '2 ms']);
  expect(labels(latencyScale([0.8, 30]))).toEqual(['500 µs', '1 ms', '2 ms', '5 ms', '10 ms', '20 ms', '50 ms']);
  expect(labels(latencyScale([0.8, 1200]))).toEqual(['1 ms', '10 ms', '100 ms', '1 s']);
  expect(labels(latencyScale([]))).toEqual(['0', '200 µs', '400 µs', '600 µs', '800 µs', '1 ms']);
});

test('equal ratios have equal length on a logarithmic axis', () => {
  const { place } = logScale(1, 100);
  expect(place(10) - place(1)).toBeCloseTo(place(100) - place(10), 9);
});

test('any values get 1 to 10 ticks, in order, on the axis', () => {
  const value = fc.double({ min: 0, max: 1e12, noNaN: true });
  fc.assert(
    fc.property(value, value, (a, b) => {
      for (const scale of [
        linearScale(a),
        exactScale(a),
        logScale(Math.min(a, b), Math.max(a, b)),
        latencyScale([a, b]),
      ]) {
        const places = scale.ticks.map((tick) => scale.place(tick.value));
        expect(places.length).toBeGreaterThanOrEqual(1);
        expect(places.length).toBeLessThanOrEqual(10);
        expect(places.every((place, index) => place >= 0 && place <= 1 && place >= (places[index - 1] ?? 0))).toBe(
          true,
        );
        expect(scale.place(a)).toBeGreaterThanOrEqual(0);
        expect(scale.place(a)).toBeLessThanOrEqual(1);
      }
    }),
  );
});
