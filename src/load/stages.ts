/** Stages of a load test: for so long at such a rate, or from one rate to another. */
import { YodelError } from '../errors.ts';
import { parseQuantity } from '../format/units.ts';
import type { LatencyRecorder } from './latency-log.ts';
import type { DueTimes, ScheduleOptions } from './schedule.ts';
import type { Tally } from './tally.ts';

/** One stage. Its rate is the same throughout, or changes evenly. */
export interface Stage {
  readonly durationMs: number;
  /** Messages per second at its beginning. */
  readonly from: number;
  /** Messages per second at its end. */
  readonly to: number;
}

/** So that a message that is due exactly at a time counts as due, whatever the rounding. */
const tolerance = 1e-9;

/**
 * Parses `10s:100,60s:1000` (10 s at 100 per second, then 60 s at 1000), `30s:100..1000` (from 100 to 1000, evenly) and
 * `30s:..1000` (from the rate of the stage before).
 *
 * @throws YodelError `YODEL_INVALID_OPTION`
 */
export function parseStages(text: string): Stage[] {
  const stages: Stage[] = [];
  for (const part of text.split(',')) {
    const [, time = '', first = '', dots, last = ''] =
      /^\s*([^:]+):\s*([^.]*(?:\.\d+[^.]*)?)(\.\.)?(.*?)\s*$/.exec(part) ?? [];
    const before = stages.at(-1)?.to ?? 0;
    const durationMs = parseQuantity('duration', time.trim());
    const from = dots && first.trim() === '' ? before : parseQuantity('rate', first.trim());
    const to = dots ? parseQuantity('rate', last.trim()) : last === '' ? from : undefined;
    if (durationMs === undefined || durationMs === 0 || from === undefined || to === undefined) {
      const form = 'a time and a rate, such as 10s:100, 30s:100..1000 or 30s:..1000';
      throw new YodelError('YODEL_INVALID_OPTION', `"${part.trim()}" is not a stage; a stage is ${form}`);
    }
    stages.push({ durationMs, from, to });
  }
  if (stages.every(({ from, to }) => from === 0 && to === 0)) {
    throw new YodelError('YODEL_INVALID_OPTION', `no stage of "${text}" sends anything`);
  }
  return stages;
}

/** The text form: `10s:100,60s:100..1000`. */
export function formatStages(stages: readonly Stage[]): string {
  const rates = ({ from, to }: Stage) => (from === to ? `${from}` : `${from}..${to}`);
  return stages.map((stage) => `${stage.durationMs / 1000}s:${rates(stage)}`).join(',');
}

/** The duration of all stages. */
export function durationOf(stages: readonly Stage[]): number {
  return stages.reduce((sum, { durationMs }) => sum + durationMs, 0);
}

/** The number of messages of all stages, or of their first milliseconds, which need not be whole. */
export function messagesIn(stages: readonly Stage[], ms = durationOf(stages)): number {
  let left = ms;
  let sum = 0;
  for (const stage of stages) {
    sum += messagesUpTo(stage, Math.min(left, stage.durationMs));
    left = Math.max(0, left - stage.durationMs);
  }
  return sum;
}

/** A stage with what precedes it. */
interface Part extends Stage {
  /** When it begins, in milliseconds after the start. */
  readonly at: number;
  /** Messages due before it. */
  readonly before: number;
  readonly messages: number;
}

/** When messages are due. */
export class StagedSchedule implements DueTimes {
  readonly #start: number;
  readonly #every: number;
  readonly #offset: number;
  readonly #parts: readonly Part[];
  /** The stage of the message that was asked for last: the next one is usually in the same. */
  #last = 0;

  constructor(stages: readonly Stage[], { start, every, offset }: ScheduleOptions) {
    this.#start = start;
    this.#every = every;
    this.#offset = offset;
    this.#parts = stages.map((stage, index) => {
      const earlier = stages.slice(0, index);
      return { ...stage, at: durationOf(earlier), before: messagesIn(earlier), messages: messagesIn([stage]) };
    });
  }

  dueAt(number: number): number {
    const whole = this.#offset + number * this.#every;
    const parts = this.#parts;
    let index = this.#last;
    const reached = whole + tolerance;
    if ((parts[index] as Part).before > reached) index = 0;
    while (index + 1 < parts.length && (parts[index + 1] as Part).before <= reached) index++;
    this.#last = index;
    const part = parts[index] as Part;
    return this.#start + part.at + timeIn(part, whole - part.before);
  }

  countUpTo(now: number): number {
    const time = now - this.#start;
    let due = 0;
    for (const part of this.#parts) {
      if (time < part.at) break;
      // The message after a pause is due at the end of the pause: until then it does not count.
      if (part.messages === 0) due = part.before - 2 * tolerance;
      else due = part.before + messagesUpTo(part, Math.min(time - part.at, part.durationMs));
    }
    return time < 0 ? 0 : Math.max(0, Math.floor((due + tolerance - this.#offset) / this.#every) + 1);
  }
}

/** Messages due in the first milliseconds of a stage. */
function messagesUpTo({ durationMs, from, to }: Stage, ms: number): number {
  const slope = (to - from) / durationMs;
  return ((from + (slope * ms) / 2) * ms) / 1000;
}

/** When a message is due after the beginning of its stage: the inverse of {@link messagesUpTo}. */
function timeIn({ durationMs, from, to }: Stage, messages: number): number {
  const slope = (to - from) / durationMs;
  const wanted = messages * 1000;
  if (wanted <= 0) return 0;
  // Written so that it is also exact for a slope near 0.
  const root = Math.sqrt(Math.max(0, from * from + 2 * slope * wanted));
  const time = (2 * wanted) / (from + root);
  return Number.isFinite(time) ? Math.min(time, durationMs) : durationMs;
}

/** The index of the stage at a time after the start, in milliseconds. */
export function stageAt(stages: readonly Stage[], ms: number): number {
  let ends = 0;
  for (let index = 0; index < stages.length - 1; index++) {
    ends += (stages[index] as Stage).durationMs;
    if (ms < ends - tolerance) return index;
  }
  return stages.length - 1;
}

/** Records latencies of the whole run, and of the stage in which each message was due. */
export class StageRecorder implements LatencyRecorder {
  readonly #stages: readonly Stage[];
  readonly #tally: Tally;
  readonly #start: number;

  constructor(stages: readonly Stage[], tally: Tally, start: number) {
    this.#stages = stages;
    this.#tally = tally;
    this.#start = start;
  }

  /** The stage at a time. */
  at(time: number): number {
    return stageAt(this.#stages, time - this.#start);
  }

  record(value: number, count = 1): void {
    this.#tally.latency.record(value, count);
    // This is a little later than when the reply arrived, but earlier than the next message is due.
    this.#tally.stage(this.at(performance.now() - value)).latency.record(value, count);
  }
}
