/**
 * The header of the PROXY protocol, versions 1 and 2. A load balancer sends it first on a connection, to name its client.
 * After "The PROXY protocol", versions 1 & 2, Willy Tarreau, HAProxy Technologies (2020-03-05).
 *
 * Strict: a header is accepted only as specified, because a lenient parser could be tricked into trusting a forged address.
 */
import { isIPv4, isIPv6 } from 'node:net';
import { type Address, TcpAddress } from '../address.ts';
import { YodelError } from '../errors.ts';

/** A complete header. */
export interface ProxyHeader {
  /** Its length in bytes; the connection's own bytes follow. */
  readonly size: number;
  /**
   * The client. Undefined: the connection is the balancer's own, such as a health check, or the client's address is not
   * known; then the balancer is the peer.
   */
  readonly peer: Address | undefined;
}

/** The longest header of version 1, with its CRLF. */
const maxTextSize = 107;
/** The longest accepted header of version 2: addresses, and the TLVs that balancers send. */
const maxBinarySize = 4096;
const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1');
/** The part of a version 2 header that precedes the addresses. */
const fixedSize = 16;

/** Bytes of addresses by family number: unspecified, IPv4, IPv6, Unix. */
const addressSizes = [0, 12, 36, 216];
const families = { ipv4: 1, ipv6: 2 };
/** The type of the TLV with the header's checksum: CRC-32C (RFC 4960, appendix B). */
const checksumType = 0x03;

/**
 * Parses the header at the beginning of the bytes received so far. Undefined: it is incomplete.
 *
 * @throws YodelError `YODEL_INVALID_PROXY_HEADER`, as soon as the bytes cannot become a valid header
 */
export function readProxyHeader(bytes: Buffer): ProxyHeader | undefined {
  if (bytes.length === 0) return undefined;
  return bytes[0] === 0x50 ? readText(bytes) : readBinary(bytes);
}

function readText(bytes: Buffer): ProxyHeader | undefined {
  const end = bytes.subarray(0, maxTextSize).indexOf('\r\n');
  const expected = 'PROXY '.slice(0, bytes.length);
  if (bytes.toString('latin1', 0, expected.length) !== expected) throw invalid('it does not begin with "PROXY "');
  if (end === -1 && bytes.length >= maxTextSize) throw invalid(`no CRLF within ${maxTextSize} bytes`);
  if (end === -1) return undefined;
  const size = end + 2;
  const [, family, ...rest] = bytes.toString('latin1', 0, end).split(' ');
  // Anything after UNKNOWN is to be ignored (section 2.1).
  if (family === 'UNKNOWN') return { size, peer: undefined };
  const [source = '', destination = '', sourcePort = '', destinationPort = '', ...more] = rest;
  const isHost = family === 'TCP4' ? isIPv4 : family === 'TCP6' ? isPlainIPv6 : undefined;
  if (!isHost) throw invalid('its protocol is not TCP4, TCP6 or UNKNOWN');
  if (!isHost(source) || !isHost(destination)) throw invalid(`an address is not a valid ${family} address`);
  const port = portOf(sourcePort);
  if (port === undefined || portOf(destinationPort) === undefined) throw invalid('a port is not a number up to 65535');
  if (more.length > 0) throw invalid('it continues after the ports');
  return { size, peer: TcpAddress.of(source, port) };
}

function isPlainIPv6(text: string): boolean {
  return isIPv6(text) && !text.includes('%');
}

function portOf(text: string): number | undefined {
  return /^(0|[1-9]\d{0,4})$/.test(text) && Number(text) <= 65_535 ? Number(text) : undefined;
}

