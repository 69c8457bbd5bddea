/** Runs `yodel connect`: by hand on a terminal, else as a part of a pipe. */

import { fstatSync } from 'node:fs';
import { type Address, defaultAddress, parseAddress } from '../../address.ts';
import { dial } from '../../client/dial.ts';
import type { Framing } from '../../framing/framing.ts';
import { lines } from '../../framing/lines.ts';
import { parseFraming } from '../../framing/notation.ts';
import { exitStatus, UsageError } from '../fail.ts';
import { readTlsFlags, withSsl } from '../tls-flags.ts';
import { printAs, printJson, printRaw } from './message-format.ts';
import type { ExchangeSettings } from './messages.ts';
import { recordInto } from './record.ts';
import type { ConnectSettings } from './settings.ts';

/** Connects, and resolves when the conversation is over. Sets the exit status. */
export async function runConnect(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const to = readTarget('connect', address, port, flags);
  const framing = readFraming(flags);
  checkFormat(flags);
  const settings: ConnectSettings = {
    address: to,
    tls: readTlsFlags(flags, to),
    framing,
    count: (flags.count as number | undefined) ?? Number.POSITIVE_INFINITY,
    connectTimeoutMs: flags.connectTimeout as number,
    waitMs: flags.wait as number,
    shutdown: flags.shutdown !== false,
    reconnect: flags.reconnect === true,
    beginRecording: flags.record === undefined ? undefined : recordInto(String(flags.record), framing, to),
    switches: {
      hex: flags.hex === true,
      timestamps: flags.timestamps === true,
      raw: flags.raw === true,
      escapes: flags.escapes === true,
    },
  };
  const byHand = process.stdin.isTTY && process.stdout.isTTY;
  if (flags.probe) process.exitCode = await probe(settings);
  else if (goesByMessage(flags) || ((settings.beginRecording || flags.crlf) && !byHand)) {
    refuseFolder();
    const { exchange } = await import('./messages.ts');
    process.exitCode = await exchange(messageSettings(flags, settings), process.stdin);
  } else if (byHand) {
    const { talk } = await import('./interactive/talk.ts');
    process.exitCode = await talk(settings);
  } else {
    refuseFolder();
    const { pipe } = await import('./pipe.ts');
    process.exitCode = await pipe(settings);
  }
}

/**
 * The address of a conversation.
 *
 * @throws UsageError also for one that `yodel connect` and `yodel send` do not speak
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function readTarget(
  command: 'connect' | 'send',
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Address {
  const to = withSsl(readAddress(address, port), flags);
  if (to.scheme === 'ws' || to.scheme === 'wss') {
    throw new UsageError(`yodel ${command} speaks TCP, TLS and Unix sockets, not WebSocket as ${to}`);
  }
  return to;
}

/** Node reads a folder as an empty input, Bun fails inside of it. @throws UsageError */
function refuseFolder(): void {
  if (fstatSync(0).isDirectory()) throw new UsageError('the input is a folder; give a file, or a pipe');
}

/** Whether a flag wants messages, and not bytes as they come. */
function goesByMessage(flags: Readonly<Record<string, unknown>>): boolean {
  const { lockstep, waitReplies, json, format, interval } = flags;
  return Boolean(lockstep || waitReplies || json || format !== undefined || (interval as number) > 0);
}

/** @throws UsageError for two ways of printing */
function checkFormat({ json, format }: Readonly<Record<string, unknown>>): void {
  if (json && format !== undefined) throw new UsageError('--json and --format say both how messages are printed');
}

/** How messages go and are printed. @throws UsageError */
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
    reframes: flags.crlf === true,
    intervalMs: flags.interval as number,
    timeoutMs: flags.timeout as number,
    print: json ? printJson : format === undefined ? printRaw : printAs(String(format)),
  };
}

/** Only connects. The exit status is good when it could. @throws YodelError when it could not */
async function probe({ address, connectTimeoutMs, tls }: ConnectSettings): Promise<number> {
  const began = performance.now();
  const connection = await dial(address, { timeoutMs: connectTimeoutMs, tls });
  process.stderr.write(`yodel: ${address} takes connections (${(performance.now() - began).toFixed(2)} ms)\n`);
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.release();
  return exitStatus.good;
}

function readFraming(flags: Readonly<Record<string, unknown>>): Framing {
  const framing = parseFraming(String(flags.framing));
  if (flags.crlf !== true) return framing;
  if (framing.name !== 'lines')
    throw new UsageError(`--crlf goes with the framing "lines", not with "${framing.name}"`);
  return lines({ crlf: true });
}

/**
 * Reads an address as it stands on the command line, also as HOST PORT.
 *
 * @throws UsageError
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function readAddress(address: string | undefined, port: string | undefined): Address {
  if (address === undefined) return defaultAddress;
  // A saved context is in its place before the command runs, unless a flag that takes several words has taken it.
  if (address.startsWith('@')) throw new UsageError(`the context "${address}" must stand before the flags`);
  if (port === undefined) return parseAddress(address);
  if (!/^\d+$/.test(port)) throw new UsageError(`"${port}" is not a port; write HOST PORT or HOST:PORT`);
  if (/^[^:]+:\d+$|\]:\d+$|:\/\//.test(address)) {
    throw new UsageError(`"${address}" has a port already, and "${port}" is another one; write HOST PORT or HOST:PORT`);
  }
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return parseAddress(`${host}:${port}`);
}
