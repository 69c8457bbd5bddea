/** Runs `yodel bench`: measures, says what it found, and judges it. */
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { systemError } from '../../errors.ts';
import { type Assertion, checkAssertion } from '../../load/result/assertion.ts';
import { type Comparison, compareReports } from '../../load/result/compare.ts';
import { formatHdr } from '../../load/result/hdr.ts';
import type { BenchProgress, BenchReport } from '../../load/result/report.ts';
import { createReport } from '../../load/result/result.ts';
import { startLoad } from '../../load/run.ts';
import { formatComparison } from '../../report/comparison.ts';
import { renderPage } from '../../report/page.ts';
import { formatProgress } from '../../report/progress.ts';
import { formatSummary } from '../../report/summary.ts';
import { escapeJson } from '../../terminal/escape.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { exitStatus, report as reportError, statusOf } from '../fail.ts';
import { version } from '../version.ts';
import { type BenchSettings, readBenchSettings } from './settings.ts';

/** Where nobody says how wide lines may be. */
const defaultWidth = 100;

/** On Ctrl-C a terminal prints ^C behind the line of the progress. If that went on in the next row, one row would be left over. */
const roomForInterrupt = 2;

/** Measures, prints and writes the results, and ends the process with the status that tells of them. */
export async function runBench(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const settings = readBenchSettings(address, port, flags);
  const progress =
    process.stderr.isTTY && process.env.TERM !== 'dumb' ? progressLine(settings.load.address) : noProgress;
  const interrupted = stopOnSignals(() => run.stop());
  const run = startLoad(settings.load, progress.show);
  const result = await run.done.finally(progress.end).catch(exitWith);
  const report = createReport(version, result);
  const comparison = settings.old && compareReports(settings.old, report);
  const filesWritten = writeFiles(settings, report, comparison);
  const { isPrinted, assertionsHold } = await print(settings, report, comparison);
  const status = interrupted() ?? judge(report, settings.assertions, assertionsHold);
  process.exit(status === exitStatus.good && !(filesWritten && isPrinted) ? exitStatus.failure : status);
}

/** Attempts to connect may still be under way, for minutes where a name server is slow: nobody needs to wait for them. */
async function exitWith(error: unknown): Promise<never> {
  reportError(error);
  await new Promise((resolve) => process.stderr.write('', resolve));
  process.exit(statusOf(error));
}

/** The exit status of a run that nobody has interrupted. */
function judge({ errors }: BenchReport, assertions: readonly Assertion[], assertionsHold: boolean): number {
  if (!assertionsHold) return exitStatus.unmet;
  if (errors.length === 0 || assertions.some(({ metric }) => metric === 'errors')) return exitStatus.good;
  const codes = errors.map(({ code }) => code);
  if (codes.some((code) => code === 'YODEL_WRONG_REPLY' || code === 'YODEL_UNEXPECTED_REPLY')) return exitStatus.unmet;
  const isTimeout = (code: string) => code === 'YODEL_REPLY_TIMEOUT' || code === 'YODEL_CONNECT_TIMEOUT';
  return codes.every(isTimeout) ? exitStatus.timeout : exitStatus.failure;
}

/** The first SIGINT or SIGTERM ends the run, the second the process. Gives the exit status, once there was one. */
function stopOnSignals(stop: () => void): () => number | undefined {
  let status: number | undefined;
  const signalled = (signal: NodeJS.Signals) => {
    if (status !== undefined) process.exit(status);
    status = 128 + constants.signals[signal];
    stop();
  };
  process.on('SIGINT', signalled).on('SIGTERM', signalled);
  return () => status;
}

/** A line on the terminal that is written anew each second. */
function progressLine(address: string): { show(progress: BenchProgress): void; end(): void } {
  const paint = paintFor(wantsColor(process.stderr));
  const backAndClear = '\r\x1b[K';
  process.stderr.write(`connecting to ${address}`);
  return {
    show(progress) {
      const width = (process.stderr.columns || defaultWidth) - roomForInterrupt;
      process.stderr.write(`${backAndClear}${formatProgress(progress, { width, paint })}`);
    },
    end: () => void process.stderr.write(backAndClear),
  };
}

const noProgress = { show() {}, end() {} };

/** Writes the files that were asked for. Says what cannot be written, for the rest of the results is still good. */
function writeFiles({ htmlFile, hdrFile }: BenchSettings, report: BenchReport, comparison?: Comparison): boolean {
  const write = (path: string | undefined, make: () => string): boolean => {
    if (path === undefined) return true;
    try {
      writeFileSync(path, make());
      return true;
    } catch (error) {
      reportError(systemError(`cannot write ${path}`, error));
      return false;
    }
  };
  const isPageWritten = write(htmlFile, () => renderPage(report, comparison));
  return write(hdrFile, () => formatHdr(report)) && isPageWritten;
}

/** Prints the results: as JSON on stdout and the judgements on stderr, or all of it on stdout. */
async function print(
  { json, assertions }: BenchSettings,
  report: BenchReport,
  comparison: Comparison | undefined,
): Promise<{ readonly isPrinted: boolean; readonly assertionsHold: boolean }> {
  const judgements = json ? process.stderr : process.stdout;
  const paint = paintFor(wantsColor(judgements));
  const width = process.stdout.columns || defaultWidth;
  const isPrinted = await say(
    process.stdout,
    json ? escapeJson(JSON.stringify(report)) : formatSummary(report, { paint, width }),
  );
  if (comparison) await say(judgements, `${json ? '' : '\n'}${formatComparison(comparison, { paint })}`);
  const checks = assertions.map((assertion) => checkAssertion(assertion, report));
  const lines = checks.map(({ holds, text }) => paint(holds ? 'green' : 'red', text));
  if (lines.length > 0) await say(judgements, `${json ? '' : '\n'}${lines.join('\n')}`);
  return { isPrinted, assertionsHold: checks.every(({ holds }) => holds) };
}

/** Resolves when the text is out. That nobody reads any more (`| head`) is no failure; others are told of, and give false. */
async function say(stream: NodeJS.WriteStream, text: string): Promise<boolean> {
  const error = await new Promise<NodeJS.ErrnoException | null | undefined>((resolve) => {
    stream.once('error', resolve).write(text.endsWith('\n') ? text : `${text}\n`, resolve);
  });
  if (!error || error.code === 'EPIPE') return true;
  reportError(systemError('cannot write the results', error));
  return false;
}
