/** How a connection came about, as text: for `:wire`, and for `--verbose`, which prints it on stderr. */
import { type Address, formatPeer, hostOf, TlsAddress } from '../../address.ts';
import { type DialSettings, dial, releaseUnused } from '../../client/dial.ts';
import { YodelError } from '../../errors.ts';
import { formatPlural } from '../../format/figures.ts';
import { escapeText } from '../../terminal/escape.ts';
import type { Certificate, Connection, Handshake, TlsHandshake, TlsOptions } from '../../transport/transport.ts';

/** How a command connects. */
export interface Dialing {
  readonly address: Address;
  readonly tls: TlsOptions;
  readonly connectTimeoutMs: number;
  /** Whether to print on stderr how the connection came about. */
  readonly verbose: boolean;
}

/** Connects, and prints on stderr how that went if `verbose` is set. @throws as {@link dial} */
export async function dialFor({ address, tls, connectTimeoutMs, verbose }: Dialing): Promise<Connection> {
  const settings: DialSettings = { timeoutMs: connectTimeoutMs, tls, stderr: printStderr };
  try {
    const connection = await dial(address, settings);
    if (verbose) printLines(handshakeLines(address, connection.handshake));
    return connection;
  } catch (error) {
    if (verbose) printLines(await refusedLines(error, { address, tls, connectTimeoutMs }));
    throw error;
  }
}

/**
 * After a failed TLS handshake: what the server presents, which a second connection finds out that verifies nothing, sends nothing,
 * and is closed at once. No lines if that is not the reason.
 */
export async function refusedLines(error: unknown, failed: Omit<Dialing, 'verbose'>): Promise<string[]> {
  const { address, tls, connectTimeoutMs: timeoutMs } = failed;
  if (!(error instanceof YodelError) || error.code !== 'YODEL_TLS' || tls.insecure) return [];
  if (address.scheme !== 'tls' && address.scheme !== 'wss') return [];
  const { ca, servername } = tls;
  // Neither the request of a WebSocket nor a certificate of this side is sent: the server has not proved who it is.
  const server = new TlsAddress(address.host, address.port);
  try {
    const connection = await dial(server, { timeoutMs, tls: { ca, servername, insecure: true } });
    const lines = handshakeLines(server, connection.handshake);
    releaseUnused(connection);
    return lines.map((line) => line.replace(' (accepted with --insecure)', ''));
  } catch (anotherError) {
    if (!(anotherError instanceof YodelError)) throw anotherError;
    return [];
  }
}

/** Prints what a program that is connected to (`exec:`) prints on stderr. */
function printStderr(line: string): void {
  process.stderr.write(`${escapeText(line)}\n`);
}

/** Prints lines of `--verbose`. */
export function printLines(lines: readonly string[]): void {
  for (const line of lines) process.stderr.write(`* ${escapeText(line)}\n`);
}

function handshakeLines(address: Address, handshake: Handshake | undefined): string[] {
  return handshake ? formatHandshake(address, handshake, Date.now()) : [];
}

/** The lines about a connection, not escaped. @param now the time in milliseconds since 1970 */
export function formatHandshake(address: Address, handshake: Handshake, now: number): string[] {
  const { local, remote, resolved, lookupMs, connectMs, tls, upgrade } = handshake;
  const hasPorts = address.scheme !== 'unix' && address.scheme !== 'exec';
  const ends = hasPorts ? `${formatPeer(local)} -> ${formatPeer(remote)}` : formatPeer(remote);
  const time = includesLookup(address, handshake) ? `${took(connectMs)}, with the lookup of the name` : took(connectMs);
  return [
    ...(resolved && lookupMs !== undefined
      ? [row('resolved', `${hostOf(address)}: ${resolved.join(', ')}${took(lookupMs)}`)]
      : []),
    row('connected', `${ends}${time}`),
    ...(tls ? tlsLines(tls, now) : []),
    ...(upgrade ? [row('WebSocket', `${upgrade.status}${took(upgrade.tookMs)}`)] : []),
    ...headerLines(upgrade?.headers),
  ];
}

/** A host that is a name was resolved, but when is not known. */
function includesLookup(address: Address, { resolved, remote }: Handshake): boolean {
  return resolved === undefined && hostOf(address) !== hostOf(remote);
}

function tlsLines(tls: TlsHandshake, now: number): string[] {
  const { protocol, cipher, servername, alpn, untrusted, certificate, tookMs } = tls;
  const names = [`SNI ${servername ?? 'none'}`, `ALPN ${alpn ?? 'none'}`];
  return [
    row('TLS', `${[protocol, cipher, ...names].join(', ')}${took(tookMs)}`),
    ...(certificate ? certificateLines(certificate, untrusted, now) : [row('certificate', 'none')]),
  ];
}

function certificateLines(certificate: Certificate, untrusted: string | undefined, now: number): string[] {
  const { subject, issuer, names, validFrom, validTo, fingerprint } = certificate;
  return [
    row('certificate', subject || '(no subject)'),
    row('  issuer', issuer === subject ? 'itself (self-signed)' : issuer),
    row('  names', names.join(', ') || 'none'),
    row('  valid', `${day(validFrom)} to ${day(validTo)}, ${validity(validFrom, validTo, now)}`),
    row('  SHA-256', fingerprint),
    row('  trusted', untrusted === undefined ? 'yes' : `no: ${untrusted} (accepted with --insecure)`),
  ];
}

/** The headers that every upgrade has say nothing. */
function headerLines(headers: ReadonlyMap<string, string> = new Map()): string[] {
  const usual = new Set(['upgrade', 'connection', 'sec-websocket-accept']);
  return [...headers].filter(([name]) => !usual.has(name)).map(([name, value]) => row(`  ${name}`, value));
}

function row(name: string, text: string): string {
  return `${name.padEnd(11)}  ${text}`;
}

function took(ms: number): string {
  return `  ${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}

function day(date: Date): string {
  return Number.isNaN(date.getTime()) ? 'unknown' : date.toISOString().slice(0, 10);
}

const dayMs = 86_400_000;

function validity(from: Date, to: Date, now: number): string {
  if (now < from.getTime()) return 'not valid yet';
  const days = Math.floor((to.getTime() - now) / dayMs);
  return days < 0 ? 'expired' : `${formatPlural(days, 'day')} left`;
}
