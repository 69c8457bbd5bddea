/** Runs `yodel replay`. */
import { closeSync, openSync, readSync } from 'node:fs';
import { parseAddress } from '../../address.ts';
import type { JournalReader } from '../../journal/journal.ts';
import { planOf } from '../../replay/from-journal.ts';
import { sizeOfTranscript } from '../../replay/from-transcript.ts';
import { Replay, type ReplayOptions } from '../../replay/replay.ts';
import type { ReplayRun, ReplaySize } from '../../replay/step.ts';
import { TranscriptReplay } from '../../replay/transcript-replay.ts';
import { ProgressLine } from '../../terminal/progress-line.ts';
import type { Transcript } from '../../transcript/transcript.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { readFile } from '../files.ts';
import { onInterruption } from '../interruption.ts';
import { print } from '../output.ts';
import { readTlsFlags } from '../tls-flags.ts';
import { type GivenToTranscript, readTranscript } from '../transcript-file.ts';
import { readVariables } from '../transcript-variables.ts';
import { checkVariables } from '../unknown-variables.ts';
import { readGivenWire } from '../wire.ts';
import type { ReplayFlags } from './flags.ts';
import { formatProgress, formatResult, formatResultJson } from './format.ts';

/** How often progress is shown, in milliseconds. */
const progressEveryMs = 200;

/** Resolves with the exit status. @throws UsageError, TranscriptError, YodelError */
export async function runReplay(recording: string, where: string, flags: ReplayFlags): Promise<number> {
  const address = parseAddress(where);
  const { size, start, reader } = await openRecording(recording, flags);
  const interruption = onInterruption();
  const progress = new ProgressLine();
  const replay = start({
    address,
    speed: flags.speed,
    timeoutMs: flags.timeout,
    connectTimeoutMs: flags.connectTimeout,
    tls: readTlsFlags({ ...flags }, address),
    signal: interruption.stopped.signal,
  });
  const timer = setInterval(() => progress.showText(formatProgress(replay.progress, size)), progressEveryMs);
  try {
    const result = await replay.done;
    progress.clear();
    await print(flags.json ? `${formatResultJson(result, size)}\n` : formatResult(result, size));
    return interruption.status ?? (result.differences > 0 ? exitStatus.unmet : exitStatus.good);
  } finally {
    clearInterval(timer);
    interruption.done();
    await reader?.close();
  }
}

/** How a recording is played. */
type StartOptions = Omit<ReplayOptions, 'compares'>;

/** A recording that was opened. */
interface Recording {
  readonly size: ReplaySize;
  readonly start: (options: StartOptions) => ReplayRun;
  readonly reader?: JournalReader;
}

async function openRecording(
  recording: string,
  { session, since, until, peer, var: variables, ...flags }: ReplayFlags,
): Promise<Recording> {
  const query = { session, since, until, peer };
  const protocol = await readGivenWire(flags);
  if (!isDatabase(recording)) {
    const [given] = Object.entries(query).find(([, value]) => value !== undefined) ?? [];
    if (given !== undefined)
      throw new UsageError(`--${given} applies to journals only, and ${recording} is a transcript`);
    const transcript = await readOne(recording, { protocol, variables: readVariables(variables) });
    const size = sizeOfTranscript(transcript);
    if (size.sends + size.expects === 0) throw new UsageError(`${recording} has no message to replay`);
    return {
      size,
      start: (options) => new TranscriptReplay(transcript, { ...options, readFile }),
    };
  }
  const reader = (await import('../../journal/reader.ts')).readJournal(recording);
  if (variables) throw new UsageError(`--var applies to transcripts only, and ${recording} is a journal`);
  const plan = await planOf(reader, query, protocol);
  // A journal may have recorded only what the clients sent.
  const compares = plan.expects > 0;
  if (plan.sends + plan.expects > 0)
    return { size: plan, start: (options) => new Replay(plan.steps(), { ...options, compares }), reader };
  await reader.close();
  throw new UsageError(
    `no message in ${recording} matches the flags; to list its sessions: yodel journal ls ${recording}`,
  );
}

async function readOne(file: string, given: GivenToTranscript): Promise<Transcript> {
  const transcript = await readTranscript(file, given);
  checkVariables(given.variables ?? {}, [transcript]);
  return transcript;
}

/** Whether a file is an SQLite database. A transcript is text. */
function isDatabase(path: string): boolean {
  const first = Buffer.alloc(16);
  try {
    const descriptor = openSync(path, 'r');
    readSync(descriptor, first, 0, first.length, 0);
    closeSync(descriptor);
  } catch {
    // Reading it as a transcript reports what is wrong.
    return false;
  }
  return first.toString('latin1') === 'SQLite format 3\0';
}
