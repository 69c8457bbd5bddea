/** What the end of a connection on which the server said nothing may mean, chosen by what is known of it. */
import type { Address } from '../../address.ts';
import { systemError, type YodelError } from '../../errors.ts';

/** An alert of TLS: type 0x15, version 3.x, two bytes, of which the first is its level. */
const alertSize = 7;
const alertType = 0x15;
const handshakeType = 0x16;

/** Ports whose protocol begins with TLS. */
const tlsPorts: Readonly<Record<number, string>> = {
  443: 'HTTPS',
  465: 'SMTP over TLS',
  563: 'NNTP over TLS',
  636: 'LDAP over TLS',
  853: 'DNS over TLS',
  990: 'FTP over TLS',
  992: 'Telnet over TLS',
  993: 'IMAP over TLS',
  995: 'POP3 over TLS',
  5671: 'AMQP over TLS',
  6514: 'syslog over TLS',
  6697: 'IRC over TLS',
  8443: 'HTTPS',
  8883: 'MQTT over TLS',
};

/** Watches the beginnings of both directions of a connection. */
export class Beginnings {
  readonly #address: Address;
  #sent = 0;
  #sentFirst: number | undefined;
  #received = 0;
  #start: Uint8Array = new Uint8Array();
  #isExplained = false;

  constructor(address: Address) {
    this.#address = address;
  }

  /** Bytes that were passed to the connection. */
  get sentBytes(): number {
    return this.#sent;
  }

  get receivedBytes(): number {
    return this.#received;
  }

  sent(bytes: Uint8Array): void {
    this.#sentFirst ??= bytes[0];
    this.#sent += bytes.length;
  }

  received(chunk: Uint8Array): void {
    if (this.#received < alertSize) this.#start = Buffer.concat([this.#start, chunk]).subarray(0, alertSize);
    this.#received += chunk.length;
  }

  /** The error of a connection that broke. One of TLS is also the reason why nothing was received. */
  broke(error: Error): YodelError {
    const broken = systemError(`the connection to ${this.#address} broke`, error);
    this.#isExplained = broken.code === 'YODEL_TLS';
    return broken;
  }

  /** Whether the server answered plain text with an alert of TLS, and nothing else. */
  get isRefusedByTls(): boolean {
    if (isEncrypted(this.#address) || this.#received !== alertSize || this.#sentFirst === handshakeType) return false;
    const [type, major, , high, low, level = 0] = this.#start;
    return type === alertType && major === 3 && high === 0 && low === 2 && (level === 1 || level === 2);
  }

  /**
   * Why the server may have said nothing to what was sent; undefined if it said something, was sent nothing, or the reason is known.
   *
   * @param endsSide whether this side ended (FIN) after the input
   */
  hint(endsSide: boolean): string | undefined {
    if (this.#isExplained || this.#received > 0 || this.#sent === 0 || this.#address.scheme === 'exec')
      return undefined;
    const causes = [
      ...causesFor(this.#address),
      ...(endsSide ? ['more time after the end of input (--no-shutdown)'] : []),
    ];
    return `nothing was received; if a reply was due, the server may expect ${listOf(causes)}`;
  }

  /** What to do about {@link isRefusedByTls}. */
  get tlsHint(): string {
    return `${this.#address} answered with an alert of TLS: it expects TLS${useTls(this.#address)}`;
  }
}

function causesFor(address: Address): string[] {
  const another = 'another protocol';
  if (address.scheme === 'unix' || address.scheme === 'exec') return [another];
  if (isEncrypted(address)) return [another, 'a client certificate (--cert, --key)'];
  const known = tlsPorts[address.port];
  if (known !== undefined) return [`TLS, because port ${address.port} is for ${known}${useTls(address)}`];
  return [`TLS${useTls(address)}`, 'a PROXY header', `another protocol (is port ${address.port} right?)`];
}

function isEncrypted({ scheme }: Address): boolean {
  return scheme === 'tls' || scheme === 'wss';
}

function useTls(address: Address): string {
  const secured: Readonly<Record<string, string>> = { tcp: 'tls', ws: 'wss' };
  const scheme = secured[address.scheme];
  return scheme === undefined ? '' : ` (${String(address).replace(address.scheme, scheme)})`;
}

function listOf(causes: readonly string[]): string {
  const last = causes.at(-1) ?? '';
  return causes.length < 2 ? last : `${causes.slice(0, -1).join(', ')} or ${last}`;
}
