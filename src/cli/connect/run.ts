/** Runs `yodel connect`: as a conversation on a terminal, or in a pipe. */
import { fstatSync } from 'node:fs';
import type { Address } from '../../address.ts';
import { releaseUnused } from '../../client/dial.ts';
import { lines } from '../../framing/delimited/lines.ts';
import { encode, type Framing } from '../../framing/framing.ts';
import type { Protocol } from '../../framing/protocol.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { withReplyFlags } from '../reply-flags.ts';
import { readTlsFlags } from '../tls-flags.ts';
import { readWire } from '../wire.ts';
import type { ExchangeSettings } from './exchange.ts';
import { dialFor } from './handshake.ts';
import { printAs, printJson, printRaw } from './message-format.ts';
import { readParts } from './message-parts.ts';
import { readRecordFlags } from './record.ts';
import type { ConnectSettings } from './settings.ts';
import { isWebSocket, readTarget } from './target.ts';

/** Connects, and resolves when the conversation has ended. Sets the exit status. */
export async function runConnect(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const settings = await readSettings(readTarget(address, port, flags), flags);
  const isInteractive = process.stdin.isTTY && process.stdout.isTTY;
  if (flags.probe) {
    process.exitCode = await probe(settings);
  } else if (needsMessages(flags) || (!isInteractive && needsMessagesInPipe(settings, flags))) {
    refuseDirectory();
    const { exchange } = await import('./exchange.ts');
    process.exitCode = await exchange(messageSettings(flags, settings), process.stdin);
  } else if (isInteractive) {
    const { talk } = await import('./interactive/talk.ts');
    process.exitCode = await talk(settings);
  } else {
    refuseDirectory();
    const { pipe } = await import('./pipe.ts');
    process.exitCode = await pipe(settings);
  }
}

async function readSettings(address: Address, flags: Readonly<Record<string, unknown>>): Promise<ConnectSettings> {
  const protocol = await readProtocol(flags);
  checkFormat(flags);
  return {
    address,
    tls: readTlsFlags(flags, address),
    protocol,
    count: (flags.count as number | undefined) ?? Number.POSITIVE_INFINITY,
    connectTimeoutMs: flags.connectTimeout as number,
    verbose: flags.verbose === true,
    waitMs: flags.wait as number,
    shutdown: flags.shutdown !== false,
    reconnect: flags.reconnect === true,
    beginRecording: readRecordFlags(flags, address),
    parts: readParts(flags),
    switches: {
      hex: flags.hex === true,
      timestamps: flags.timestamps === true,
      raw: flags.raw === true,
      escapes: flags.escapes === true,
      binary: flags.binary === true,
    },
  };
}

/** Refuses a directory as stdin: it reads as empty on Node, and fails inside Bun. @throws UsageError */
function refuseDirectory(): void {
  if (fstatSync(0).isDirectory()) throw new UsageError('the input is a directory; use a file or a pipe');
}

/** Whether a flag requires whole messages. */
function needsMessages(flags: Readonly<Record<string, unknown>>): boolean {
  const { lockstep, waitReplies, countReplies, json, format, interval } = flags;
  return Boolean(lockstep || waitReplies || countReplies || json || format !== undefined || (interval as number) > 0);
}

/**
 * Whether a pipe must know where messages begin and end: to record or change them, because bytes have no place in a WebSocket, or
 * to count messages whose ends depend on the replies.
 */
function needsMessagesInPipe(
  { address, beginRecording, parts, count, protocol }: ConnectSettings,
  { crlf }: Readonly<Record<string, unknown>>,
): boolean {
  const countsByState = Number.isFinite(count) && protocol.createState !== undefined;
  return Boolean(beginRecording || crlf || parts || countsByState || isWebSocket(address));
}

/** @throws UsageError for flags that exclude each other */
function checkFormat({ json, format, waitReplies, countReplies }: Readonly<Record<string, unknown>>): void {
  if (waitReplies && countReplies !== undefined)
    throw new UsageError('--wait-replies and --count-replies cannot be used together');
  if (json && format !== undefined) throw new UsageError('--json and --format cannot be used together');
}

/** The settings of an exchange, for `yodel connect` and `yodel send`. @throws UsageError */
export function messageSettings(
  flags: Readonly<Record<string, unknown>>,
  settings: Omit<ConnectSettings, 'reconnect' | 'switches'>,
): ExchangeSettings {
  checkFormat(flags);
  const { json, format } = flags;
  return {
    ...settings,
    lockstep: flags.lockstep === true,
    waitReplies: flags.waitReplies === true,
    countReplies: flags.countReplies as number | undefined,
    reframes: flags.crlf === true,
    intervalMs: flags.interval as number,
    timeoutMs: flags.timeout as number,
    print: json ? printJson : format === undefined ? printRaw(settings.protocol) : printAs(String(format)),
  };
}

/** Connects and disconnects. @throws YodelError when it cannot connect */
async function probe(settings: ConnectSettings): Promise<number> {
  const startedAt = performance.now();
  const connection = await dialFor(settings);
  process.stderr.write(
    `yodel: ${settings.address} accepts connections (${(performance.now() - startedAt).toFixed(2)} ms)\n`,
  );
  releaseUnused(connection);
  return exitStatus.good;
}

/**
 * The protocol of the flags, with `--crlf` and what they say about replies. Any bytes are accepted: what a server sends is shown,
 * not judged.
 *
 * @throws UsageError
 */
export async function readProtocol(flags: Readonly<Record<string, unknown>>): Promise<Protocol> {
  const { protocol } = await readWire(flags);
  return withReplyFlags({ ...(flags.crlf === true ? withCrlf(protocol) : protocol), encoding: 'binary' }, flags);
}

function withCrlf(protocol: Protocol): Protocol {
  const { framing, replyFraming } = protocol;
  // Such as SMTP: what is encoded again ends as it should.
  if (endsWithCrlf(framing)) return protocol;
  if (framing.name !== 'lines') throw new UsageError(`--crlf needs a framing of lines, not "${framing.name}"`);
  const crlf = lines({ crlf: true });
  return { ...protocol, framing: crlf, replyFraming: replyFraming === framing ? crlf : replyFraming };
}

/** Whether messages end with CRLF unless they arrived with another ending. */
export function endsWithCrlf(framing: Framing): boolean {
  return Buffer.from(encode(framing, 'x')).equals(Buffer.from('x\r\n'));
}
