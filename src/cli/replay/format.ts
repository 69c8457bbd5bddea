/** How progress and result of a replay are printed: as text, or as JSON. */
import { formatCount, formatCountOf, formatLatency, formatSeconds } from '../../format/figures.ts';
import { spacedHex } from '../../format/hex.ts';
import type { Message } from '../../framing/message.ts';
import type { Histogram } from '../../load/histogram.ts';
import type { ReplayDifference, ReplayProgress, ReplayResult } from '../../replay/result.ts';
import type { ReplaySize } from '../../replay/step.ts';
import { escapeBeginning, escapeJson, escapeText } from '../../terminal/escape.ts';
import { beforePayload } from '../../terminal/message-parts.ts';
import { showContent } from '../../transcript/content/show.ts';
import type { Content, MessageContent } from '../../transcript/transcript.ts';

/** A line of progress. */
export function formatProgress({ sent, differences, open, elapsedMs }: ReplayProgress, { sends }: ReplaySize): string {
  const done = `${formatCount(sent)} of ${formatCountOf(sends, 'message')}`;
  return `${formatSeconds(elapsedMs / 1000)}  ${done}  ${formatCountOf(open, 'connection')}  ${formatCountOf(differences, 'difference')}`;
}

/** The result as text: the first differences, the totals, and the latencies. */
export function formatResult(result: ReplayResult, plan: ReplaySize): string {
  const { sessions, sent, received, compared, equal, differences, elapsedMs, found } = result;
  const lines = found.map(formatDifference);
  if (differences > found.length) lines.push(`and ${formatCountOf(differences - found.length, 'more difference')}`);
  const time = formatSeconds(elapsedMs / 1000);
  lines.push(`${formatCountOf(sessions, 'session')}, ${formatCountOf(sent, 'message')} sent in ${time}`);
  lines.push(
    plan.expects === 0
      ? `${formatCountOf(received, 'reply', 'replies')} received; none was recorded, so there is nothing to compare`
      : `${formatCount(equal)} of ${formatCountOf(Math.max(compared, plan.expects), 'reply', 'replies')} as recorded`,
  );
  lines.push(...formatLatencyLines(result, plan));
  return `${lines.join('\n')}\n`;
}

/** The latencies, and of how many replies they are; or why there are none. */
function formatLatencyLines(result: ReplayResult, plan: ReplaySize): string[] {
  const { latency, recordedLatency, sent } = result;
  const unmeasured = whyUnmeasured(result, plan);
  if (unmeasured !== undefined) return [`latency   not measured, because ${unmeasured}`];
  const lines = [`latency   now       ${formatLatencies(latency)}`];
  // A transcript may have no times.
  if (recordedLatency.max > 0) lines.push(`          recorded  ${formatLatencies(recordedLatency)}`);
  if (latency.count < sent) {
    const counts = `${formatCount(latency.count)} of ${formatCountOf(sent, 'message')}`;
    lines.push(`          for ${counts}; the others got no reply as recorded, or were sent several at a time`);
  }
  return lines;
}

/** Why no latency was measured; undefined if any was. */
function whyUnmeasured({ latency, sent, received, equal }: ReplayResult, plan: ReplaySize): string | undefined {
  if (latency.count > 0) return undefined;
  if (sent === 0) return 'nothing was sent';
  if (received === 0) return 'nothing was received';
  if (plan.expects === 0) return 'no reply was recorded';
  if (equal === 0) return 'no reply was as recorded';
  return 'no reply followed a single message: which one it answers is not certain';
}

/** The result as one JSON object. */
export function formatResultJson(
  { found, latency, recordedLatency, ...counts }: ReplayResult,
  plan: ReplaySize,
): string {
  const latencies = {
    measured: latency.count,
    latencyMs: percentilesOf(latency),
    recordedLatencyMs: percentilesOf(recordedLatency),
    unmeasured: whyUnmeasured({ found, latency, recordedLatency, ...counts }, plan),
  };
  return escapeJson(
    JSON.stringify({ ...counts, expected: plan.expects, ...latencies, found: found.map(differenceFields) }),
  );
}

const percentiles = [50, 90, 99, 100] as const;

function formatLatencies(histogram: Histogram): string {
  return percentiles
    .map((percentile) => `${nameOf(percentile)} ${formatOneLatency(histogram.percentile(percentile)).padStart(7)}`)
    .join('  ');
}

/** A recording has no times as short as this: nothing was noted between the two messages. */
function formatOneLatency(ms: number): string {
  return ms < 0.001 ? '~0 ms' : formatLatency(ms);
}

function percentilesOf(histogram: Histogram): Readonly<Record<string, number>> | null {
  if (histogram.count === 0) return null;
  return Object.fromEntries(percentiles.map((percentile) => [nameOf(percentile), histogram.percentile(percentile)]));
}

function nameOf(percentile: number): string {
  return percentile === 100 ? 'max' : `p${percentile}`;
}

function formatDifference({ session, place, expected, actual, reason }: ReplayDifference): string {
  const where = session === '' ? place : `session ${session}, ${place}`;
  const lines = [`${where}: ${escapeText(reason)}`];
  if (expected) lines.push(`  - ${formatExpected(expected)}`);
  if (actual) lines.push(`  + ${formatActual(actual)}`);
  return lines.join('\n');
}

function differenceFields({ session, place, expected, actual, reason }: ReplayDifference): object {
  return {
    session,
    place,
    reason,
    expected: expected ? formatExpected(expected) : null,
    actual: actual ? formatActual(actual) : null,
  };
}

function formatExpected({ content, header, isBinary }: MessageContent): string {
  const mark = isBinary ? 'binary ' : '';
  const before = header ? `${escapeText(showContent(header, spacedHex))} | ` : '';
  return `${mark}${before}${formatContent(content)}`;
}

function formatContent(content: Content): string {
  return content.kind === 'parts' ? showContent(content, escapeBeginning) : escapeText(showContent(content, String));
}

function formatActual(message: Message): string {
  return `${beforePayload(message)}${escapeBeginning(message.bytes)}`;
}
