/** Runs `yodel connect`: by hand on a terminal, else as a part of a pipe. */
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import type { Framing } from '../framing/framing.ts';
import { lines } from '../framing/lines.ts';
import { parseFraming } from '../framing/notation.ts';
import type { TlsOptions } from '../transport/transport.ts';
import { UsageError } from './fail.ts';
import { readTlsFlags } from './tls-flags.ts';

/** What both ways of connecting need. Times are milliseconds. */
export interface ConnectSettings {
  readonly address: Address;
  readonly tls: TlsOptions;
  readonly framing: Framing;
  /** Messages to send before ending; Infinity for all. */
  readonly count: number;
  readonly connectTimeoutMs: number;
  readonly waitMs: number;
  /** Whether a lost connection is made again. By hand only. */
  readonly reconnect: boolean;
  readonly byHand: ByHandSettings;
}

/** How a conversation by hand begins; all of it can be switched by its commands. */
export interface ByHandSettings {
  readonly hex: boolean;
  readonly timestamps: boolean;
  readonly raw: boolean;
  readonly escapes: boolean;
}

/** Connects, and resolves when the conversation is over. Sets the exit status. */
export async function runConnect(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Promise<void> {
  const to = readAddress(address, port);
  if (to.scheme === 'ws' || to.scheme === 'wss') {
    throw new UsageError(`yodel connect speaks TCP, TLS and Unix sockets, not WebSocket as ${to}`);
  }
  const settings: ConnectSettings = {
    address: to,
    tls: readTlsFlags(flags, to),
    framing: readFraming(flags),
    count: (flags.count as number | undefined) ?? Number.POSITIVE_INFINITY,
    connectTimeoutMs: flags.connectTimeout as number,
    waitMs: flags.wait as number,
    reconnect: flags.reconnect === true,
    byHand: {
      hex: flags.hex === true,
      timestamps: flags.timestamps === true,
      raw: flags.raw === true,
      escapes: flags.escapes === true,
    },
  };
  if (process.stdin.isTTY && process.stdout.isTTY) {
    const { talk } = await import('./connect-terminal.ts');
    process.exitCode = await talk(settings);
  } else {
    const { pipe } = await import('./connect-pipe.ts');
    process.exitCode = await pipe(settings);
  }
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
  if (port === undefined) return parseAddress(address);
  if (!/^\d+$/.test(port)) throw new UsageError(`"${port}" is not a port; write HOST PORT or HOST:PORT`);
  if (/^[^:]+:\d+$|\]:\d+$|:\/\//.test(address)) {
    throw new UsageError(`"${address}" has a port already, and "${port}" is another one; write HOST PORT or HOST:PORT`);
  }
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return parseAddress(`${host}:${port}`);
}
