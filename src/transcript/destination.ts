/** The addresses of second connections: `@connect NAME ADDRESS`. */
import { type Address, parseAddress, TcpAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import { allNamesIn, bytesOf } from './content.ts';
import type { Content, Part, Transcript } from './transcript.ts';
import type { Values } from './values.ts';

/** Reads an address, also as FTP writes it: `127,0,0,1,195,80`. @throws YodelError `YODEL_INVALID_ADDRESS` */
export function parseDestination(text: string): Address {
  return ftpAddress(text) ?? parseAddress(text);
}

/** Six numbers: those of an IPv4 address, and the high and the low byte of the port (RFC 959, PORT). */
function ftpAddress(text: string): Address | undefined {
  if (!text.includes(',') || text.includes(':')) return undefined;
  const numbers = /^\d{1,3}(?:,\d{1,3}){5}$/.test(text) ? text.split(',').map(Number) : [];
  if (numbers.length === 0)
    throw new YodelError('YODEL_INVALID_ADDRESS', `"${text}" is not an address of FTP, such as 127,0,0,1,195,80`);
  const [port1 = 0, port2 = 0] = numbers.slice(4);
  if (numbers.some((number) => number > 255))
    throw new YodelError('YODEL_INVALID_ADDRESS', `${text} has a number above 255`);
  return new TcpAddress(numbers.slice(0, 4).join('.'), port1 * 256 + port2);
}

/** The notation of FTP for an address. @throws YodelError `YODEL_INVALID_ADDRESS` if it has none */
export function formatFtpAddress(address: Address): string {
  if (address.scheme !== 'tcp' || !/^\d+(?:\.\d+){3}$/.test(address.host))
    throw new YodelError('YODEL_INVALID_ADDRESS', `${address} has no notation in FTP, which needs an IPv4 address`);
  return [...address.host.split('.'), address.port >> 8, address.port & 0xff].join(',');
}

/**
 * Where a second connection goes. Names in its address must have values.
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function destinationOf(address: Content, values: Values): Address {
  const bytes = bytesOf(address, values);
  if (bytes) {
    const destination = parseDestination(bytes.toString());
    if (destination.scheme !== 'exec' || literalAddress(address) !== undefined) return destination;
    // What a server sends must never become a command.
    throw new YodelError('YODEL_INVALID_ADDRESS', 'the address of a program cannot contain names');
  }
  const missing = allNamesIn(address).filter((name) => !values.has(name));
  throw new YodelError('YODEL_INVALID_ADDRESS', `the address is not known: {${missing.join('}, {')}} has no value`);
}

/** Whether an address in a transcript has no names, so that it can be read before the play. */
export function literalAddress(address: Content): string | undefined {
  if (address.kind !== 'parts') return undefined;
  const parts = address.parts.filter((part) => part instanceof Uint8Array);
  return parts.length === address.parts.length ? Buffer.concat(parts).toString() : undefined;
}

/**
 * The values of the names in the address of a second connection, for a mock that listens there: `{port}` of `127.0.0.1:{port}`,
 * and the whole address if it is one name. That is in the notation of FTP if a message has it in parentheses, `({data})`.
 * Names that have values keep them.
 */
export function valuesOfListener(transcript: Transcript, address: Content, listening: Address): Map<string, Buffer> {
  const names = address.kind === 'parts' ? address.parts : [];
  const [first] = names;
  const values = new Map<string, Buffer>();
  if (listening.scheme !== 'tcp' && listening.scheme !== 'tls') return values;
  const add = (part: Part | undefined, value: string | number | undefined) => {
    if (part && !(part instanceof Uint8Array) && 'name' in part && value !== undefined)
      values.set(part.name, Buffer.from(String(value)));
  };
  const open = names.filter((part) => !(part instanceof Uint8Array));
  if (names.length === 1 && first && 'name' in first) {
    const isFtp = transcript.lines.some((line) => line.includes(`({${first.name}`));
    add(first, isFtp ? formatFtpAddress(listening) : `${listening.host}:${listening.port}`);
  } else if (open.length === 6) {
    const numbers = formatFtpAddress(listening).split(',');
    for (const [index, part] of open.entries()) add(part, numbers[index]);
  } else {
    add(open.at(-1), listening.port);
    if (open.length === 2) add(open[0], listening.host);
  }
  return values;
}
