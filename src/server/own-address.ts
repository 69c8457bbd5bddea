/** Refuses a server whose handler would connect to the server itself: each connection would open the next one. */
import { lookup } from 'node:dns/promises';
import { readlinkSync, realpathSync, statSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
import { basename, dirname, join, resolve } from 'node:path';
import { type Address, hostOf, type SocketAddress } from '../address.ts';
import { YodelError } from '../errors.ts';

/**
 * @param upstream the address that the handler connects to, if it connects to one
 * @param listening the addresses of the server
 * @throws YodelError `YODEL_INVALID_ADDRESS` when it is one of them, whatever it is called: a name of this machine, any address of
 *   it where the server listens on all, an IPv4 address as IPv6, or another path to the same socket
 */
export async function refuseOwnAddress(
  upstream: Address | undefined,
  listening: readonly SocketAddress[],
): Promise<void> {
  if (!upstream) return;
  const names = [upstream, ...onSamePort(upstream, listening)].map((one) => hostOf(one) ?? '');
  const known = new Map(await Promise.all(names.map(async (name) => [name, await lookUp(name)] as const)));
  refuseIfOwn(upstream, listening, (name) => known.get(name) ?? []);
}

/**
 * The same without looking up names: of these, only `localhost` is known.
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function refuseOwnAddressNow(upstream: Address | undefined, listening: readonly SocketAddress[]): void {
  if (upstream) refuseIfOwn(upstream, listening, knownAddressesOf);
}

/** The addresses that a name stands for, IPv4 addresses as such. */
type AddressesOf = (name: string) => readonly string[];

function refuseIfOwn(upstream: Address, listening: readonly SocketAddress[], addressesOf: AddressesOf): void {
  const own =
    upstream.scheme === 'unix' ? ownSocket(upstream.path, listening) : ownPort(upstream, listening, addressesOf);
  if (!own) return;
  const text = `the upstream ${upstream} is this server itself, which listens on ${own}`;
  throw new YodelError('YODEL_INVALID_ADDRESS', `${text}: give it the address of another server`);
}

function ownSocket(path: string, listening: readonly SocketAddress[]): SocketAddress | undefined {
  const file = fileOf(path);
  return listening.find((one) => one.scheme === 'unix' && fileOf(one.path) === file);
}

/** The file that a path leads to, which another process may not have made yet: workers start before their sockets listen. */
function fileOf(path: string): string {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    // There is none, or it is not for this user.
    return targetOf(resolve(path), 0);
  }
}

/** As many links as Linux follows. */
const mostLinks = 40;

/** Where a file will be made: its path without links. */
function targetOf(path: string, links: number): string {
  const folder = realpathOf(dirname(path));
  const target = links < mostLinks && linkedFrom(path);
  return target ? targetOf(resolve(folder, target), links + 1) : join(folder, basename(path));
}

function realpathOf(folder: string): string {
  try {
    return realpathSync(folder);
  } catch {
    return folder;
  }
}

function linkedFrom(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // It is no link.
    return undefined;
  }
}

function ownPort(
  upstream: Address,
  listening: readonly SocketAddress[],
  addressesOf: AddressesOf,
): SocketAddress | undefined {
  const targets = addressesOf(hostOf(upstream) ?? '').map((one) => loopbackOf[one] ?? one);
  return onSamePort(upstream, listening).find((candidate) => {
    const listens = addressesOf(hostOf(candidate) as string);
    return targets.some((target) => listens.some((one) => takes(one, target)));
  });
}

/** Names of others need not be looked up. */
function onSamePort(upstream: Address, listening: readonly SocketAddress[]): SocketAddress[] {
  return listening.filter((one) => 'port' in one && 'port' in upstream && one.port === upstream.port);
}

/** Where a connection to a wildcard address goes. */
const loopbackOf: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };

/** Whether a connection to `target` reaches a listener at `address`. */
function takes(address: string, target: string): boolean {
  if (address === '::') return isOfThisMachine(target);
  if (address === '0.0.0.0') return isIP(target) === 4 && isOfThisMachine(target);
  return address === target;
}

function isOfThisMachine(address: string): boolean {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  return address.startsWith('127.') || address === '::1' || all.some((one) => plain(one.address) === address);
}

function knownAddressesOf(name: string): string[] {
  if (name.toLowerCase() === 'localhost') return ['127.0.0.1', '::1'];
  return isIP(name) === 0 ? [] : [plain(name)];
}

async function lookUp(name: string): Promise<string[]> {
  const known = knownAddressesOf(name);
  if (known.length > 0 || name === '') return known;
  try {
    return (await lookup(name, { all: true })).map(({ address }) => plain(address));
  } catch {
    // Unknown now; connecting will say so.
    return [];
  }
}

/** An address in its shortest form, and an IPv4 address as such even within IPv6. */
function plain(address: string): string {
  if (isIP(address) !== 6) return address;
  const [shortest = address] =
    /^\[(.*)\]$/.exec(new URL(`http://[${address.replace(/%.*$/, '')}]`).host)?.slice(1) ?? [];
  const [, high, low] = /^::ffff:([0-9a-f]+):([0-9a-f]+)$/.exec(shortest) ?? [];
  if (high === undefined || low === undefined) return shortest;
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return bits.flatMap((part) => [part >> 8, part & 255]).join('.');
}
