/** What a load test did and found, in sentences, for the summary and the page. Text from outside is escaped. */
import {
  formatBytes,
  formatCount,
  formatCountOf,
  formatLatency,
  formatRate,
  formatSeconds,
  formatShare,
} from '../format/figures.ts';
import { countBeyond, countNeeded, fewBeyond } from '../load/result/percentile.ts';
import type { BenchReport, BenchRequest, BenchStage, BenchTranscript, LatencySummary } from '../load/result/report.ts';
import { escapeText } from '../terminal/escape.ts';

/** A highlighted sentence. */
export interface Finding {
  /** `bad`: something failed. `doubt`: the numbers may mislead. */
  readonly weight: 'bad' | 'doubt';
  readonly text: string;
}

/** Below this share of the target rate, the rate was missed. */
const reachedShare = 0.99;

/** What the run did: which messages it sent, over how many connections, where, how and for how long. */
export function describeRun(report: BenchReport): string {
  const { address, options, rate, transcript } = report;
  const { connections, pipeline, framing, threads, replies, reconnectEach } = options;
  const from = threads > 1 ? ` of ${formatCount(threads)} processes` : '';
  const atATime = reconnectEach ? ' at a time' : '';
  const who = `${formatCountOf(connections, 'connection')}${atATime}${from} to ${escapeText(address)}`;
  const load = reconnectEach && pipeline !== null ? 'one over each, then a new connection' : loadOf(options, rate);
  const checked = {
    echo: 'Every reply was compared with its message.',
    count: 'Replies were counted, not compared.',
    none: 'No replies were expected.',
  }[replies];
  if (transcript) return `${who} played ${escapeText(transcript.file)}${roundsOf(options, rate)}.`;
  return `${who} sent ${whatAndHowLong(options)}, ${load}. Framing: ${escapeText(framing)}. ${checked}`;
}

function roundsOf(
  { count, durationMs, pipeline, stages }: BenchReport['options'],
  { target }: BenchReport['rate'],
): string {
  const limits = [
    ...(count === null ? [] : [` ${formatCountOf(count, 'time')}`]),
    ...(durationMs === null ? [] : [` for ${formatSeconds(durationMs / 1000)}`]),
  ];
  if (pipeline !== null) return limits.join('');
  return `${limits.join('')} at ${stages === null ? `${formatCount(target ?? 0)} rounds per second` : `rates in stages (${stages})`}`;
}

function loadOf({ pipeline, reconnectEach, stages }: BenchReport['options'], { target }: BenchReport['rate']): string {
  if (pipeline !== null) return `${formatCount(pipeline)} in flight on each`;
  const own = reconnectEach ? ', each over a connection of its own' : '';
  const rate = stages === null ? `${formatCount(target ?? 0)} per second in total` : `rates in stages (${stages})`;
  return `at ${rate}, whether or not replies had arrived${own}`;
}

function whatAndHowLong({ count, durationMs, size }: BenchReport['options']): string {
  const time = durationMs === null ? undefined : formatSeconds(durationMs / 1000);
  const kind = size === null ? 'of various sizes' : `of ${formatCountOf(size, 'byte')}`;
  if (count === null) return `messages ${kind}${time === undefined ? '' : ` for ${time}`}`;
  const exact = `${formatCountOf(count, 'message')} ${kind}`;
  return time === undefined ? exact : `up to ${exact} for up to ${time}`;
}

/** Findings to report with the numbers, the worst first. */
export function findingsOf(report: BenchReport): Finding[] {
  return [...ending(report), ...shortcomings(report), ...doubtfulReplies(report), ...bottleneck(report)];
}

function ending({ ended, seconds, messages, options, errors }: BenchReport): Finding[] {
  const after = `after ${formatSeconds(seconds)}`;
  const found: Finding[] = [];
  if (errors.some(({ code }) => code === 'YODEL_PROCESS_LOST')) {
    found.push(bad('A process of the load generator was lost; its share of the load is missing from then on.'));
  } else if (ended === 'failed') {
    found.push(bad(`The run was aborted ${after}: connections were lost, and no reply arrived within the time-out.`));
  }
  if (ended === 'interrupted') found.push(doubt(`The run was interrupted ${after}; these are the results so far.`));
  if (messages.answered === 0 && options.replies !== 'none') found.push(bad(noAnswer(errors)));
  return found;
}

function noAnswer(errors: BenchReport['errors']): string {
  const [first] = errors;
  const isNoEcho = first?.code === 'YODEL_WRONG_REPLY' || first?.code === 'YODEL_UNEXPECTED_REPLY';
  const advice =
    'For a server whose replies are not echoes, use --replies count; for one that sends something first, --greeting.';
  return `No message was answered${isNoEcho ? ` with the same bytes. ${advice}` : '.'}`;
}