function readBinary(bytes: Buffer): ProxyHeader | undefined {
  const known = Math.min(bytes.length, signature.length);
  if (bytes.compare(signature, 0, known, 0, known) !== 0) throw invalid('it has no signature of version 1 or 2');
  if (bytes.length < fixedSize) return undefined;
  const [version, command] = halves(bytes[12] as number);
  const [family = 0, protocol = 0] = halves(bytes[13] as number);
  if (version !== 2) throw invalid(`its version is ${version}`);
  if (command !== 0 && command !== 1) throw invalid(`its command is ${command}`);
  if (family > 3 || protocol > 2) throw invalid('its family or protocol is undefined');
  const size = fixedSize + bytes.readUInt16BE(14);
  if (size > maxBinarySize) throw invalid(`it has ${size} bytes, more than ${maxBinarySize}`);
  // In a balancer's own connection the addresses may be missing, and are to be ignored (section 2.2).
  const addresses = command === 0 && size < fixedSize + (addressSizes[family] as number) ? 0 : addressSizes[family];
  const tlvs = fixedSize + (addresses as number);
  if (size < tlvs) throw invalid('it is too short for its addresses');
  if (bytes.length < size) return undefined;
  if (command === 1) checkTlvs(bytes.subarray(0, size), tlvs);
  const isTcp = command === 1 && protocol === 1;
  return { size, peer: isTcp ? sourceOf(bytes, family) : undefined };
}

function halves(byte: number): [number, number] {
  return [byte >> 4, byte & 15];
}

function sourceOf(bytes: Buffer, family: number): Address | undefined {
  if (family === families.ipv4) {
    return TcpAddress.of(bytes.subarray(16, 20).join('.'), bytes.readUInt16BE(24));
  }
  if (family !== families.ipv6) return undefined;
  return TcpAddress.of(formatIPv6(bytes.subarray(16, 32)), bytes.readUInt16BE(48));
}

/** In the form of RFC 5952: no leading zeros, the longest run of zero groups as `::`. */
function formatIPv6(bytes: Buffer): string {
  const isMapped = bytes.subarray(0, 10).every((byte) => byte === 0) && bytes.readUInt16BE(10) === 0xffff;
  if (isMapped) return `::ffff:${bytes.subarray(12).join('.')}`;
  const text = Array.from({ length: 8 }, (_, group) => bytes.readUInt16BE(group * 2).toString(16)).join(':');
  const runs = text.match(/\b0(?::0)+\b/g) ?? [];
  const longest = runs.reduce((best, run) => (run.length > best.length ? run : best), '');
  if (longest === '') return text;
  const [before = '', after = ''] = splitAt(text, longest);
  return `${before.replace(/:$/, '')}::${after.replace(/^:/, '')}`;
}

function splitAt(text: string, part: string): [string, string] {
  const at = new RegExp(`(?<=^|:)${part}(?=:|$)`).exec(text)?.index ?? 0;
  return [text.slice(0, at), text.slice(at + part.length)];
}

/** TLVs must fill the header to its end, and a checksum among them must match (section 2.2.3). */
function checkTlvs(header: Buffer, start: number): void {
  let at = start;
  while (at < header.length) {
    const end = at + 3 <= header.length ? at + 3 + header.readUInt16BE(at + 1) : header.length + 1;
    if (end > header.length) throw invalid('a TLV is truncated');
    if (header[at] === checksumType) checkChecksum(header, at + 3, end);
    at = end;
  }
}

function checkChecksum(header: Buffer, start: number, end: number): void {
  if (end - start !== 4) throw invalid('its checksum does not have 4 bytes');
  const bare = Buffer.from(header).fill(0, start, end);
  if (crc32c(bare) !== header.readUInt32BE(start)) throw invalid('its checksum is wrong');
}

/** CRC-32C (Castagnoli), bit by bit: a header is short. The polynomial is RFC 3720's, reflected. */
function crc32c(bytes: Buffer): number {
  let crc = 0xffff_ffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0x82f6_3b78 : 0);
  }
  return (crc ^ 0xffff_ffff) >>> 0;
}

function invalid(reason: string): YodelError {
  return new YodelError('YODEL_INVALID_PROXY_HEADER', `invalid header of the PROXY protocol: ${reason}`);
}
