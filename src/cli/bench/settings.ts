/** Reads the flags of `yodel bench`. Every mistake in them is reported before anything is sent. */
import type { Address } from '../../address.ts';
import { isSameFraming } from '../../framing/framing.ts';
import type { Protocol } from '../../framing/protocol.ts';
import {
  isWebSocket,
  type LoadSettings,
  type LoadWire,
  protocolOf as loadProtocolOf,
  type Replies,
} from '../../load/plan.ts';
import { type Assertion, parseAssertion } from '../../load/result/assertion.ts';
import { readReport } from '../../load/result/read-report.ts';
import type { BenchReport } from '../../load/result/report.ts';
import { durationOf, messagesIn, type Stage } from '../../load/stages.ts';
import { endsWithCrlf } from '../connect/run.ts';
import { readAddress } from '../connect/target.ts';
import { UsageError } from '../fail.ts';
import { checkWritable, readFile } from '../files.ts';
import { withReplyFlags } from '../reply-flags.ts';
import { readTlsFlags, withSsl } from '../tls-flags.ts';
import { readWire } from '../wire.ts';
import { hasWireFlags } from '../wire-flags.ts';
import { checkLimits, maxThreads } from './limits.ts';
import { readMessages } from './messages.ts';
import { readScriptText } from './transcript.ts';

/** The duration when neither --duration nor --count is given. */
const defaultDurationMs = 10_000;

/** What to measure, and what to do with the result. */
export interface BenchSettings {
  readonly load: LoadSettings;
  readonly assertions: readonly Assertion[];
  /** The result of --compare. */
  readonly old: BenchReport | undefined;
  readonly json: boolean;
  readonly htmlFile: string | undefined;
  readonly hdrFile: string | undefined;
}

/**
 * Reads the flags.
 *
 * @throws UsageError
 * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_ADDRESS`
 */