function shortcomings({ messages, connections, ended, options }: BenchReport): Finding[] {
  const found: Finding[] = [];
  const { wanted, opened, lost } = connections;
  if (opened < wanted && !options.reconnectEach) {
    found.push(bad(`Only ${formatCount(opened)} of ${formatCountOf(wanted, 'connection')} could be opened.`));
  }
  if (lost > 0) found.push(bad(`${formatCountOf(lost, 'connection was', 'connections were')} lost.`));
  // Messages in flight when the user interrupted the run are not failures.
  if (messages.unanswered > 0 && messages.answered > 0 && ended !== 'interrupted') {
    const unanswered = formatCountOf(messages.unanswered, 'message was', 'messages were');
    found.push(bad(`${unanswered} not answered; the latencies do not include them.`));
  }
  return found;
}

/** Replies that report an error, and messages that are no replies. */
function doubtfulReplies({ messages, replies: { failed, unasked, untimed }, options }: BenchReport): Finding[] {
  const found: Finding[] = [];
  if (failed > 0) {
    const share = formatShare(failed, messages.answered);
    const replies = formatCountOf(failed, 'reply reports an error', 'replies report an error');
    found.push(bad(`${replies}, ${share} of all; the latencies are those of the others.`));
  }
  if (untimed > 0) {
    found.push(
      bad(
        `The latencies of ${formatCountOf(untimed, 'message')} are unknown and left out: on their connections the server ` +
          'sent more or fewer messages than requests, so it cannot be said which reply belongs to which request. ' +
          'If it sends something first, use --greeting; if a reply is several messages, another --reply-framing.',
      ),
    );
  }
  if (unasked > 0) {
    // With a connection for each message, each process learned it from one.
    const each = Math.max(1, Math.round(unasked / (options.reconnectEach ? options.threads : options.connections)));
    const arrived = formatCountOf(unasked, 'message');
    found.push(
      doubt(
        `The server sent ${arrived} before any request. They are not counted as replies; --greeting ${each} says so.`,
      ),
    );
  }
  return found;
}

function bottleneck(report: BenchReport): Finding[] {
  const { limited } = report.generator;
  const found: Finding[] = [];
  if (limited !== null) {
    found.push(doubt(`The load generator may have been the bottleneck. ${sentence(escapeText(limited))}`));
  }
  if (hasMissed(report) && (limited === null || hasSentAll(report))) {
    const { options, rate, transcript } = report;
    const share = formatShare(achievedOf(report), rate.target ?? 0);
    const verb = options.replies === 'none' ? 'accepted' : 'answered';
    const did = transcript ? `only ${share}` : `it ${verb} ${share}`;
    const what = transcript ? 'rounds could be played, because no connection was free' : 'messages';
    found.push(
      bad(
        `The server did not keep up: ${did} of the scheduled ${what}. ` +
          'Latencies count from when a message was due, so they grow with the length of such a run.',
      ),
    );
  }
  return found;
}

function hasMissed(report: BenchReport): boolean {
  const { target } = report.rate;
  return target !== null && report.ended !== 'failed' && achievedOf(report) < target * reachedShare;
}

/** Whether the generator sent the messages that were due: what it did not send could not be answered. */
function hasSentAll({
  rate: { target },
  messages,
  transcript,
  options: { durationMs },
  seconds,
}: BenchReport): boolean {
  const sent = transcript ? transcript.rounds : messages.sent;
  const sending = Math.min(seconds, durationMs === null ? seconds : durationMs / 1000);
  return sent >= (target ?? 0) * sending * reachedShare;
}

/** The rate and its origin: `482,013 messages answered in 10 s: 48,200 per second`. */
export function describeRate({ messages, replies, options, rate, seconds }: BenchReport): string {
  const [count, done] = options.replies === 'none' ? [messages.sent, 'sent'] : [messages.answered, 'answered'];
  const perSecond = formatCount(Number(rate.achieved.toPrecision(3)));
  const failed = replies.failed > 0 ? `, ${formatCount(replies.failed)} of them with an error` : '';
  return `${formatCountOf(count, 'message')} ${done} in ${formatSeconds(seconds)}: ${perSecond} per second${failed}`;
}

/** The target rate and the share that was reached; undefined in a closed loop. */
export function describeTarget(report: BenchReport): string | undefined {
  const { target } = report.rate;
  if (target === null) return undefined;
  const what = report.transcript ? ' rounds' : '';
  return `${formatCount(target)}${what} per second, of which ${formatShare(achievedOf(report), target)} was reached`;
}

/** What a target rate is about: the messages, or the rounds of a transcript. */
function achievedOf({ rate, transcript }: BenchReport): number {
  return transcript ? transcript.rate : rate.achieved;
}

/** How long connecting took, if each message had a connection of its own. */
export function describeConnecting({ connect }: BenchReport): string | undefined {
  if (!connect) return undefined;
  const [min, p50, p99, max] = [connect.min, connect.p50, connect.p99, connect.max].map(formatLatency);
  return `${min} (min), ${p50} (p50), ${p99} (p99), ${max} (max)`;
}

