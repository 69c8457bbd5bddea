/** The address on the command line of a command that connects. */
import { type Address, defaultAddress, parseAddress } from '../../address.ts';
import { UsageError } from '../fail.ts';
import { withSsl } from '../tls-flags.ts';

/**
 * Reads the address of `yodel connect` or `yodel send`.
 *
 * @throws UsageError as {@link readAddress}
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function readTarget(
  address: string | undefined,
  port: string | undefined,
  flags: Readonly<Record<string, unknown>>,
): Address {
  return withSsl(readAddress(address, port), flags);
}

/** Whether an address is one of WebSocket, whose connections have messages and no bytes in between. */
export function isWebSocket({ scheme }: Address): boolean {
  return scheme === 'ws' || scheme === 'wss';
}

/**
 * Reads an address in any form, also as HOST PORT. Default: tcp://127.0.0.1:7878.
 *
 * @throws UsageError for a port that is wrong or given twice, and for a context after flags
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function readAddress(address: string | undefined, port: string | undefined): Address {
  if (address === undefined) return defaultAddress;
  // Contexts are replaced before the command runs, unless a flag that takes several values took this one.
  if (address.startsWith('@')) throw new UsageError(`the context "${address}" must come before the flags`);
  if (port === undefined) return parseAddress(address);
  if (!/^\d+$/.test(port)) throw new UsageError(`"${port}" is not a port; use HOST PORT or HOST:PORT`);
  if (/^[^:]+:\d+$|\]:\d+$|:\/\//.test(address)) {
    throw new UsageError(`"${address}" already has a port, and "${port}" is a second one; use HOST PORT or HOST:PORT`);
  }
  const host = address.includes(':') && !address.startsWith('[') ? `[${address}]` : address;
  return parseAddress(`${host}:${port}`);
}
