/** Runs `yodel check`: plays transcripts, and tells how they went. */
import { existsSync, writeFileSync } from 'node:fs';
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import { type CheckResult, check } from '../transcript/check.ts';
import { parseTranscript } from '../transcript/parse.ts';
import type { Transcript } from '../transcript/transcript.ts';
import { updatedText } from '../transcript/update.ts';
import { checkReport } from './check-report.ts';
import { exitStatus, UsageError } from './fail.ts';
import { checkWritable, readFile } from './files.ts';
import { paintFor, wantsColor } from './style.ts';
import { readTlsFlags } from './tls-flags.ts';

/** Resolves with the exit status. @throws UsageError, TranscriptError, YodelError */
export async function runCheck(words: readonly string[], flags: Readonly<Record<string, unknown>>): Promise<number> {
  const { files, address } = filesAndAddress(words);
  // All are read before the first is played: what is wrong in the last should not be found after minutes.
  const transcripts = files.map((file) => parseTranscript(readFile(file), file));
  if (flags.update) for (const file of files) checkWritable(file);
  const report = checkReport(String(flags.format), {
    count: files.length,
    paint: paintFor(wantsColor(process.stdout)),
    write: (text) => void process.stdout.write(text),
  });
  process.stdout.on('error', (error: NodeJS.ErrnoException) =>
    process.exit(error.code === 'EPIPE' ? exitStatus.good : exitStatus.failure),
  );
  let differ = 0;
  for (const transcript of transcripts) {
    const result = await play(transcript, address, flags);
    if (result.differences.length > 0) differ++;
    if (flags.update && result.differences.length > 0) writeFileSync(transcript.file, updatedText(result));
    report.add(result);
  }
  report.end(flags.update ? differ : undefined);
  return differ > 0 && !flags.update ? exitStatus.unmet : exitStatus.good;
}

async function play(
  transcript: Transcript,
  given: Address | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<CheckResult> {
  const address = given ?? (transcript.address === undefined ? defaultAddress : parseAddress(transcript.address));
  return await check(transcript, {
    address,
    timeoutMs: flags.timeout as number,
    connectTimeoutMs: flags.connectTimeout as number,
    tls: readTlsFlags(flags, address),
    readFile,
  });
}

/** The last word is the address, unless it is a file. */
function filesAndAddress(words: readonly string[]): { files: readonly string[]; address: Address | undefined } {
  const last = words.at(-1) ?? '';
  if (existsSync(last)) return { files: words, address: undefined };
  const files = words.slice(0, -1);
  if (files.length === 0) throw new UsageError(`there is no file ${last}; write: yodel check FILE ADDRESS`);
  try {
    return { files, address: parseAddress(last) };
  } catch (error) {
    throw new UsageError(`"${last}" is neither a file nor an address: ${(error as Error).message}`);
  }
}