/** What was scheduled in a stage: `10 s at 100/s`, `30 s from 100/s to 1,000/s`. */
export function describeStage({ seconds, from, to }: BenchStage): string {
  const rates = from === to ? `at ${formatRate(from)}` : `from ${formatRate(from)} to ${formatRate(to)}`;
  return `${formatSeconds(seconds)} ${rates}`;
}

/** How often a transcript was played: `1,200 in 10 s: 120 per second`. */
export function describeRounds({ rounds, rate }: BenchTranscript): string {
  return `${formatCountOf(rounds, 'round')} of the transcript: ${formatRate(rate)}`;
}

/** A request of a transcript: its line number, and the line. @param maxLength of the line */
export function describeRequest({ line, file, text }: BenchRequest, maxLength = Number.POSITIVE_INFINITY): string {
  const place = file === undefined ? `${line}` : `${file}:${line}`;
  const shown = text.length > maxLength ? `${text.slice(0, maxLength - 1)}…` : text;
  return escapeText(`${place}  ${shown}`);
}

/** The names of {@link requestFigures}. */
export const requestColumns: readonly string[] = ['sent', 'answered', 'p50', 'p99', 'max', 'errors'];

/** What came of a request. */
export function requestFigures({ sent, answered, latency, errors }: BenchRequest): string[] {
  return [formatCount(sent), formatCount(answered), ...latencyFigures(latency), formatCount(errors)];
}

function latencyFigures(latency: LatencySummary | null): string[] {
  return [latency?.p50, latency?.p99, latency?.max].map((ms) => (ms === undefined ? '-' : formatLatency(ms)));
}

/** The names of {@link stageFigures}. */
export const stageColumns: readonly string[] = ['sent', 'answered', 'per second', 'p50', 'p99', 'max', 'errors'];

/** What came of a stage. */
export function stageFigures({ sent, answered, rate, latency, errors }: BenchStage): string[] {
  const latencies = [latency?.p50, latency?.p99, latency?.max].map((ms) =>
    ms === undefined ? '-' : formatLatency(ms),
  );
  return [formatCount(sent), formatCount(answered), formatRate(rate), ...latencies, formatCount(errors)];
}

/** The number of connections, and how many were lost. */
export function describeConnections({ connections: { wanted, opened, lost }, options }: BenchReport): string {
  const atATime = `${formatCount(opened)}, ${formatCount(wanted)} at a time`;
  if (options.reconnectEach) return `${atATime}, ${lost === 0 ? 'none' : formatCount(lost)} lost`;
  const how = opened < wanted ? `${formatCount(opened)} of ${formatCount(wanted)} opened` : formatCount(wanted);
  return `${how}, ${lost === 0 ? 'none' : formatCount(lost)} lost`;
}

/** The start of the run: `2026-02-03 10:11:12 UTC`. */
export function formatStart({ started }: BenchReport): string {
  const [, day, time] = /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(?:\.\d+)?Z$/.exec(started) ?? [];
  return day === undefined ? escapeText(started) : `${day} ${time} UTC`;
}

/** The version, runtime and machine of the load generator. */
export function describeMachine({ yodel, runtime, machine }: BenchReport): string {
  const { cpu, cores, os } = machine;
  return escapeText(`yodel ${yodel}, ${runtime}, ${os}, ${formatCountOf(cores, 'core')} of ${cpu}`);
}

/** Bytes in each direction, and per second. */
export function describeData({ bytes, seconds }: BenchReport): string {
  const each = (count: number) =>
    seconds > 0 ? `${formatBytes(count)} (${formatBytes(count / seconds)}/s)` : formatBytes(count);
  return `${each(bytes.sent)} sent, ${each(bytes.received)} received`;
}

/** Processor use of the generator, and how late it sent messages. */
export function describeGenerator({ generator, options }: BenchReport): string {
  const { cpu, lateness } = generator;
  const busiest = options.threads > 1 ? ' in its busiest process' : '';
  const used = `${formatShare(cpu, 1)} of one core used${busiest}`;
  if (!lateness) return used;
  const [p50, p99, max] = [lateness.p50, lateness.p99, lateness.max].map(formatLatency);
  return `${used}; messages were sent late by ${p50} (p50), ${p99} (p99), ${max} (max)`;
}

/** Explains a percentile of `total` replies. `weak`: so few replies are beyond it that it may be chance. */
export function explainPercentile(
  percentile: number,
  total: number,
): { readonly weak: boolean; readonly text: string } {
  const beyond = countBeyond(total, percentile);
  if (beyond < fewBeyond) {
    return { weak: true, text: `uncertain: only ${formatCountOf(beyond, 'reply', 'replies')} took longer` };
  }
  const text =
    percentile === 50 ? 'half of the replies took longer' : `1 in ${formatCount(countNeeded(percentile))} took longer`;
  return { weak: false, text };
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${text.endsWith('.') ? '' : '.'}`;
}

function bad(text: string): Finding {
  return { weight: 'bad', text };
}

function doubt(text: string): Finding {
  return { weight: 'doubt', text };
}
