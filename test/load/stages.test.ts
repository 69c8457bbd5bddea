import { expect, test } from 'vitest';
import { sharesOf } from '../../src/load/plan.ts';
import { Collection } from '../../src/load/result/collection.ts';
import { Schedule } from '../../src/load/schedule.ts';
import {
  durationOf,
  formatStages,
  messagesIn,
  parseStages,
  type Stage,
  StagedSchedule,
  StageRecorder,
  stageAt,
} from '../../src/load/stages.ts';
import { Tally } from '../../src/load/tally.ts';
import { fc } from '../support/fast-check.ts';
import { settingsOf } from './settings.ts';

const someStages = fc.array(
  fc.record({
    durationMs: fc.integer({ min: 1, max: 5000 }),
    from: fc.integer({ min: 0, max: 2000 }),
    to: fc.integer({ min: 0, max: 2000 }),
  }),
  { minLength: 1, maxLength: 5 },
);

test.each<[string, Stage[]]>([
  ['10s:100', [{ durationMs: 10_000, from: 100, to: 100 }]],
  [
    '10s:100,60s:1000',
    [
      { durationMs: 10_000, from: 100, to: 100 },
      { durationMs: 60_000, from: 1000, to: 1000 },
    ],
  ],
  [
    '500ms:1k/s, 1m:..2k/s, 30s:..0, 5s:0, 1s:0.5..1.5',
    [
      { durationMs: 500, from: 1000, to: 1000 },
      { durationMs: 60_000, from: 1000, to: 2000 },
      { durationMs: 30_000, from: 2000, to: 0 },
      { durationMs: 5000, from: 0, to: 0 },
      { durationMs: 1000, from: 0.5, to: 1.5 },
    ],
  ],
  ['10s:..100', [{ durationMs: 10_000, from: 0, to: 100 }]],
])('reads %j', (text, stages) => {
  expect(parseStages(text)).toEqual(stages);
  expect(parseStages(formatStages(stages))).toEqual(stages);
});

test.each([
  '',
  '10s',
  '10s:',
  '0s:100',
  '10:',
  ':100',
  '10s:x',
  '10s:1..',
  '10s:1..2..3',
  '10s:100,',
  '10s:0',
  '10s:-1',
])('refuses %j', (text) => {
  expect(() => parseStages(text)).toThrow(/is not a stage; a stage is a time and a rate|no stage of/);
});

test('one stage is a schedule with that rate', () => {
  const options = { start: 50, rate: 200, every: 2, offset: 1 };
  const schedule = new Schedule(options);
  const staged = new StagedSchedule([{ durationMs: 1_000_000, from: 200, to: 200 }], options);
  for (const number of [0, 1, 2, 999]) expect(staged.dueAt(number)).toBeCloseTo(schedule.dueAt(number), 6);
  for (const now of [0, 49, 54, 56, 1000.5]) expect(staged.countUpTo(now)).toBe(schedule.countUpTo(now));
});

test('messages are due in order, within their stages, and count as due from then on', () => {
  fc.assert(
    fc.property(someStages, fc.integer({ min: 1, max: 3 }), (stages, every) => {
      const total = Math.floor(messagesIn(stages));
      const processes = Array.from(
        { length: every },
        (_, offset) => new StagedSchedule(stages, { start: 1000, rate: 1, every, offset }),
      );
      let before = 1000;
      for (let number = 0; number < Math.min(total, 200); number++) {
        const schedule = processes[number % every] as StagedSchedule;
        const own = Math.floor(number / every);
        const due = schedule.dueAt(own);
        expect(due).toBeGreaterThanOrEqual(before - 1e-6);
        expect(schedule.countUpTo(due + 1e-3)).toBeGreaterThan(own);
        if (due - 0.5 > 1000) expect(schedule.countUpTo(due - 0.5)).toBeLessThanOrEqual(own);
        before = due;
      }
      const all = processes.reduce((sum, schedule) => sum + schedule.countUpTo(1000 + durationOf(stages)), 0);
      expect(Math.abs(all - messagesIn(stages))).toBeLessThanOrEqual(1 + 1e-6);
    }),
  );
});

test.each(['100ms:0,1s:1000', '1s:10,5s:0,1s:10', '1s:10,5s:0,5s:0,1s:10..20', '1s:10..0,5s:0,1s:..10'])(
  'nothing is sent early, before or in a pause: %s',
  (text) => {
    const stages = parseStages(text);
    const schedule = new StagedSchedule(stages, { start: 0, rate: 1, every: 1, offset: 0 });
    for (let number = 0; number < messagesIn(stages); number++) {
      const due = schedule.dueAt(number);
      if (due > 0.1) expect(schedule.countUpTo(due - 0.1)).toBeLessThanOrEqual(number);
      expect(schedule.countUpTo(due + 0.01)).toBeGreaterThan(number);
    }
  },
);

test('a rate that rises evenly sends as many messages as its mean', () => {
  const stages = parseStages('10s:0..100,1s:100');
  expect(messagesIn(stages)).toBe(600);
  const schedule = new StagedSchedule(stages, { start: 0, rate: 1, every: 1, offset: 0 });
  // Half of the time is a quarter of the messages.
  expect(schedule.countUpTo(5000)).toBe(126);
  expect(schedule.dueAt(125)).toBeCloseTo(5000, 6);
  expect(schedule.dueAt(500)).toBeCloseTo(10_000, 6);
  expect(schedule.dueAt(600)).toBeCloseTo(11_000, 6);
});

test('the processes of a run share its messages', () => {
  const stages = parseStages('1s:10,1s:21');
  const counts = sharesOf(settingsOf({ stages, rate: 15.5, durationMs: 2000, threads: 2 })).map(({ count }) => count);
  expect(counts).toEqual([16, 15]);
  const cut = (changes: object) => sharesOf(settingsOf({ stages, rate: 15.5, ...changes })).map(({ count }) => count);
  expect(cut({ durationMs: 1500 })).toEqual([21]);
  expect(cut({ durationMs: 2000, count: 5 })).toEqual([5]);
});

test('a latency belongs to the stage in which its message was due', () => {
  const stages = parseStages('1s:10,1s:20,1s:30');
  expect([0, 999.9, 1000, 1999, 2000, 9999].map((ms) => stageAt(stages, ms))).toEqual([0, 0, 1, 1, 2, 2]);
  const tally = new Tally();
  // As if the run had begun 2.5 s ago: a latency of 2 s is that of a message due at 0.5 s.
  const recorder = new StageRecorder(stages, tally, performance.now() - 2500);
  recorder.record(2000, 3);
  recorder.record(10);
  expect([0, 1, 2].map((index) => tally.stage(index).latency.count)).toEqual([3, 0, 1]);
  expect(tally.latency.count).toBe(4);
});

test('the tallies of all processes and seconds are joined by stage', () => {
  const collection = new Collection(2);
  for (const process of [0, 1]) {
    const tally = new Tally();
    tally.stageNow = () => 1;
    tally.stage(1).sent = 5;
    tally.stage(1).latency.record(7, 4);
    tally.fail('YODEL_REPLY_TIMEOUT', 'late');
    const received = new Tally();
    received.addData(JSON.parse(JSON.stringify(tally)));
    collection.add(process, 0, received, 1, true);
  }
  const { sent, errors, latency } = collection.total.stage(1);
  expect({ sent, errors, answered: latency.count, max: latency.max }).toEqual({
    sent: 10,
    errors: 2,
    answered: 8,
    max: 7,
  });
  expect(collection.total.stage(0)).toMatchObject({ sent: 0, errors: 0 });
});
