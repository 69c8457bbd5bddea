/** Lists of addresses and networks, as in `--allow`, `--deny` and `--proxy-protocol`. Uses `net.BlockList`. */
import { BlockList, isIP } from 'node:net';
import { type Address, hostOf } from '../address.ts';
import { YodelError } from '../errors.ts';

/** Networks of IP addresses. */
export class AddressList {
  readonly #list = new BlockList();
  /** The entries as they were written, for error messages. */
  readonly entries: readonly string[];

  /**
   * @param option the name of the option, for the error
   * @param entries addresses and networks: `192.0.2.7`, `10.0.0.0/8`, `2001:db8::/32`
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  constructor(option: string, entries: readonly string[]) {
    this.entries = entries;
    for (const entry of entries) this.#add(option, entry);
  }

  /** Whether the peer is in one of the networks. A Unix socket's peer is in none; there the permissions of the file decide. */
  has(peer: Address): boolean {
    const host = hostOf(peer);
    const family = host === undefined ? 0 : isIP(host);
    return host !== undefined && family !== 0 && this.#list.check(host, family === 6 ? 'ipv6' : 'ipv4');
  }

  #add(option: string, entry: string): void {
    const [, address = '', prefix] = /^([^/]+)(?:\/(\d{1,3}))?$/.exec(entry) ?? [];
    const family = isIP(address);
    const bits = family === 6 ? 128 : 32;
    const length = prefix === undefined ? bits : Number(prefix);
    // An address with a zone (fe80::1%eth0) belongs to no network.
    if (family === 0 || length > bits || address.includes('%')) {
      const expected = 'IP addresses and networks such as 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32';
      throw new YodelError('YODEL_INVALID_OPTION', `the option "${option}" takes ${expected}, not "${entry}"`);
    }
    this.#list.addSubnet(address, length, family === 6 ? 'ipv6' : 'ipv4');
  }
}
