/** Refuses a server whose handler would connect to the server itself: each connection would open the next one. */
import { lookup } from 'node:dns/promises';
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { networkInterfaces } from 'node:os';
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
  const own = upstream.scheme === 'unix' ? ownSocket(upstream.path, listening) : await ownPort(upstream, listening);
  if (!own) return;
  const text = `the upstream ${upstream} is this server itself, which listens on ${own}`;
  throw new YodelError('YODEL_INVALID_ADDRESS', `${text}: give it the address of another server`);
}

function ownSocket(path: string, listening: readonly SocketAddress[]): SocketAddress | undefined {
  const file = fileOf(path);
  return listening.find((one) => one.scheme === 'unix' && file !== undefined && fileOf(one.path) === file);
}

/** The file that a path leads to. */
function fileOf(path: string): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev} ${ino}`;
  } catch {
    // There is none, or it is not for this user.
    return undefined;
  }
}

async function ownPort(upstream: Address, listening: readonly SocketAddress[]): Promise<SocketAddress | undefined> {
  const host = hostOf(upstream);
  const { port } = upstream as { readonly port?: number };
  // Names are only looked up if it matters.
  const candidates = listening.filter((one) => 'port' in one && one.port === port);
  if (host === undefined || candidates.length === 0) return undefined;
  const targets = (await addressesOf(host)).map((one) => loopbackOf[one] ?? one);
  for (const candidate of candidates) {
    const listens = await addressesOf(hostOf(candidate) as string);
    if (targets.some((target) => listens.some((one) => takes(one, target)))) return candidate;
  }
  return undefined;
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

/** The addresses that a name stands for, IPv4 addresses as such. */
async function addressesOf(host: string): Promise<string[]> {
  if (isIP(host) !== 0) return [plain(host)];
  try {
    return (await lookup(host, { all: true })).map(({ address }) => plain(address));
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
