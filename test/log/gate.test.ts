import { expect, test } from 'vitest';
import { Gate, type GateClock, type LeftOut, type LineKind } from '../../src/log/gate.ts';
import { fc } from '../support/fast-check.ts';

/** A gate whose clock stands still until the test moves it, and what it reported. */
function gateOf({ rate = 20_000, perSource }: { rate?: number; perSource?: number } = {}) {
  let now = 1_000_000;
  const timers: { at: number; run: () => void }[] = [];
  const clock: GateClock = { now: () => now, after: (ms, run) => void timers.push({ at: now + ms, run }) };
  const output = {
    isOpen: true,
    dropped: 0,
    drop(lines: number) {
      output.dropped += lines;
    },
  };
  const reports: LeftOut<string>[] = [];
  const gate = new Gate<string>({ rate, perSource, output, clock, report: (left) => reports.push(left) });
  /** Offers lines, and returns how many were admitted. */
  const offer = (source: string, lines: number, { kind = 'message' as LineKind, length = 50 } = {}) => {
    const use = gate.use(kind, source, source);
    let admitted = 0;
    for (; admitted < lines && gate.admits(use); admitted++) gate.count(use, length);
    if (admitted < lines) gate.leaveOut(use, lines - admitted);
    return admitted;
  };
  const pass = (ms: number) => {
    now += ms;
    for (const due of timers.filter(({ at }) => at <= now)) {
      timers.splice(timers.indexOf(due), 1);
      due.run();
    }
  };
  return { gate, offer, pass, reports, output, timers };
}

test('what people and tests send is admitted: two thousand lines at once, and half the rate all the time', () => {
  const { offer, pass, reports, timers } = gateOf();
  expect(offer('seq', 1500)).toBe(1500);
  for (let ms = 0; ms < 5000; ms += 10) {
    pass(10);
    expect(offer('busy', 100)).toBe(100);
  }
  pass(1000);
  expect(reports).toEqual([]);
  expect(timers).toEqual([]);
});

test('of a flood a bounded part is admitted, and one line in each second counts the rest exactly', () => {
  const { offer, pass, reports } = gateOf();
  let admitted = offer('flood', 65_536);
  expect(admitted).toBeGreaterThan(1500);
  expect(admitted).toBeLessThan(3000);
  for (let turn = 1; turn < 100; turn++) {
    pass(10);
    admitted += offer('flood', 65_536);
  }
  pass(10);
  expect(admitted).toBeLessThan(3000);
  expect(reports).toEqual([{ kind: 'message', source: 'flood', sources: 1, lines: 100 * 65_536 - admitted }]);
  expect(offer('flood', 10)).toBe(10);
});

test.each([1, 50])('beside %i floods another source keeps its lines', (floods) => {
  const { offer, pass, reports } = gateOf();
  for (let turn = 0; turn < 1000; turn++) {
    for (let flood = 0; flood < floods; flood++) offer(`flood ${flood}`, 65_536, { length: 160 });
    expect(offer('innocent', 1, { length: 160 })).toBe(1);
    pass(10);
  }
  expect(reports.some(({ source }) => source === 'innocent')).toBe(false);
});

test('long lines count as several', () => {
  const long = gateOf().offer('a', 100_000, { length: 65_536 });
  const short = gateOf().offer('a', 100_000, { length: 10 });
  expect(long).toBeGreaterThan(0);
  expect(long).toBeLessThan(short / 100);
});

test('a thousand flooding sources share a hundred reports and one for the rest', () => {
  const { offer, pass, reports } = gateOf();
  let admitted = 0;
  for (let number = 0; number < 3000; number++) admitted += offer(`source ${number}`, 100);
  pass(1000);
  expect(reports.length).toBeLessThanOrEqual(102);
  expect(reports.reduce((sum, { lines }) => sum + lines, 0) + admitted).toBe(300_000);
});

test('lines of one kind from one source can have a limit of their own', () => {
  const { offer, pass, reports } = gateOf({ perSource: 100 });
  expect(offer('refused 10.0.0.1', 150, { kind: 'refused' })).toBe(100);
  expect(offer('refused 10.0.0.2', 50, { kind: 'refused' })).toBe(50);
  expect(offer('closed 10.0.0.1', 50, { kind: 'closed' })).toBe(50);
  pass(1000);
  expect(reports).toEqual([{ kind: 'refused', source: 'refused 10.0.0.1', sources: 1, lines: 50 }]);
});

test('while the output takes nothing, nothing is admitted, and what was left out before is reported afterwards', () => {
  const { offer, pass, reports, output } = gateOf();
  const admitted = offer('flood', 50_000);
  output.isOpen = false;
  expect(offer('flood', 10)).toBe(0);
  expect(offer('other', 5)).toBe(0);
  expect(output.dropped).toBe(15);
  pass(1000);
  pass(1000);
  expect(reports).toEqual([]);
  output.isOpen = true;
  pass(1000);
  expect(reports).toEqual([{ kind: 'message', source: 'flood', sources: 1, lines: 50_000 - admitted }]);
});

test('a source that ends is reported at once, the others when the gate closes', () => {
  const { gate, offer, reports } = gateOf();
  offer('one', 50_000);
  offer('two', 50_000);
  gate.end('one', true, 'one');
  gate.end('never seen', true, 'never seen');
  expect(reports.map(({ source }) => source)).toEqual(['one']);
  gate.close();
  gate.close();
  expect(reports.map(({ source }) => source)).toEqual(['one', 'two']);
});

test('a source that ends without a line of its own is no longer kept, and what was left out of it is reported by its name', () => {
  const { gate, offer, pass, reports } = gateOf();
  const admitted = offer('large object', 50_000);
  offer('another', 1);
  gate.end('large object', false, 'its name');
  gate.end('another', false, 'its name, too');
  expect(reports).toEqual([]);
  pass(1000);
  expect(reports).toEqual([{ kind: 'message', source: 'its name', sources: 1, lines: 50_000 - admitted }]);
});

test('without a limit everything is admitted', () => {
  const { offer, pass, reports } = gateOf({ rate: 0 });
  expect(offer('a', 1_000_000)).toBe(1_000_000);
  pass(1000);
  expect(reports).toEqual([]);
});

test('whatever happens, what is admitted, dropped and reported adds up', () => {
  const step = fc.oneof(
    fc.record({ source: fc.constantFrom('a', 'b', 'c'), lines: fc.nat(5000), length: fc.nat(2000) }),
    fc.record({ ms: fc.integer({ min: -5000, max: 5000 }) }),
    fc.record({ isOpen: fc.boolean() }),
    fc.record({ end: fc.constantFrom('a', 'b', 'c'), isReported: fc.boolean() }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), fc.constantFrom(0, 100, 20_000), (steps, rate) => {
      const { gate, offer, pass, reports, output } = gateOf({ rate });
      let offered = 0;
      let admitted = 0;
      for (const one of steps) {
        if ('source' in one) {
          offered += one.lines;
          admitted += offer(one.source, one.lines, { length: one.length });
        } else if ('ms' in one) pass(one.ms);
        else if ('end' in one) gate.end(one.end, one.isReported, one.end);
        else output.isOpen = one.isOpen;
      }
      gate.close();
      const reported = reports.reduce((sum, { lines }) => sum + lines, 0);
      expect(admitted + output.dropped + reported).toBe(offered);
    }),
  );
});
