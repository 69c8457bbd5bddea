/** What the operating system knows of a TCP connection, and the runtimes do not tell: Linux lists it in /proc. */
import { readFileSync } from 'node:fs';
import { isIPv4, isIPv6 } from 'node:net';
import { endianness } from 'node:os';
import type { Address } from '../address.ts';

/** The part of a connection that is looked at. */
export interface ConnectionEnds {
  readonly local: Address;
  readonly peer: Address;
}

/** A TCP connection of this machine, as its operating system sees it. */
export interface TcpState {
  /** Bytes that were sent and that the peer's operating system has not acknowledged. Includes what is encrypted around them. */
  readonly unacknowledged: number;
  /** Whether this side has ended (FIN) before the end of the peer arrived. */
  readonly endedFirst: boolean;
  /** Whether the peer has ended, and what it sent has arrived. */
  readonly peerHasEnded: boolean;
}

/** The states of the kernel (include/net/tcp_states.h) in which this side ended first, and those in which the peer has ended. */
const endedFirst = new Set(['04', '05', '06', '0B']);
const peerEnded = new Set(['06', '08', '09', '0B']);
/** Those in which the end of this side, which has a sequence number as a byte has, is not acknowledged. */
const endIsPending = new Set(['04', '09', '0B']);

/** `sl local_address rem_address st tx_queue:rx_queue …` */
const row = /^ *\d+: ([\dA-F]+:[\dA-F]{4}) ([\dA-F]+:[\dA-F]{4}) ([\dA-F]{2}) ([\dA-F]{8}):/gm;

/**
 * The state of an open connection. `gone` if the system has none such: it was reset, or both sides have ended. Undefined where the
 * system does not say, and for what is no TCP connection.
 */
export function tcpStateOf({ local, peer }: ConnectionEnds): TcpState | 'gone' | undefined {
  const ends = [endOf(local), endOf(peer)] as const;
  if (ends[0] === undefined || ends[1] === undefined) return undefined;
  const tables = [read('/proc/self/net/tcp'), read('/proc/self/net/tcp6')];
  if (tables[0] === undefined) return undefined;
  for (const table of tables) {
    const state = stateIn(table ?? '', ends);
    if (state) return state;
  }
  return 'gone';
}

/** @param ends as `0100007F:1EC6` */
function stateIn(table: string, [local, peer]: readonly (readonly string[] | undefined)[]): TcpState | undefined {
  for (const [, one = '', other = '', state = '', queued = ''] of table.matchAll(row)) {
    if (!local?.includes(one) || !peer?.includes(other)) continue;
    const pending = Number.parseInt(queued, 16) - (endIsPending.has(state) ? 1 : 0);
    return {
      unacknowledged: Math.max(0, pending),
      endedFirst: endedFirst.has(state),
      peerHasEnded: peerEnded.has(state),
    };
  }
  return undefined;
}

/** An end of a connection as the tables may show it: a socket for IPv6 shows IPv4 addresses as those mapped to IPv6. */
function endOf(address: Address): readonly string[] | undefined {
  if (address.scheme === 'unix' || address.scheme === 'exec' || endianness() !== 'LE') return undefined;
  const { host, port } = address;
  const digits = port.toString(16).toUpperCase().padStart(4, '0');
  return hexOf(host)?.map((hex) => `${hex}:${digits}`);
}

function hexOf(host: string): readonly string[] | undefined {
  if (isIPv4(host)) {
    const hex = words(host.split('.').map(Number));
    return [hex, `0000000000000000FFFF0000${hex}`];
  }
  if (!isIPv6(host)) return undefined;
  const mapped = /^::ffff:([\d.]+)$/i.exec(host)?.[1];
  if (mapped !== undefined) return hexOf(mapped);
  return [words(bytesOfIPv6(host.replace(/%.*$/, '')))];
}

/** The bytes of an address as the tables show them: words of 32 bits, each as a number of this machine. */
function words(bytes: readonly number[]): string {
  const hex = bytes.map((byte) => byte.toString(16).padStart(2, '0'));
  return Array.from(hex, (_, at) => hex[at - (at % 4) + 3 - (at % 4)])
    .join('')
    .toUpperCase();
}

function bytesOfIPv6(host: string): number[] {
  const [before = '', after] = host.split('::');
  const groups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [left, right] = [groups(before), groups(after ?? '')];
  const zeros = after === undefined ? 0 : 8 - left.length - right.length;
  return [...left, ...Array<number>(zeros).fill(0), ...right].flatMap((group) => [group >> 8, group & 0xff]);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // Not Linux, or /proc is not mounted.
    return undefined;
  }
}
