/** Who may connect: lists of networks, and how many connections and how often from one address. */
import type { Address } from '../address.ts';
import { YodelError } from '../errors.ts';
import { RateLimit } from '../session/rate-limit.ts';
import type { AddressList } from '../transport/address-list.ts';

/** The rules. */
export interface AdmissionRules {
  /** Only these may connect; undefined: all. */
  readonly allow: AddressList | undefined;
  /** These may not, also when they are allowed. */
  readonly deny: AddressList | undefined;
  /** Connections from one address at once; 0: any number. */
  readonly perAddress: number;
  /** Connections a second from one address, with a burst of one second's worth; 0: any number. */
  readonly rate: number;
}

/** What is known of an address. */
interface Visitor {
  open: number;
  readonly rateLimit: RateLimit | undefined;
}

/** Addresses without connections are forgotten at the latest when there are so many, or twice as many as the last time. */
const fewVisitors = 1024;

/** Applies the rules. They can be changed at any time; connections that are there already stay. */
export class Admission {
  #rules: AdmissionRules;
  #visitors = new Map<string, Visitor>();
  #sweepAt = fewVisitors;

  constructor(rules: AdmissionRules) {
    this.#rules = rules;
  }

  /** How many addresses are remembered. */
  get known(): number {
    return this.#visitors.size;
  }

  /** Goes on with other rules. A pace begins anew. */
  follow(rules: AdmissionRules): void {
    this.#rules = rules;
    const counts = [...this.#visitors].filter(([, { open }]) => open > 0);
    this.#visitors = new Map(counts.map(([address, { open }]) => [address, { open, rateLimit: undefined }]));
  }

  /** Why this peer may not connect now; undefined: it may, and is counted until {@link left}. */
  admit(peer: Address, now: number): YodelError | undefined {
    const { allow, deny, perAddress, rate } = this.#rules;
    // Who may open the socket's file decides there.
    if (peer.scheme === 'unix') return undefined;
    if ((allow && !allow.has(peer)) || deny?.has(peer)) {
      return new YodelError('YODEL_ADDRESS_DENIED', `connections from ${peer.host} are not allowed`);
    }
    if (perAddress === 0 && rate === 0) return undefined;
    const visitor = this.#visitorOf(keyOf(peer.host), now);
    if (perAddress > 0 && visitor.open >= perAddress) {
      const text = `there are already ${perAddress} connections from this address, its limit; try again later`;
      return new YodelError('YODEL_TOO_MANY_CONNECTIONS', text);
    }
    if (visitor.rateLimit?.admit(1, now) === 0) {
      return new YodelError('YODEL_CONNECTION_RATE', `more than ${rate} connections a second from this address`);
    }
    visitor.open++;
    return undefined;
  }

  /** A connection that was admitted has ended. */
  left(peer: Address, now: number): void {
    if (peer.scheme === 'unix' || this.#visitors.size === 0) return;
    const key = keyOf(peer.host);
    const visitor = this.#visitors.get(key);
    if (!visitor) return;
    if (visitor.open > 0) visitor.open--;
    if (isForgotten(visitor, now)) this.#visitors.delete(key);
  }

  #visitorOf(key: string, now: number): Visitor {
    const known = this.#visitors.get(key);
    if (known?.rateLimit || (known && this.#rules.rate === 0)) return known;
    if (this.#visitors.size >= this.#sweepAt) this.#sweep(now);
    const { rate } = this.#rules;
    const rateLimit = rate === 0 ? undefined : new RateLimit(rate, Math.max(1, rate), now);
    const visitor = { open: known?.open ?? 0, rateLimit };
    this.#visitors.set(key, visitor);
    return visitor;
  }

  #sweep(now: number): void {
    for (const [key, visitor] of this.#visitors) if (isForgotten(visitor, now)) this.#visitors.delete(key);
    this.#sweepAt = Math.max(fewVisitors, 2 * this.#visitors.size);
  }
}

/** Nothing of it is open, and all of its burst is there again. */
function isForgotten({ open, rateLimit }: Visitor, now: number): boolean {
  return open === 0 && (rateLimit === undefined || rateLimit.isFull(now));
}

/**
 * What counts as one address: an IPv4 address, or the first 64 bits of an IPv6 one, for that is the least that one customer
 * gets (RFC 6177).
 */
function keyOf(host: string): string {
  return host.includes(':') ? networkOf(host) : host;
}

/** The first 64 bits of an IPv6 address, whatever way it is written. */
function networkOf(host: string): string {
  const [address = ''] = host.split('%');
  const [head = '', tail] = address.split('::');
  const before = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // A trailing IPv4 part stands for two groups.
  const width = (groups: readonly string[]) => groups.length + (groups.at(-1)?.includes('.') ? 1 : 0);
  const zeros = tail === undefined ? 0 : 8 - width(before) - width(after);
  const groups = [...before, ...new Array<string>(Math.max(0, zeros)).fill('0'), ...after];
  return groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':');
}
