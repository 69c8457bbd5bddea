/** Runs `yodel check`: plays transcripts and reports what differs. */
import { existsSync, writeFileSync } from 'node:fs';
import { type Address, defaultAddress, parseAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import { escapeText } from '../../terminal/escape.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { type CheckResult, check } from '../../transcript/check.ts';
import { parseTranscript } from '../../transcript/parse.ts';
import { refuseUnplayable } from '../../transcript/playable.ts';
import { type Transcript, TranscriptError } from '../../transcript/transcript.ts';
import { isRewritable, updatedText } from '../../transcript/update.ts';
import { exitStatus, report, statusOf, UsageError } from '../fail.ts';
import { checkWritable, readFile, readText } from '../files.ts';
import { openStdout } from '../output.ts';
import { readTlsFlags } from '../tls-flags.ts';
import { type GivenToTranscript, parseOptions, readTranscript } from '../transcript-file.ts';
import { checkVariables, readVariables } from '../transcript-variables.ts';
import { readGivenWire } from '../wire.ts';
import { checkReport } from './report.ts';

/** Resolves with the exit status. @throws UsageError, TranscriptError, YodelError */
export async function runCheck(words: readonly string[], flags: Readonly<Record<string, unknown>>): Promise<number> {
  const { files, address } = filesAndAddress(words);
  // All are parsed before the first is played, so that an error in the last one is reported at once.
  const given = { protocol: await readGivenWire(flags), variables: readVariables(flags.var) };
  const transcripts: Transcript[] = [];
  for (const file of files) transcripts.push(await readTranscript(file, given));
  checkVariables(given.variables, transcripts);
  if (flags.update) for (const file of files) checkWritable(file);
  const stdout = openStdout({ failed: (status) => process.exit(status) });
  const output = checkReport(String(flags.format), {
    count: files.length,
    paint: paintFor(wantsColor(process.stdout)),
    write: (text) => stdout.write(text),
  });
  let [rewritten, unmet, status] = [0, 0, exitStatus.good as number];
  for (const transcript of transcripts) {
    const result = await play(transcript, address, flags).catch((error: unknown) => {
      // A transcript that cannot be played must not hide the results of the others.
      if (!(error instanceof YodelError) || error instanceof TranscriptError) throw error;
      report(error);
      status = statusOf(error);
      return notPlayed(transcript, error);
    });
    const isRewritten = flags.update === true && rewrite(result, given);
    if (isRewritten) rewritten++;
    if (result.differences.some((difference) => !isRewritten || !isRewritable(difference))) unmet++;
    output.add(result);
  }
  output.end(flags.update ? rewritten : undefined);
  await stdout.end();
  if (status !== exitStatus.good) return status;
  return unmet > 0 ? exitStatus.unmet : exitStatus.good;
}

/** The result of a transcript that could not be played. */
function notPlayed(transcript: Transcript, { message }: YodelError): CheckResult {
  const difference = {
    kind: 'failed',
    line: 1,
    client: '',
    expected: undefined,
    actual: undefined,
    reason: message,
  } as const;
  return { transcript, differences: [difference], expected: 0, elapsedMs: 0 };
}

/** Replaces the expected replies in the file with the received ones. Returns false if there is nothing to replace, or the result would not parse. */
function rewrite(result: CheckResult, given: GivenToTranscript): boolean {
  if (!result.differences.some(isRewritable)) return false;
  const { file } = result.transcript;
  const old = readText(file);
  const text = updatedText(result);
  try {
    refuseUnplayable(parseTranscript(text, file, parseOptions(given)), '>');
  } catch (error) {
    if (!(error instanceof TranscriptError)) throw error;
    process.stderr.write(
      `yodel: ${escapeText(file)} was not updated, because it could not be played afterwards: ${escapeText(error.message)}\n`,
    );
    return false;
  }
  const mark = old.startsWith('\ufeff') ? '\ufeff' : '';
  writeFileSync(file, mark + (/^[^\n]*\r\n/.test(old) ? text.replaceAll('\n', '\r\n') : text));
  return true;
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
  if (files.length === 0) throw new UsageError(`there is no file ${last}; usage: yodel check FILE ADDRESS`);
  try {
    return { files, address: parseAddress(last) };
  } catch (error) {
    throw new UsageError(`"${last}" is neither a file nor an address: ${(error as Error).message}`);
  }
}
