/** Which peers may connect: lists of networks, and the number and rate of connections per client address. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
import { RateLimit } from '../session/rate-limit.ts';
import type { AddressList } from '../transport/address-list.ts';

/** The rules. */
export interface AdmissionRules {
  /** Only these peers may connect; undefined: all. */
  readonly allow: AddressList | undefined;
  /** These peers may not connect, even if `allow` lists them. */
  readonly deny: AddressList | undefined;
  /** Connections from one address at the same time; 0: no limit. */
  readonly perAddress: number;
  /** Connections per second from one address, with a burst of one second's worth; 0: no limit. */
  readonly rate: number;
}

/** The state of a client address. */
interface Client {
  open: number;
  readonly rateLimit: RateLimit | undefined;
}

/**
 * Addresses without connections are removed when this number of addresses is known, or twice the number that the last
 * sweep left.
 */
const minSweepSize = 1024;

/** Applies the rules. They can change at any time; open connections stay. */
export class Admission {
  #rules: AdmissionRules;
  #clients = new Map<string, Client>();
  #sweepAt = minSweepSize;

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** Whether there are rules at all: if not, every peer may connect. */
  get hasRules(): boolean {
    const { allow, deny, perAddress, rate } = this.#rules;
    return allow !== undefined || deny !== undefined || perAddress > 0 || rate > 0;
  }

  /** The number of known addresses. */
  get known(): number {
    return this.#clients.size;
  }

  /** Applies other rules. Rates start from zero. */
  reload(rules: AdmissionRules): void {
    this.#rules = rules;
    const connected = [...this.#clients].filter(([, { open }]) => open > 0);
    this.#clients = new Map(connected.map(([address, { open }]) => [address, { open, rateLimit: undefined }]));
  }

  /**
   * The reason to refuse this peer now. Undefined: it may connect, and counts as connected until {@link release}.
   *
   * @param stalledMs the time until now in which the server did not run: connections that waited meanwhile are admitted
   */
  admit(peer: Address, now: number, stalledMs = 0): YodelError | undefined {
    const { allow, deny, perAddress, rate } = this.#rules;
    // For a Unix socket, the permissions of its file decide.
    if (!('host' in peer)) return undefined;
    if ((allow && !allow.has(peer)) || deny?.has(peer)) {
      return new YodelError('YODEL_ADDRESS_DENIED', `connections from ${peer.host} are not allowed`);
    }
    if (perAddress === 0 && rate === 0) return undefined;
    const client = this.#clientOf(keyOf(peer.host), now, stalledMs);
    if (perAddress > 0 && client.open >= perAddress) {
      const text = `this address has reached its limit of ${perAddress} connections; try again later`;
      return new YodelError('YODEL_TOO_MANY_CONNECTIONS', text);
    }
    if (client.rateLimit?.admit(1, now, stalledMs) === 0) {
      return new YodelError('YODEL_CONNECTION_RATE', `more than ${rate} connections per second from this address`);
    }
    client.open++;
    return undefined;
  }

  /** An admitted connection was closed. */
  release(peer: Address, now: number): void {
    if (!('host' in peer) || this.#clients.size === 0) return;
    const key = keyOf(peer.host);
    const client = this.#clients.get(key);
    if (!client) return;
    if (client.open > 0) client.open--;
    if (isRemovable(client, now)) this.#clients.delete(key);
  }

  #clientOf(key: string, now: number, stalledMs: number): Client {
    const known = this.#clients.get(key);
    if (known?.rateLimit || (known && this.#rules.rate === 0)) return known;
    if (this.#clients.size >= this.#sweepAt) this.#sweep(now);
    const { rate } = this.#rules;
    const rateLimit = rate === 0 ? undefined : new RateLimit(rate, Math.max(1, rate), now - stalledMs);
    const client = { open: known?.open ?? 0, rateLimit };
    this.#clients.set(key, client);
    return client;
  }

  #sweep(now: number): void {
    for (const [key, client] of this.#clients) if (isRemovable(client, now)) this.#clients.delete(key);
    this.#sweepAt = Math.max(minSweepSize, 2 * this.#clients.size);
  }
}

/** Whether the address has no connection, and its whole burst is available again. */
function isRemovable({ open, rateLimit }: Client, now: number): boolean {
  return open === 0 && (rateLimit === undefined || rateLimit.isFull(now));
}

/**
 * The key of a client address: an IPv4 address, or the first 64 bits of an IPv6 address, because a single customer gets at
 * least a /64 network (RFC 6177).
 */
function keyOf(host: string): string {
  return host.includes(':') ? networkOf(host) : host;
}

/** The first 64 bits of an IPv6 address, however it is written. */
function networkOf(host: string): string {
  const [address = ''] = host.split('%');
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // A trailing IPv4 part counts as two groups.
  const width = (groups: readonly string[]) => groups.length + (groups.at(-1)?.includes('.') ? 1 : 0);
  const zeros = tail === undefined ? 0 : 8 - width(before) - width(after);
  const groups = [...before, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
