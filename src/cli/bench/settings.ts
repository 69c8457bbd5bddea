/** Reads what the flags of `yodel bench` say. Everything that can be wrong with them is found before anything is sent. */
import { availableParallelism } from 'node:os';
import type { Address } from '../../address.ts';
import { parseFraming } from '../../framing/notation.ts';
import { carriesMessages, type LoadSettings, type Replies } from '../../load/plan.ts';
import { type Assertion, parseAssertion } from '../../load/result/assertion.ts';
import { readReport } from '../../load/result/read-report.ts';
import type { BenchReport } from '../../load/result/report.ts';
import { readAddress } from '../connect/target.ts';
import { UsageError } from '../fail.ts';
import { checkWritable, readFile } from '../files.ts';
import { readTlsFlags, withSsl } from '../tls-flags.ts';

/** How long messages are sent when neither a time nor a count is given. */
const defaultDurationMs = 10_000;
const defaultSize = 64;
/** Each process costs some 50 MB and its start. */
const mostThreadsPerCore = 8;

/** What is to be measured, and what becomes of the result. */
export interface BenchSettings {
  readonly load: LoadSettings;
  readonly assertions: readonly Assertion[];
  /** The result to compare with. */
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
export function readBenchSettings(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): BenchSettings {
  const { expressions, swallowed } = splitAssertions((flags.assert as string[] | undefined) ?? []);
  if (swallowed.length > 0 && address !== undefined) {
    throw new UsageError(`there are two addresses: "${address}" and "${swallowed.join(' ')}"`);
  }
  const htmlFile = flags.html as string | undefined;
  const hdrFile = flags.hdr as string | undefined;
  const settings = {
    load: readLoad(address ?? swallowed[0], port ?? swallowed[1], flags),
    assertions: expressions.map(parseAssertion),
    old: flags.compare === undefined ? undefined : readReport(readFile(String(flags.compare)), String(flags.compare)),
    json: flags.json === true,
    htmlFile,
    hdrFile,
  };
  for (const file of [htmlFile, hdrFile]) if (file !== undefined) checkWritable(file);
  return settings;
}

function readLoad(
  host: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): LoadSettings {
  const rate = (flags.rate as number | undefined) ?? null;
  const count = (flags.count as number | undefined) ?? null;
  const connections = flags.connections as number;
  const threads = flags.threads as number;
  const address = withSsl(readAddress(host, port), flags);
  const framing = readFraming(parseFraming(String(flags.framing)).name, address);
  const replies = flags.replies as Replies;
  const most = mostThreadsPerCore * availableParallelism();
  if (threads > most) {
    throw new UsageError(
      `--threads ${threads} is too many for this machine; more than its cores help nobody, at most ${most} are started`,
    );
  }
  if (threads > connections) {
    throw new UsageError(`--threads ${threads} needs at least as many connections, not ${connections}`);
  }
  if (framing === 'raw' && replies === 'count') {
    throw new UsageError('the framing "raw" has no messages that could be counted; use --replies echo or none');
  }
  return {
    address: String(address),
    framing,
    tls: readTlsFlags(flags, address),
    connections,
    pipeline: rate === null ? ((flags.pipeline as number | undefined) ?? 1) : null,
    rate,
    count,
    durationMs: (flags.duration as number | undefined) ?? (count === null ? defaultDurationMs : null),
    messages: readMessages(flags),
    replies,
    connectTimeoutMs: flags.connectTimeout as number,
    timeoutMs: flags.timeout as number,
    threads,
  };
}

/** A WebSocket keeps messages apart by itself. */
function readFraming(framing: string, address: Address): string {
  if (!carriesMessages({ address: String(address) })) return framing;
  if (framing !== 'lines') throw new UsageError(`${address} needs no --framing: a WebSocket keeps messages apart`);
  return 'websocket';
}

function readMessages(flags: Readonly<Record<string, unknown>>): LoadSettings['messages'] {
  if (flags.message !== undefined) return { given: [Buffer.from(String(flags.message)).toString('latin1')] };
  if (flags.messageFile === undefined) return { size: (flags.size as number | undefined) ?? defaultSize };
  const file = String(flags.messageFile);
  const lines = readFile(file, 'latin1').split(/\r?\n/);
  // The last line need not have an ending; what follows the last ending is no line.
  if (lines.at(-1) === '') lines.pop();
  if (lines.length === 0) throw new UsageError(`${file} is empty; it has one message a line`);
  return { given: lines };
}

/** `--assert` takes all words that follow: when the address stands behind them, it is among them. */
function splitAssertions(words: readonly string[]): { expressions: readonly string[]; swallowed: readonly string[] } {
  const last = words.findLastIndex((word) => /[<>=!]/.test(word));
  const swallowed = words.slice(last + 1);
  const isAddress =
    swallowed.length <= 2 && swallowed.every((word) => /^[^\s]*[.:/][^\s]*$|^\d+$|^localhost$|^@/.test(word));
  return last >= 0 && isAddress
    ? { expressions: words.slice(0, last + 1), swallowed }
    : { expressions: words, swallowed: [] };
}
