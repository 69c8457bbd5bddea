/** Runs `yodel check`: plays transcripts and reports what differs. */
import { endGroups } from '../../process/process-group.ts';
import { paintFor, wantsColor } from '../../terminal/style.ts';
import type { Transcript } from '../../transcript/transcript.ts';
import { report, UsageError } from '../fail.ts';
import { openStdout } from '../output.ts';
import { readVariables } from '../transcript-variables.ts';
import { checkVariables } from '../unknown-variables.ts';
import { readGivenWire } from '../wire.ts';
import { type CheckedFile, filesAndAddress, loadFile } from './load.ts';
import { type Outcome, statusFor, withError } from './outcome.ts';
import { playFile } from './play.ts';
import { reportFormats } from './report/formats.ts';
import type { CheckReport } from './report/report.ts';
import { addressToStart, runningServer, type Servers, serverPerRun, sharedServer } from './servers.ts';

type Flags = Readonly<Record<string, unknown>>;

/** Resolves with the exit status. @throws UsageError, YodelError */
export async function runCheck(words: readonly string[], flags: Flags): Promise<number> {
  const { start, repeat = 1, jobs = 1 } = flags;
  const update = flags.update === true || flags.mask === true;
  if (update && Number(repeat) > 1)
    throw new UsageError(`--${flags.mask ? 'mask' : 'update'} and --repeat cannot be used together`);
  if (flags.against !== undefined) {
    const given = { protocol: await readGivenWire(flags), variables: readVariables(flags.var) };
    const { compareFiles } = await import('./against.ts');
    return await compareFiles(words, String(flags.against), given, { isWritten: flags.mask === true });
  }
  endOnSignals();
  const { files: names, address } = filesAndAddress(words, start !== undefined);
  const given = { protocol: await readGivenWire(flags), variables: readVariables(flags.var) };
  const files: CheckedFile[] = [];
  for (const name of names) files.push(await loadFile(name, given, { isUpdated: update }));
  const transcripts = transcriptsOf(files);
  // A name may be in a file that cannot be read.
  if (transcripts.length === files.length) checkVariables(given.variables, transcripts);
  const servers = serversFor(flags, address, transcripts);
  const stdout = openStdout({ failed: (status) => process.exit(status) });
  const output = reportFormats[flags.format as keyof typeof reportFormats]({
    count: files.length,
    paint: paintFor(wantsColor(process.stdout)),
    write: (text) => stdout.write(text),
  });
  const settings = { flags, servers, repeat: Number(repeat), given };
  const outcomes = await reported(files, Number(jobs), output, servers, (file) => playFile(file, settings), flags);
  output.end(update ? outcomes.filter(({ rewritten }) => rewritten).length : undefined);
  await stdout.end();
  return statusFor(outcomes);
}

/** @throws UsageError */
function serversFor(
  flags: Flags,
  address: ReturnType<typeof filesAndAddress>['address'],
  transcripts: readonly Transcript[],
): Servers {
  const { start, restart, jobs = 1 } = flags;
  if (start === undefined) {
    if (restart) throw new UsageError('--restart needs a server to start: --start COMMAND');
    if (address && 'port' in address && address.port === 0) {
      throw new UsageError(`nothing listens on port 0; it stands for a free port with --start COMMAND`);
    }
    return runningServer(address);
  }
  const command = String(start);
  if (command.trim() === '') throw new UsageError('--start needs the command that starts the server');
  const at = addressToStart(address, transcripts, command);
  const settings = { command, address: at, timeoutMs: Number(flags.startTimeout) };
  if (!restart) return sharedServer(settings);
  if (Number(jobs) > 1 && !('port' in at && at.port === 0)) {
    throw new UsageError(
      `--restart with --jobs needs a free port for each server: address :0, and {port} in the command`,
    );
  }
  return serverPerRun(settings);
}

function transcriptsOf(files: readonly CheckedFile[]): Transcript[] {
  return files.map(({ content }) => content).filter((content): content is Transcript => !(content instanceof Error));
}

/** Plays the files, at most `jobs` at once, and reports them in their order. The last one is reported when the servers have ended. */
async function reported(
  files: readonly CheckedFile[],
  jobs: number,
  output: CheckReport,
  servers: Servers,
  play: (file: CheckedFile) => Promise<Outcome>,
  { format }: Flags,
): Promise<Outcome[]> {
  const outcomes: Outcome[] = [];
  const add = (outcome: Outcome) => {
    // The other formats are read by programs.
    if (outcome.error && format !== 'text') report(outcome.error);
    output.add(outcome);
  };
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < files.length) {
      const index = next++;
      outcomes[index] = await play(files[index] as CheckedFile);
      for (; done < files.length - 1 && outcomes[done]; done++) add(outcomes[done] as Outcome);
    }
  };
  await Promise.all(Array.from({ length: Math.min(jobs, files.length) }, work)).finally(async () => {
    const failure = await servers.close();
    const last = outcomes.length - 1;
    if (failure && outcomes[last]) outcomes[last] = withError(outcomes[last] as Outcome, failure);
  });
  for (; done < files.length; done++) add(outcomes[done] as Outcome);
  return outcomes;
}

/** What was started must not outlive the command: it has process groups of its own, which Ctrl-C does not reach. */
function endOnSignals(): void {
  for (const [signal, status] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const) {
    let isSecond = false;
    process.on(signal, () => {
      // All that is left is killed at the exit.
      if (isSecond) process.exit(status);
      isSecond = true;
      void endGroups().then(() => process.exit(status));
    });
  }
}
