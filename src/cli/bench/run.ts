/** Runs `yodel bench`: measures, prints the results, and sets the exit status. */
import { writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { systemError, YodelError } from '../../errors.ts';
import { type Assertion, checkAssertion } from '../../load/result/assertion.ts';
import { type Comparison, compareReports } from '../../load/result/compare.ts';
import { formatHdr } from '../../load/result/hdr.ts';
import type { BenchReport } from '../../load/result/report.ts';
import { createReport } from '../../load/result/result.ts';
import { startLoad } from '../../load/run.ts';
import { formatComparison } from '../../report/comparison.ts';
import { renderPage } from '../../report/page.ts';
import { formatProgress } from '../../report/progress.ts';
import { formatSummary } from '../../report/summary.ts';
import { escapeJson } from '../../terminal/escape.ts';
import { ProgressLine } from '../../terminal/progress-line.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import { exitStatus, report as reportError, statusOf } from '../fail.ts';
import { print } from '../output.ts';
import { version } from '../version.ts';
import { type BenchSettings, readBenchSettings } from './settings.ts';

/** Errors of replies that arrived, but are not what was expected. */
const replyCodes: ReadonlySet<string> = new Set([
  ...['YODEL_WRONG_REPLY', 'YODEL_UNEXPECTED_REPLY', 'YODEL_ERROR_REPLY', 'YODEL_UNEXPECTED_MESSAGE'],
]);

/** Width of the summary where the terminal's is not known. */
const defaultWidth = 100;

/** Measures, prints and writes the results, and ends the process with the exit status. */
export async function runBench(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const settings = await readBenchSettings(address, port, flags);
  const progress = new ProgressLine();
  progress.showText(`connecting to ${settings.load.address}`);
  const interrupted = stopOnSignals(() => run.stop());
  const run = startLoad(settings.load, (now) => progress.show((layout) => formatProgress(now, layout)));
  const result = await run.done.finally(() => progress.clear()).catch(exitWith);
  const report = createReport(version, result);
  const comparison = settings.old && compareReports(settings.old, report);
  const filesWritten = writeFiles(settings, report, comparison);
  const { isPrinted, assertionsHold } = await printResults(settings, report, comparison);
  const status = interrupted() ?? statusOfRun(report, settings.assertions, assertionsHold);
  process.exit(status === exitStatus.good && !(filesWritten && isPrinted) ? exitStatus.failure : status);
}

/** Ends the process without waiting for connection attempts in flight: a slow name server can take minutes. */
async function exitWith(error: unknown): Promise<never> {
  reportError(error);
  await new Promise((resolve) => process.stderr.write('', resolve));
  const isReply = error instanceof YodelError && replyCodes.has(error.code);
  process.exit(isReply ? exitStatus.unmet : statusOf(error));
}

/** The exit status of a run that was not interrupted. */
function statusOfRun({ errors }: BenchReport, assertions: readonly Assertion[], assertionsHold: boolean): number {
  if (!assertionsHold) return exitStatus.unmet;
  if (errors.length === 0 || assertions.some(({ metric }) => metric === 'errors')) return exitStatus.good;
  const codes = errors.map(({ code }) => code);
  if (codes.some((code) => replyCodes.has(code))) return exitStatus.unmet;
  const isTimeout = (code: string) => code === 'YODEL_REPLY_TIMEOUT' || code === 'YODEL_CONNECT_TIMEOUT';
  return codes.every(isTimeout) ? exitStatus.timeout : exitStatus.failure;
}

/** The first SIGINT or SIGTERM ends the run, the second the process. Returns a function that returns the signal's exit status. */
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

/** Writes the files of --html and --hdr. A failure is reported, and the other results are still printed. */
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

/** Prints the results: all on stdout, or the JSON on stdout and the rest on stderr. */
async function printResults(
  { json, assertions }: BenchSettings,
  report: BenchReport,
  comparison: Comparison | undefined,
): Promise<{ readonly isPrinted: boolean; readonly assertionsHold: boolean }> {
  const paint = paintFor(wantsColor(json ? process.stderr : process.stdout));
  const checks = assertions.map((assertion) => checkAssertion(assertion, report));
  const summary = json
    ? `${escapeJson(JSON.stringify(report))}\n`
    : formatSummary(report, { paint, width: process.stdout.columns || defaultWidth });
  const verdicts = [
    ...(comparison ? [formatComparison(comparison, { paint })] : []),
    ...(checks.length > 0
      ? [checks.map(({ holds, text }) => `${paint(holds ? 'green' : 'red', text)}\n`).join('')]
      : []),
  ];
  const isPrinted = await printed(json ? summary : [summary, ...verdicts].join('\n'), process.stdout);
  if (json) await printed(verdicts.join(''), process.stderr);
  return { isPrinted, assertionsHold: checks.every(({ holds }) => holds) };
}

/** Prints text. Resolves with false, after reporting the error, if that fails; a reader that is gone is not a failure. */
async function printed(text: string, stream: NodeJS.WriteStream): Promise<boolean> {
  try {
    await print(text, stream);
    return true;
  } catch (error) {
    reportError(error);
    return false;
  }
}
