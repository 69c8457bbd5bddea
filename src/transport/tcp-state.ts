/** What the operating system knows of a TCP connection, and the runtimes do not tell: Linux lists it in /proc. */
import { closeSync, openSync, readSync } from 'node:fs';
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
const listening = '0A';

/**
 * Where Linux lists TCP sockets. To make a table it walks through one with a place for every possible connection: 5 ms of
 * processor time on a machine with 23 GB of memory.
 */
export const tcpTables = ['/proc/self/net/tcp', '/proc/self/net/tcp6'] as const;

/** About four rows. Linux makes only the rows that are read, so a search that ends early costs less. */
const readBytes = 600;

/** `sl local_address rem_address st tx_queue:rx_queue …` */
const row = /^ *\d+: ([\dA-F]+:[\dA-F]{4}) ([\dA-F]+:[\dA-F]{4}) ([\dA-F]{2}) ([\dA-F]{8}):/;

/** The entry of a connection in the tables of the operating system. */
export class TcpEntry {
  readonly #table: string;
  readonly #local: readonly string[];
  readonly #peer: readonly string[];

  private constructor(table: string, local: readonly string[], peer: readonly string[]) {
    this.#table = table;
    this.#local = local;
    this.#peer = peer;
  }

  /** Finds an open connection. Undefined where the system lists none, and for what is no TCP connection. */
  static find({ local, peer }: ConnectionEnds): TcpEntry | undefined {
    const localEnd = endOf(local);
    const peerEnd = endOf(peer);
    if (localEnd === undefined || peerEnd === undefined) return undefined;
    return tcpTables.map((table) => new TcpEntry(table, localEnd, peerEnd)).find((entry) => entry.state !== 'gone');
  }

  /** The state now. `gone` if the system lists the connection no longer: it was reset, or both sides have ended. */
  get state(): TcpState | 'gone' {
    for (const text of rowsOf(this.#table)) {
      const [, local = '', peer = '', state = '', queued = ''] = row.exec(text) ?? [];
      if (!this.#local.includes(local) || !this.#peer.includes(peer)) continue;
      const pending = Number.parseInt(queued, 16) - (endIsPending.has(state) ? 1 : 0);
      return {
        unacknowledged: Math.max(0, pending),
        endedFirst: endedFirst.has(state),
        peerHasEnded: peerEnded.has(state),
      };
    }
    return 'gone';
  }
}

/** The addresses in a table that sockets listen at, as `0100007F:1EC6`. They come before the connections, which are not looked at. */
export function* listeningAddresses(table: string): Generator<string> {
  for (const text of rowsOf(table)) {
    const [, local, , state] = row.exec(text) ?? [];
    if (local === undefined) continue;
    if (state !== listening) return;
    yield local;
  }
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

/** The rows of a table. None where it cannot be read: not Linux, or /proc is not mounted. */
function* rowsOf(table: string): Generator<string> {
  const file = open(table);
  if (file === undefined) return;
  try {
    const bytes = Buffer.allocUnsafe(readBytes);
    let text = '';
    for (let count = readSync(file, bytes); count > 0; count = readSync(file, bytes)) {
      const lines = (text + bytes.toString('latin1', 0, count)).split('\n');
      text = lines.pop() ?? '';
      yield* lines;
    }
  } finally {
    closeSync(file);
  }
}

function open(path: string): number | undefined {
  try {
    return openSync(path, 'r');
  } catch {
    return undefined;
  }
}