export async function readBenchSettings(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<BenchSettings> {
  const { expressions, trailing } = splitAssertions((flags.assert as string[] | undefined) ?? []);
  if (trailing.length > 0 && address !== undefined) {
    throw new UsageError(`two addresses: "${address}" and "${trailing.join(' ')}"; give only one`);
  }
  const htmlFile = flags.html as string | undefined;
  const hdrFile = flags.hdr as string | undefined;
  const settings = {
    load: await readLoad(address ?? trailing[0], port ?? trailing[1], flags),
    assertions: expressions.map(parseAssertion),
    old: flags.compare === undefined ? undefined : readReport(readFile(String(flags.compare)), String(flags.compare)),
    json: flags.json === true,
    htmlFile,
    hdrFile,
  };
  for (const file of [htmlFile, hdrFile]) if (file !== undefined) checkWritable(file);
  return settings;
}

async function readLoad(
  host: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<LoadSettings> {
  const stages = flags.stages as readonly Stage[] | undefined;
  const rate = stages
    ? meanRate(stages, flags.duration as number | undefined)
    : ((flags.rate as number | undefined) ?? null);
  const count = (flags.count as number | undefined) ?? null;
  const connections = flags.connections as number;
  const threads = flags.threads as number;
  const address = withSsl(readAddress(host, port), flags);
  const { wire, protocol } = await readLoadWire(flags, address);
  const transcript = await readScriptText(flags);
  const replies = transcript ? 'count' : readReplies(flags, protocol);
  const max = maxThreads();
  if (threads > max) {
    throw new UsageError(
      `--threads ${threads} is too many: the maximum on this machine is ${max}, and more threads than cores do not help`,
    );
  }
  if (threads > connections) {
    throw new UsageError(`--threads ${threads} needs at least ${threads} connections, not ${connections}`);
  }
  if (protocol.replyFraming.name === 'raw' && replies === 'count' && !transcript) {
    throw new UsageError('the framing "raw" has no messages to count; use --replies echo or none');
  }
  const reconnectEach = flags.reconnectEach === true;
  checkLimits({ address: String(address), connections, threads, reconnectEach });
  return {
    ...wire,
    reconnectEach,
    tls: readTlsFlags(flags, address),
    connections,
    pipeline: rate === null ? ((flags.pipeline as number | undefined) ?? 1) : null,
    rate,
    stages,
    count,
    durationMs: readDuration(flags, stages, count),
    ...(transcript ? { messages: { given: [] } } : readMessages(flags, protocol.framing)),
    transcript,
    replies,
    greeting: flags.greeting as number | undefined,
    errorPattern: replacedPattern(flags),
    connectTimeoutMs: flags.connectTimeout as number,
    timeoutMs: flags.timeout as number,
    threads,
  };
}

/** The mean rate of stages, or of the beginning of them. */
function meanRate(stages: readonly Stage[], durationMs = durationOf(stages)): number {
  const ms = Math.min(durationMs, durationOf(stages));
  return (messagesIn(stages, ms) / ms) * 1000;
}

/** How long to send; null until `count` messages are sent. Stages have an end of their own. */
function readDuration(
  flags: Readonly<Record<string, unknown>>,
  stages: readonly Stage[] | undefined,
  count: number | null,
): number | null {
  const given = flags.duration as number | undefined;
  if (stages) return Math.min(given ?? Number.POSITIVE_INFINITY, durationOf(stages));
  return given ?? (count === null ? defaultDurationMs : null);
}

/** How messages are written in a load test, as text that other processes read too. A WebSocket address has its own. */
async function readLoadWire(
  flags: Readonly<Record<string, unknown>>,
  place: Address,
): Promise<{ readonly wire: LoadWire & Pick<LoadSettings, 'files'>; readonly protocol: Protocol }> {
  const address = String(place);
  const { protocol, files } = await readWire(flags);
  const { name, framing, replyFraming } = protocol;
  if (isWebSocket({ address })) {
    if (hasWireFlags(flags) && framing.name !== 'lines') {
      const flag = flags.protocol === undefined ? '--framing' : '--protocol';
      throw new UsageError(`${flag} cannot be used with ${address}: WebSocket has its own messages`);
    }
    if (flags.crlf === true)
      throw new UsageError(`--crlf cannot be used with ${address}: WebSocket has its own messages`);
    const wire = { address, framing: 'websocket' };
    return { wire, protocol: loadProtocolOf(wire) };
  }
  // An own protocol without a name is known by its file.
  const named = name ?? (flags.protocol === undefined ? undefined : files[0]);
  const isSymmetric = isSameFraming(replyFraming, framing);
  const texts = { framing: framing.name, replyFraming: isSymmetric ? undefined : replyFraming.name };
  const crlf = (flags.crlf === true && !endsWithCrlf(framing)) || undefined;
  if (crlf && framing.name !== 'lines') {
    throw new UsageError(`--crlf needs a framing of lines, not "${framing.name}"`);
  }
  return {
    wire: { address, crlf, ...(named === undefined ? texts : { framing: named, protocol: named }), files },
    protocol,
  };
}

/**
 * What is expected of replies: by default the message itself, or any message if they have another framing, or if it is said
 * how errors look.
 */
function readReplies(flags: Readonly<Record<string, unknown>>, protocol: Protocol): Replies {
  const { framing, replyFraming, greeting = 0 } = protocol;
  const given = flags.replies as Replies | undefined;
  const hasPattern = flags.errorPattern !== undefined && flags.errorPattern !== true;
  const isEchoable = isSameFraming(framing, replyFraming) && greeting === 0;
  if (given === 'echo' && !isEchoable) {
    throw new UsageError('--replies echo needs the same framing in both directions; use count or none');
  }
  if (given !== undefined && given !== 'count' && hasPattern) {
    throw new UsageError(`--error-pattern is for counted replies: omit --replies ${given}`);
  }
  return given ?? (isEchoable && !hasPattern ? 'echo' : 'count');
}

/** The pattern of the flags, as text for other processes. */
function replacedPattern(flags: Readonly<Record<string, unknown>>): string | undefined {
  const { errorPattern } = withReplyFlags({} as Protocol, flags);
  return errorPattern?.source;
}

/** `--assert` takes all words that follow it, also the address when that comes last. */
function splitAssertions(words: readonly string[]): { expressions: readonly string[]; trailing: readonly string[] } {
  const last = words.findLastIndex((word) => /[<>=!]/.test(word));
  const trailing = words.slice(last + 1);
  const isAddress =
    trailing.length <= 2 && trailing.every((word) => /^[^\s]*[.:/][^\s]*$|^\d+$|^localhost$|^@/.test(word));
  return last >= 0 && isAddress
    ? { expressions: words.slice(0, last + 1), trailing }
    : { expressions: words, trailing: [] };
}
