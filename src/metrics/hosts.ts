/**
 * The values of the header `Host` that are answered. A web page of an attacker can make its own name stand for this machine
 * (DNS rebinding); the browser then sends that name, and lets the page read the answer.
 */
import { isIP } from 'node:net';
import { isLoopback, type TcpAddress } from '../address.ts';

/** A name, or an address in brackets if it is one of IPv6, and perhaps a port. */
const form = /^(?:\[([\da-f:.]+)\]|([^\s:]+))(?::\d{0,5})?$/i;
const loopbackNames = /^(?:127(?:\.\d{1,3}){3}|::1|localhost|.+\.localhost)$/i;

/** The names of one server. */
export class HostNames {
  readonly #address: TcpAddress;
  readonly #names: ReadonlySet<string>;

  /** @param more names besides those of the address, in any case; `*` for all */
  constructor(address: TcpAddress, more: readonly string[]) {
    this.#address = address;
    this.#names = new Set([address.host, ...more].map((name) => name.toLowerCase()));
  }

  /** @param host undefined: there is no such header, as browsers never do */
  allows(host: string | undefined): boolean {
    if (host === undefined || this.#names.has('*')) return true;
    const name = nameOf(host);
    if (name === undefined) return false;
    if (loopbackNames.test(name) || this.#names.has(name)) return true;
    // No page has the address of another machine as its name. At loopback, no other is needed.
    return isIP(name) !== 0 && !isLoopback(this.#address);
  }
}

/** The name or address in a value of the header, in lower case and without a port. Undefined: there is none. */
export function nameOf(host: string): string | undefined {
  const [, v6, other] = form.exec(host) ?? [];
  return (v6 ?? other)?.toLowerCase().replace(/\.$/, '') || undefined;
}
