import * as os from 'node:os';
import type { GeneratorEnd } from '../generator.ts';
import type { Histogram } from '../histogram.ts';
import type { LoadSettings } from '../plan.ts';
import type { ScriptText } from '../scenario/text.ts';
import { durationOf, formatStages, type Stage } from '../stages.ts';
import { bottleneckReason } from './bottleneck.ts';
import { type Collection, round } from './collection.ts';
import type { BenchReport, BenchStage, BenchTranscript, LatencySummary } from './report.ts';

/** A completed run. */
export interface RunResult {
  readonly settings: LoadSettings;
  readonly collection: Collection;
  readonly started: Date;
  readonly ended: BenchReport['ended'];
  readonly elapsedMs: number;
  readonly sendingMs: number;
  /** The share of one core that the busiest process used. */
  readonly cpu: number;
}

/** Combines the ends of all processes into the end of the run. */
export function endOfAll(ends: readonly GeneratorEnd[]): GeneratorEnd {
  const is = (ended: GeneratorEnd['ended']) => ends.some((one) => one.ended === ended);
  return {
    ended: is('interrupted') ? 'interrupted' : is('failed') ? 'failed' : 'done',
    elapsedMs: Math.max(...ends.map(({ elapsedMs }) => elapsedMs)),
    sendingMs: Math.max(...ends.map(({ sendingMs }) => sendingMs)),
    cpu: Math.max(...ends.map(({ cpu }) => cpu)),
  };
}

/** Creates the report of a run. @param version of yodel */
export function createReport(version: string, result: RunResult): BenchReport {
  const { settings, collection, started, ended, elapsedMs, cpu } = result;
  const answering = answeringMs(result) / 1000;
  const { total } = collection;
  const { failed, unasked, untimed } = total;
  const {
    stages,
    reconnectEach = false,
    connections,
    pipeline,
    count,
    durationMs,
    rate,
    framing,
    replies,
    threads,
  } = settings;
  const seconds = elapsedMs / 1000;
  const perSecond = (messages: number, time = seconds) => (time > 0 ? round(messages / time) : 0);
  const expectsReplies = replies !== 'none';
  const cores = os.availableParallelism();
  return {
    kind: 'yodel-bench',
    version: 1,
    yodel: version,
    runtime: process.versions.bun ? `Bun ${process.versions.bun}` : `Node ${process.versions.node}`,
    machine: { cpu: os.cpus()[0]?.model ?? 'unknown', cores, os: `${os.type()} ${os.release()}` },
    started: started.toISOString(),
    address: settings.address,
    options: {
      ...{ connections, pipeline, count, durationMs, rate, size: sizeOf(settings), framing, replies, threads },
      ...{ reconnectEach, stages: stages ? formatStages(stages) : null },
    },
    seconds: round(seconds),
    ended,
    messages: expectsReplies
      ? { sent: total.sent, answered: total.answered, unanswered: total.sent - total.answered }
      : { sent: total.answered, answered: 0, unanswered: 0 },
    replies: { failed, untimed, unasked },
    bytes: { sent: total.bytesSent, received: total.bytesReceived },
    rate: { target: rate, achieved: perSecond(total.answered, answering) },
    latency: latencySummary(total.latency),
    connect: latencySummary(total.connect),
    errors: Array.from(total.errors, ([key, { count, example }]) => ({
      code: key.split(' ', 1)[0] ?? key,
      count,
      example,
    })).sort((a, b) => b.count - a.count),
    connections: { wanted: connections, opened: total.opened, lost: total.lost },
    generator: {
      cpu: round(cpu),
      lateness: rate === null ? null : latenessSummary(total.lateness),
      limited: bottleneckReason({
        seconds,
        cpu,
        threads,
        cores,
        latenessP99: total.lateness.count === 0 ? null : total.lateness.percentile(99),
        latencyP99: total.latency.count === 0 ? null : total.latency.percentile(99),
        targetRate: rate,
        sentRate: perSecond(settings.transcript ? total.rounds : total.sent, result.sendingMs / 1000),
      }),
    },
    transcript: settings.transcript ? transcriptOf(settings.transcript, collection, seconds) : null,
    stages: settings.stages ? stagesOf(settings.stages, collection, elapsedMs) : null,
    intervals: collection.intervals(elapsedMs),
    histogram: Array.from(total.latency.entries(), ([value, count]) => [round(value), count] as const),
  };
}

function transcriptOf({ file, requests }: ScriptText, { total }: Collection, seconds: number): BenchTranscript {
  return {
    file,
    rounds: total.rounds,
    rate: seconds > 0 ? round(total.rounds / seconds) : 0,
    requests: requests.map(({ line, file, text }, index) => {
      const { sent, errors, latency } = total.request(index);
      const place = file === undefined ? { line } : { line, file };
      return { ...place, text, sent, answered: latency.count, errors, latency: latencySummary(latency) };
    }),
  };
}

function stagesOf(stages: readonly Stage[], collection: Collection, elapsedMs: number): BenchStage[] {
  return stages.map(({ durationMs, from, to }, index) => {
    const { sent, errors, latency } = collection.total.stage(index);
    const at = durationOf(stages.slice(0, index));
    const seconds = Math.max(0, Math.min(durationMs, elapsedMs - at)) / 1000;
    const isKnown = !collection.isDoubtful(at / 1000, (at + durationMs) / 1000);
    return {
      ...{ seconds: round(seconds), from, to, sent, answered: latency.count, errors },
      rate: seconds > 0 ? round(latency.count / seconds) : 0,
      latency: isKnown ? latencySummary(latency) : null,
    };
  });
}

/**
 * The time over which replies arrived. In an open loop it starts with the first reply, one latency after the first message.
 * Otherwise a server that answers every message in time would seem to miss the target rate.
 */
function answeringMs({ settings, collection, elapsedMs, sendingMs }: RunResult): number {
  if (settings.rate === null) return elapsedMs;
  const { latency } = collection.total;
  return Math.max(sendingMs, elapsedMs - (latency.count === 0 ? 0 : latency.min));
}

function sizeOf({ messages }: LoadSettings): number | null {
  if ('size' in messages) return messages.size;
  const sizes = new Set(messages.given.map(({ length }) => length));
  const [size] = sizes;
  return sizes.size === 1 && size !== undefined ? size : null;
}

function latencySummary(latency: Histogram): LatencySummary | null {
  if (latency.count === 0) return null;
  const at = (percent: number) => round(latency.percentile(percent));
  return {
    min: round(latency.min),
    mean: round(latency.mean),
    stdev: round(latency.stdev),
    max: round(latency.max),
    p50: at(50),
    p75: at(75),
    p90: at(90),
    p95: at(95),
    p99: at(99),
    p999: at(99.9),
    p9999: at(99.99),
    p99999: at(99.999),
  };
}

function latenessSummary(lateness: Histogram): BenchReport['generator']['lateness'] {
  if (lateness.count === 0) return null;
  return { p50: round(lateness.percentile(50)), p99: round(lateness.percentile(99)), max: round(lateness.max) };
}
