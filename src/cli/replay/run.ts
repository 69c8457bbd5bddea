/** Runs `yodel replay`. */
import { closeSync, openSync, readSync } from 'node:fs';
import { parseAddress } from '../../address.ts';
import { formatCount, formatCountOf, formatLatency, formatSeconds } from '../../format/figures.ts';
import type { JournalReader } from '../../journal/journal.ts';
import type { Histogram } from '../../load/histogram.ts';
import { planOf } from '../../replay/from-journal.ts';
import { planOfTranscript } from '../../replay/from-transcript.ts';
import { Replay, type ReplayDifference, type ReplayProgress, type ReplayResult } from '../../replay/replay.ts';
import type { ReplayPlan } from '../../replay/step.ts';
import { escapeBeginning, escapeJson, escapeText } from '../../terminal/escape.ts';
import { ProgressLine } from '../../terminal/progress-line.ts';
import { parseTranscript } from '../../transcript/parse.ts';
import type { Content } from '../../transcript/transcript.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { readText } from '../files.ts';
import { onInterruption } from '../interruption.ts';
import { print } from '../output.ts';
import { readTlsFlags } from '../tls-flags.ts';
import type { ReplayFlags } from './flags.ts';

/** Resolves with the exit status. @throws UsageError, TranscriptError, YodelError */
export async function runReplay(recording: string, where: string, flags: ReplayFlags): Promise<number> {
  const address = parseAddress(where);
  const opened = await openRecording(recording, flags);
  const { plan } = opened;
  const interruption = onInterruption();
  const progress = new ProgressLine();
  const replay = new Replay(plan.steps(), {
    address,
    speed: flags.speed,
    // A transcript says all that is to come; a journal may have recorded only what the clients sent.
    compares: plan.expects > 0 || !opened.reader,
    timeoutMs: flags.timeout,
    connectTimeoutMs: flags.connectTimeout,
    tls: readTlsFlags({ ...flags }, address),
    signal: interruption.stopped.signal,
  });
  const timer = setInterval(() => progress.showText(progressText(replay.progress, plan)), 200);
  try {
    const result = await replay.done;
    progress.clear();
    await print(flags.json ? `${resultJson(result, plan)}\n` : resultText(result, plan));
    return interruption.status ?? (result.differences > 0 ? exitStatus.unmet : exitStatus.good);
  } finally {
    clearInterval(timer);
    interruption.done();
    await opened.reader?.close();
  }
}

async function openRecording(
  recording: string,
  { session, since, until, peer }: ReplayFlags,
): Promise<{ readonly plan: ReplayPlan; readonly reader?: JournalReader }> {
  const query = { session, since, until, peer };
  if (!isDatabase(recording)) {
    const [given] = Object.entries(query).find(([, value]) => value !== undefined) ?? [];
    if (given !== undefined) throw new UsageError(`--${given} is for journals, and ${recording} is a transcript`);
    return { plan: planOfTranscript(parseTranscript(readText(recording), recording)) };
  }
  const reader = (await import('../../journal/reader.ts')).readJournal(recording);
  const plan = await planOf(reader, query);
  if (plan.sends + plan.expects > 0) return { plan, reader };
  await reader.close();
  throw new UsageError(`${recording} has no such messages; yodel journal ls ${recording} shows what it has`);
}

/** Whether a file is one of SQLite: a transcript is text. */
function isDatabase(path: string): boolean {
  const first = Buffer.alloc(16);
  try {
    const descriptor = openSync(path, 'r');
    readSync(descriptor, first, 0, first.length, 0);
    closeSync(descriptor);
  } catch {
    // Whoever reads it says what is wrong with it.
    return false;
  }
  return first.toString('latin1') === 'SQLite format 3\0';
}

function progressText({ sent, differences, open, elapsedMs }: ReplayProgress, { sends }: ReplayPlan): string {
  const done = `${formatCount(sent)} of ${formatCountOf(sends, 'message')}`;
  return `${formatSeconds(elapsedMs / 1000)}  ${done}  ${formatCountOf(open, 'connection')}  ${formatCountOf(differences, 'difference')}`;
}

const percentiles = [50, 90, 99, 100] as const;

function resultText(result: ReplayResult, plan: ReplayPlan): string {
  const { sessions, sent, received, compared, equal, differences, elapsedMs, found } = result;
  const lines = found.map(differenceText);
  if (differences > found.length) lines.push(`and ${formatCountOf(differences - found.length, 'difference')} more`);
  lines.push(
    `${formatCountOf(sessions, 'session')}, ${formatCountOf(sent, 'message')} sent in ${formatSeconds(elapsedMs / 1000)}`,
  );
  if (plan.expects === 0) {
    lines.push(`${formatCountOf(received, 'answer')} came; none was recorded, so there is nothing to compare`);
  } else
    lines.push(`${formatCount(equal)} of ${formatCountOf(Math.max(compared, plan.expects), 'answer')} as recorded`);
  if (result.latency.count > 0) {
    lines.push(`latency   now       ${latencyText(result.latency)}`);
    // A transcript has no times.
    if (result.recordedLatency.max > 0) lines.push(`          recorded  ${latencyText(result.recordedLatency)}`);
  }
  return `${lines.join('\n')}\n`;
}

function latencyText(histogram: Histogram): string {
  return percentiles
    .map((percentile) => `${nameOf(percentile)} ${formatLatency(histogram.percentile(percentile)).padStart(7)}`)
    .join('  ');
}

function nameOf(percentile: number): string {
  return percentile === 100 ? 'max' : `p${percentile}`;
}

function differenceText({ session, place, expected, actual, reason }: ReplayDifference): string {
  const where = session === '' ? place : `session ${session}, ${place}`;
  const lines = [`${where}: ${escapeText(reason)}`];
  if (expected) lines.push(`  - ${contentText(expected)}`);
  if (actual) lines.push(`  + ${escapeBeginning(actual)}`);
  return lines.join('\n');
}

function contentText(content: Content): string {
  if (content.kind === 'pattern') return escapeText(String(content.pattern));
  return content.parts.map((part) => (part instanceof Uint8Array ? escapeBeginning(part) : `{${part.name}}`)).join('');
}

function resultJson({ found, latency, recordedLatency, ...counts }: ReplayResult, plan: ReplayPlan): string {
  const latencyOf = (histogram: Histogram) =>
    histogram.count === 0
      ? null
      : Object.fromEntries(percentiles.map((percentile) => [nameOf(percentile), histogram.percentile(percentile)]));
  const text = ({ session, place, expected, actual, reason }: ReplayDifference) => ({
    session,
    place,
    reason,
    expected: expected ? contentText(expected) : null,
    actual: actual ? escapeBeginning(actual) : null,
  });
  const latencies = { latencyMs: latencyOf(latency), recordedLatencyMs: latencyOf(recordedLatency) };
  return escapeJson(JSON.stringify({ ...counts, expected: plan.expects, ...latencies, found: found.map(text) }));
}
