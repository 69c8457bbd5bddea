/** The flags that say whom to trust when connecting over TLS. */
import { type Command, Option } from 'commander';
import type { Address } from '../address.ts';
import type { TlsOptions } from '../transport/transport.ts';
import { UsageError } from './fail.ts';
import { readFile } from './files.ts';
import { envName } from './flags.ts';

/** Adds them to a command that connects. */
export function addTlsFlags(command: Command): void {
  command
    .optionsGroup('TLS:')
    .addOption(
      new Option('--cacert <file>', 'trust the authorities in this PEM file, and no others').env(envName('cacert')),
    )
    .addOption(new Option('--servername <name>', "the name in the server's certificate (default: the host)"))
    .addOption(new Option('--insecure', 'take any certificate: whoever answers may be somebody else'));
}

/**
 * What they say about connecting to `address`.
 *
 * @throws UsageError when the file cannot be read, or the address has no TLS
 */
export function readTlsFlags(flags: Readonly<Record<string, unknown>>, address: Address): TlsOptions {
  const { cacert, servername, insecure } = flags as { cacert?: string; servername?: string; insecure?: boolean };
  const isSecure = address.scheme === 'tls' || address.scheme === 'wss';
  // Where a certificate was asked for, an unprotected connection must not pass for a protected one.
  const [asked] = [servername && '--servername', insecure && '--insecure'].filter(Boolean);
  if (asked && !isSecure) throw new UsageError(`${asked} is for tls:// and wss:// addresses, not ${address}`);
  if (insecure && isSecure) process.stderr.write(`yodel: --insecure: the certificate of ${address} is not checked\n`);
  return { ca: cacert === undefined || !isSecure ? undefined : readFile(cacert), servername, insecure };
}
