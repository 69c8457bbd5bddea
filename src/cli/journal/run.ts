/** Runs the commands of `yodel journal`. Each gives the exit status. */

import { isUtf8 } from 'node:buffer';
import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatBytes, formatCount, formatCountOf, formatSeconds } from '../../format/figures.ts';
import type { Entry, JournalStats, RecordedSession } from '../../journal/journal.ts';
import { readJournal } from '../../journal/reader.ts';
import { transcriptOf } from '../../journal/transcripts.ts';
import { Verification } from '../../journal/verify.ts';
import { escapeBeginning, escapeJson, escapeText } from '../../terminal/escape.ts';
import { ProgressLine } from '../../terminal/progress-line.ts';
import { type Paint, paintFor, wantsColor } from '../../terminal/style.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { checkWritable } from '../files.ts';
import { onInterruption } from '../interruption.ts';

import type { JournalFlags } from './flags.ts';
import { PacedOutput } from './paced-output.ts';

/** `yodel journal ls` */
export async function listSessions(file: string, flags: JournalFlags): Promise<number> {
  return await withReader(file, async (reader, output) => {
    const paint = paintFor(wantsColor(process.stdout));
    if (!flags.json) output.write(`${paint('dim', sessionsHead)}\n`);
    for await (const session of reader.sessions(flags)) {
      if (!(await output.write(`${flags.json ? sessionJson(session) : sessionLine(session, paint)}\n`))) break;
    }
    return exitStatus.good;
  });
}

/** `yodel journal cat` */
export async function printMessages(file: string, { way, grep, ...flags }: JournalFlags): Promise<number> {
  if (flags.transcript && flags.session === undefined) {
    throw new UsageError(
      '--transcript prints one session: add --session NUMBER (yodel journal ls has them), or export all',
    );
  }
  return await withReader(file, async (reader, output, signal) => {
    const query = { ...flags, direction: way, signal };
    if (flags.transcript) return await printTranscript(reader, flags.session as number, query, output);
    const paint = paintFor(wantsColor(process.stdout));
    for await (const entry of reader.read(query)) {
      if (signal.aborted) break;
      if (grep && !grep.test(Buffer.from(entry.bytes).toString())) continue;
      if (!(await output.write(`${flags.json ? entryJson(entry) : entryLine(entry, paint)}\n`))) break;
    }
    return exitStatus.good;
  });
}

/** `yodel journal stats` */
export async function printStats(file: string, { json }: JournalFlags): Promise<number> {
  return await withReader(file, async (reader, output) => {
    const stats = await reader.stats();
    await output.write(json ? `${JSON.stringify(stats)}\n` : statsText(stats));
    return exitStatus.good;
  });
}

/** `yodel journal export` */
export async function exportSessions(file: string, folder: string, flags: JournalFlags): Promise<number> {
  return await withReader(file, async (reader, _output, signal) => {
    try {
      mkdirSync(folder, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new UsageError(`cannot make the folder ${folder}: ${(error as Error).message}`);
    }
    checkWritable(join(folder, 'test.transcript'));
    const progress = new ProgressLine();
    const { sessions: total } = await reader.stats();
    let written = 0;
    for await (const session of reader.sessions(flags)) {
      if (signal.aborted) break;
      await writeTranscript(reader, session, join(folder, `${session.session}.transcript`));
      written++;
      progress.showText(`${formatCount(written)} of at most ${formatCountOf(total, 'session')}`);
    }
    progress.clear();
    process.stderr.write(`yodel: ${formatCountOf(written, 'transcript')} in ${escapeText(folder)}\n`);
    return exitStatus.good;
  });
}

/** `yodel journal verify` */
export async function verify(file: string): Promise<number> {
  return await withReader(file, async (_reader, output, signal) => {
    const progress = new ProgressLine();
    const checking = new Verification(file);
    try {
      for await (const step of checking.run()) {
        progress.showText(step);
        if (signal.aborted) break;
      }
    } finally {
      checking.close();
      progress.clear();
    }
    if (signal.aborted) return exitStatus.good;
    const { problems, more, messages, sessions, first, last } = checking;
    for (const problem of problems) await output.write(`${escapeText(problem)}\n`);
    if (more > 0) await output.write(`and ${formatCount(more)} more\n`);
    if (problems.length > 0) return exitStatus.unmet;
    const range = messages > 0 ? `, ${first} to ${last} without a gap` : '';
    await output.write(
      `all right: ${formatCountOf(messages, 'message')} in ${formatCountOf(sessions, 'session')}${range}\n`,
    );
    return exitStatus.good;
  });
}

type Reader = ReturnType<typeof readJournal>;

/** Ctrl-C ends a reading in order; what was printed is whole lines. */
async function withReader(
  file: string,
  work: (reader: Reader, output: PacedOutput, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interruption = onInterruption();
  const output = new PacedOutput(interruption.stopped);
  let reader: Reader | undefined;
  try {
    reader = readJournal(file);
    const result = await work(reader, output, interruption.stopped.signal).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STRING_TOO_LONG') throw error;
      throw new UsageError(
        'a message is longer than what can be shown as text (512 MiB); sqlite3 can write it to a file',
      );
    });
    await output.end();
    return interruption.status ?? output.status ?? result;
  } finally {
    interruption.done();
    await reader?.close();
  }
}

