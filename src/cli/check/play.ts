/** Plays one file, several times if that is wanted, and says what came of it. */
import { type Address, defaultAddress, parseAddress } from '../../address.ts';
import { YodelError } from '../../errors.ts';
import { type CheckResult, check } from '../../transcript/check.ts';
import type { Transcript } from '../../transcript/transcript.ts';
import { stepsIn } from '../../transcript/walk.ts';
import { UsageError } from '../fail.ts';
import { readFile } from '../files.ts';
import { readTlsFlags } from '../tls-flags.ts';
import type { GivenToTranscript } from '../transcript-file.ts';
import type { CheckedFile } from './load.ts';
import { failed, type Outcome, withError } from './outcome.ts';
import type { Servers } from './servers.ts';
import { type FileUpdate, updateFile } from './update-file.ts';

/** How files are played. */
export interface PlaySettings {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly servers: Servers;
  /** How often each file is played. */
  readonly repeat: number;
  /** The framings to use instead of those of the files, and values of names. */
  readonly given: GivenToTranscript;
}

/** Plays a file. Whatever keeps it from being checked is in the outcome. */
export async function playFile({ file, content }: CheckedFile, settings: PlaySettings): Promise<Outcome> {
  if (content instanceof Error) return failed(file, content);
  let outcome: Outcome = { ...failed(file, new Error()), verdict: 'ok', error: undefined };
  for (let run = 0; run < settings.repeat && outcome.verdict !== 'error'; run++) {
    outcome = await playOnce(content, outcome, settings);
  }
  return outcome;
}

async function playOnce(transcript: Transcript, before: Outcome, settings: PlaySettings): Promise<Outcome> {
  const { flags, servers, given } = settings;
  const startedAt = performance.now();
  try {
    const { result, failure } = await servers.use(
      (address) => checkAt(transcript, address, flags),
      ({ differences }) => differences.length > 0,
    );
    const update = isUpdate(flags) ? updateFile(result, given, { mask: flags.mask === true }) : undefined;
    const rewritten = update?.isRewritten ? (flags.mask === true ? 'masked' : 'updated') : undefined;
    const outcome = { ...added(before, result, update), rewritten } as const;
    return failure ? withError(outcome, failure) : outcome;
  } catch (error) {
    if (!(error instanceof YodelError || error instanceof UsageError)) throw error;
    return withError({ ...before, elapsedMs: before.elapsedMs + performance.now() - startedAt }, error);
  }
}

/** The outcome with one more run. */
function added(before: Outcome, result: CheckResult, update: FileUpdate | undefined): Outcome {
  const differs = update ? !update.isSettled : result.differences.length > 0;
  return {
    ...before,
    verdict: before.verdict === 'differs' || differs ? 'differs' : 'ok',
    runs: before.runs + 1,
    differing: before.differing + (differs ? 1 : 0),
    result: before.differing > 0 ? before.result : result,
    elapsedMs: before.elapsedMs + result.elapsedMs,
  };
}

/** How long a server must be quiet before a client goes on, so that what came is written where it came. In milliseconds. */
const updateQuietMs = 200;

function isUpdate({ update, mask }: PlaySettings['flags']): boolean {
  return update === true || mask === true;
}

async function checkAt(
  transcript: Transcript,
  given: Address | undefined,
  flags: PlaySettings['flags'],
): Promise<CheckResult> {
  const address = given ?? (transcript.address === undefined ? defaultAddress : parseAddress(transcript.address));
  return await check(transcript, {
    address,
    timeoutMs: flags.timeout as number,
    connectTimeoutMs: flags.connectTimeout as number,
    tls: readTlsFlags(flags, address, { mayUpgrade: mayUseTls(transcript) }),
    readFile,
    settleMs: isUpdate(flags) ? updateQuietMs : 0,
    // An update also finds the replies to requests that had none. What is masked has all its replies already.
    settlesExpectedOnly: flags.mask === true,
  });
}

/** Whether a connection is encrypted that the address does not tell about. */
function mayUseTls(transcript: Transcript): boolean {
  return [...stepsIn(transcript)].some((step) => step.kind === 'starttls' || (step.kind === 'connect' && step.address));
}
