/** Runs the commands of `yodel journal`. Each resolves with the exit status. */
import { closeSync, constants, mkdirSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { formatCount, formatCountOf } from '../../format/figures.ts';
import { type RecordedSession, roomPrefix } from '../../journal/journal.ts';
import { readJournal } from '../../journal/reader.ts';
import { transcriptOf } from '../../journal/transcripts.ts';
import { Verification } from '../../journal/verify.ts';
import { escapeText } from '../../terminal/escape.ts';
import { ProgressLine } from '../../terminal/progress-line.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { checkWritable } from '../files.ts';
import { onInterruption } from '../interruption.ts';
import type { JournalFlags } from './flags.ts';
import {
  formatEntry,
  formatEntryJson,
  formatSession,
  formatSessionJson,
  formatStats,
  sessionsHeader,
} from './format.ts';
import { StreamedOutput } from './streamed-output.ts';

/** `yodel journal ls` */
export async function listSessions(file: string, flags: JournalFlags): Promise<number> {
  return await withReader(file, async (reader, output) => {
    const paint = paintFor(wantsColor(process.stdout));
    if (!flags.json) await output.write(`${paint('dim', sessionsHeader)}\n`);
    for await (const session of reader.sessions(flags)) {
      const line = flags.json ? formatSessionJson(session) : formatSession(session, paint);
      if (!(await output.write(`${line}\n`))) break;
    }
    return exitStatus.good;
  });
}

/** `yodel journal cat` */
export async function printMessages(file: string, { way, grep, ...flags }: JournalFlags): Promise<number> {
  if (flags.transcript && flags.session === undefined) {
    throw new UsageError(
      '--transcript prints one session: add --session NUMBER (see yodel journal ls), or use yodel journal export',
    );
  }
  return await withReader(file, async (reader, output, signal) => {
    const query = { ...flags, direction: way, signal };
    if (flags.transcript) return await printTranscript(reader, flags.session as number, query, output);
    const paint = paintFor(wantsColor(process.stdout));
    for await (const entry of reader.read(query)) {
      if (signal.aborted) break;
      if (grep && !grep.test(Buffer.from(entry.bytes).toString())) continue;
      if (!(await output.write(`${flags.json ? formatEntryJson(entry) : formatEntry(entry, paint)}\n`))) break;
    }
    return exitStatus.good;
  });
}

/** `yodel journal stats` */
export async function printStats(file: string, { json }: JournalFlags): Promise<number> {
  return await withReader(file, async (reader, output) => {
    const stats = await reader.stats();
    await output.write(json ? `${JSON.stringify(stats)}\n` : formatStats(stats));
    return exitStatus.good;
  });
}

/** `yodel journal export` */
export async function exportSessions(file: string, directory: string, flags: JournalFlags): Promise<number> {
  return await withReader(file, async (reader, _output, signal) => {
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw new UsageError(`cannot create the directory ${directory}: ${(error as Error).message}`);
    }
    checkWritable(join(directory, 'test.transcript'));
    const progress = new ProgressLine();
    const { sessions: total } = await reader.stats();
    let written = 0;
    for await (const session of reader.sessions(flags)) {
      if (signal.aborted) break;
      // What a room was sent is no conversation.
      if (session.peer.startsWith(roomPrefix)) continue;
      await writeTranscript(reader, session, join(directory, `${session.session}.transcript`));
      written++;
      progress.showText(`${formatCount(written)} of at most ${formatCountOf(total, 'session')}`);
    }
    progress.clear();
    process.stderr.write(`yodel: ${formatCountOf(written, 'transcript')} in ${escapeText(directory)}\n`);
    return exitStatus.good;
  });
}

/** `yodel journal verify` */
export async function verify(file: string): Promise<number> {
  return await withReader(file, async (_reader, output, signal) => {
    const progress = new ProgressLine();
    const verification = new Verification(file);
    try {
      for await (const step of verification.run()) {
        progress.showText(step);
        if (signal.aborted) break;
      }
    } finally {
      verification.close();
      progress.clear();
    }
    if (signal.aborted) return exitStatus.good;
    const { problems, more, messages, sessions, first, last, stored } = verification;
    for (const problem of problems) await output.write(`${escapeText(problem)}\n`);
    if (more > 0) await output.write(`and ${formatCount(more)} more\n`);
    if (problems.length > 0) return exitStatus.unmet;
    const range = messages > 0 ? `, ${first} to ${last} without a gap` : '';
    const count = `${formatCountOf(messages, 'message')} in ${formatCountOf(sessions, 'session')}`;
    const histories =
      stored.messages > 0
        ? `; ${formatCountOf(stored.messages, 'stored message')} in ${formatCountOf(stored.rooms, 'room')}`
        : '';
    await output.write(`ok: ${count}${range}${histories}\n`);
    return exitStatus.good;
  });
}

type Reader = ReturnType<typeof readJournal>;

/** Opens a journal for `work` and prints. Ctrl-C stops it after a whole line. */
async function withReader(
  file: string,
  work: (reader: Reader, output: StreamedOutput, signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const interruption = onInterruption();
  const output = new StreamedOutput(interruption.stopped);
  let reader: Reader | undefined;
  try {
    reader = readJournal(file);
    const result = await work(reader, output, interruption.stopped.signal).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== 'ERR_STRING_TOO_LONG') throw error;
      throw new UsageError('a message is too long to print as text (over 512 MiB); use sqlite3 to write it to a file');
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
  output: StreamedOutput,
): Promise<number> {
  for await (const session of reader.sessions({ session: number })) {
    for await (const text of transcriptOf(session, reader.read(query))) if (!(await output.write(text))) break;
    return exitStatus.good;
  }
  throw new UsageError(`there is no session ${number}; to list the sessions: yodel journal ls`);
}

async function writeTranscript(reader: Reader, session: RecordedSession, path: string): Promise<void> {
  const { O_WRONLY, O_CREAT, O_TRUNC, O_NOFOLLOW } = constants;
  let descriptor: number;
  try {
    // O_NOFOLLOW: a symbolic link in the directory could lead anywhere.
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