async function printTranscript(
  reader: Reader,
  number: number,
  query: JournalFlags,
  output: PacedOutput,
): Promise<number> {
  for await (const session of reader.sessions({ session: number })) {
    for await (const text of transcriptOf(session, reader.read(query))) if (!(await output.write(text))) break;
    return exitStatus.good;
  }
  throw new UsageError(`there is no session ${number}; yodel journal ls has them`);
}

async function writeTranscript(reader: Reader, session: RecordedSession, path: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  let descriptor: number;
  try {
    // A link could lead anywhere.
    descriptor = openSync(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0o600);
  } catch (error) {
    throw new UsageError(`cannot write ${path}: ${(error as Error).message}`);
  }
  try {
    for await (const text of transcriptOf(session, reader.read({ session: session.session })))
      writeSync(descriptor, text);
  } finally {
    closeSync(descriptor);
  }
}

const sessionsHead = `${'session'.padStart(8)}  ${'began'.padEnd(23)}  ${'took'.padStart(8)}  ${'in'.padStart(9)}  ${'out'.padStart(9)}  ${'bytes in'.padStart(9)}  ${'bytes out'.padStart(9)}  peer`;

function sessionLine(session: RecordedSession, paint: Paint): string {
  const { began, ended, messagesIn, messagesOut, bytesIn, bytesOut, peer, error } = session;
  const took = ended === null ? '-' : formatSeconds(Math.max(0, ended - began) / 1000);
  const numbers = [formatCount(messagesIn), formatCount(messagesOut), formatBytes(bytesIn), formatBytes(bytesOut)];
  const columns = numbers.map((text) => text.padStart(9)).join('  ');
  const why = error === null ? '' : `  ${paint('yellow', escapeText(error))}`;
  const whose = paint('cyan', escapeText(peer));
  return `${String(session.session).padStart(8)}  ${localTime(began)}  ${took.padStart(8)}  ${columns}  ${whose}${why}`;
}

function sessionJson({ began, ended, ...session }: RecordedSession): string {
  const iso = (time: number | null) => (time === null ? null : isoTime(time));
  return escapeJson(JSON.stringify({ ...session, began: iso(began), ended: iso(ended) }));
}

function entryLine({ sequence, time, session, peer, direction, bytes, isTruncated }: Entry, paint: Paint): string {
  const cut = isTruncated ? ' (truncated)' : '';
  const whose = paint('cyan', `${escapeText(peer)}#${session}`);
  const arrow = direction === 'in' ? '>' : '<';
  return `${paint('dim', `${sequence} ${localTime(time)}`)} ${whose} ${arrow} ${escapeBeginning(bytes)}${cut}`;
}

function entryJson({ sequence, time, elapsed, session, peer, direction, framing, bytes, isTruncated }: Entry): string {
  const content = isUtf8(bytes)
    ? { text: Buffer.from(bytes).toString() }
    : { base64: Buffer.from(bytes).toString('base64') };
  const when = { time: isoTime(time), elapsedMs: elapsed };
  const fields = { sequence, ...when, session, peer, direction, framing, bytes: bytes.length, ...content };
  return escapeJson(JSON.stringify(isTruncated ? { ...fields, truncated: true } : fields));
}

function statsText(stats: JournalStats): string {
  const { messages, sessions, first, last, from, to, size, used, deleted, missed } = stats;
  const range = messages > 0 ? ` (${formatCount(first)} to ${formatCount(last)})` : '';
  const lines = [
    `messages  ${formatCount(messages)}${range}`,
    `sessions  ${formatCount(sessions)}`,
    ...(from === null || to === null ? [] : [`from      ${localTime(from)}`, `to        ${localTime(to)}`]),
    `size      ${formatBytes(size)}, of which ${formatBytes(used)} in use`,
    ...(deleted > 0 ? [`deleted   ${formatCountOf(deleted, 'message')}, because of age or size`] : []),
    ...(missed > 0 ? [`missed    ${formatCountOf(missed, 'reply', 'replies')}, for which there was no room`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

/** A file that somebody has changed may hold any number. */
function isoTime(time: number): string | null {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

/** The local time as 2026-01-31 12:34:56.789. */
function localTime(time: number): string {
  const date = new Date(time);
  const two = (number: number) => String(number).padStart(2, '0');
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const second = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${second}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
