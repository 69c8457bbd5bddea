/**
 * Addresses and their text form, which is the same everywhere: `tcp://HOST:PORT`, `tls://HOST:PORT`, `ws://HOST:PORT/PATH`,
 * `wss://HOST:PORT/PATH`, `unix:///PATH` and `exec:COMMAND`; plain `HOST:PORT`, `:PORT` and `PORT` mean TCP.
 */
import { YodelError } from './errors.ts';

/** The host that `yodel serve` listens on and `yodel connect` connects to by default. */
const defaultHost = '127.0.0.1';
/** The default port. */
const defaultPort = 7878;

/** A TCP address. As text: `tcp://127.0.0.1:7878`, `tcp://[::1]:7878`. */
export class TcpAddress {
  readonly scheme = 'tcp';
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** 0 to 65535. Listening on port 0 picks a free port. */
  readonly port: number;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  /**
   * @internal One end of a socket. The end of an IPv4 connection to a dual-stack listener is ::ffff:192.0.2.1, which is
   * shortened to 192.0.2.1.
   */
  static of(address: string, port: number): TcpAddress {
    return new TcpAddress(address.startsWith('::ffff:') && address.includes('.') ? address.slice(7) : address, port);
  }

  toString(): string {
    return `tcp://${hostAndPort(this.host, this.port)}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** An address for TLS over TCP. As text: `tls://example.org:7878`. */
export class TlsAddress {
  readonly scheme = 'tls';
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;

  constructor(host: string, port: number) {
    this.host = host;
    this.port = port;
  }

  toString(): string {
    return `tls://${hostAndPort(this.host, this.port)}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** An address for WebSocket, plain (`ws`) or over TLS (`wss`). As text: `ws://127.0.0.1:8080/chat`. */
export class WebSocketAddress {
  readonly scheme: 'ws' | 'wss';
  /** A name, an IPv4 address, or an IPv6 address without brackets. */
  readonly host: string;
  /** 0 to 65535. */
  readonly port: number;
  /** Path and query, with the leading slash. */
  readonly path: string;

  constructor(scheme: 'ws' | 'wss', host: string, port: number, path = '/') {
    this.scheme = scheme;
    this.host = host;
    this.port = port;
    this.path = path;
  }

  toString(): string {
    return `${this.scheme}://${hostAndPort(this.host, this.port)}${this.path}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** The address of a Unix socket. As text: `unix:///run/app.sock`. */
export class UnixAddress {
  readonly scheme = 'unix';
  /** The socket file, absolute or relative to the working directory. */
  readonly path: string;

  constructor(path: string) {
    this.path = path;
  }

  toString(): string {
    return `unix://${this.path}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/**
 * A program to connect to: its stdin and stdout are the connection, and each connection starts it anew. As text:
 * `exec:sort -n`. Servers cannot listen on it.
 */
export class ExecAddress {
  readonly scheme = 'exec';
  /** The command line. It is split into words as by a shell, but nothing in it is expanded. */
  readonly command: string;

  constructor(command: string) {
    this.command = command;
  }

  toString(): string {
    return `exec:${this.command}`;
  }

  toJSON(): string {
    return this.toString();
  }
}

/** An address of a socket, to listen on or to connect to. */
export type SocketAddress = TcpAddress | TlsAddress | WebSocketAddress | UnixAddress;

/**
 * An address to listen on or to connect to; {@link ExecAddress} only to connect to. `String(address)` is the text that
 * {@link parseAddress} reads.
 */
export type Address = SocketAddress | ExecAddress;

/** `tcp://127.0.0.1:7878`. */
export const defaultAddress: TcpAddress = /* @__PURE__ */ new TcpAddress(defaultHost, defaultPort);

/**
 * Parses an address.
 *
 * Takes `tcp://HOST:PORT`, `tls://HOST:PORT`, `unix:///PATH` (or `unix:PATH`), `HOST:PORT`, `[::1]:PORT`, `:PORT`, `PORT`
 * and `HOST`; the defaults are 127.0.0.1 and 7878. `ws://HOST:PORT/PATH` and `wss://…` too: without a port they mean
 * 80 and 443, as in a browser. `exec:COMMAND` is a program.
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`, which says what is wrong and shows a valid address
 */
export function parseAddress(text: string | number): Address {
  const whole = String(text).trim();
  if (typeof text === 'number') return new TcpAddress(defaultHost, parsePort(whole, whole));
  const unix = /^unix:(?:\/\/)?(.*)$/is.exec(whole);
  if (unix) return parseUnix(whole, unix[1] ?? '');
  const exec = /^exec:(.*)$/is.exec(whole);
  if (exec) return parseExec(whole, (exec[1] ?? '').trim());
  const [, written, rest = whole] = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/is.exec(whole) ?? [];
  const scheme = written?.toLowerCase() ?? 'tcp';
  switch (scheme) {
    case 'tcp':
    case 'tls': {
      const { host, port } = parseHostAndPort(whole, rest.replace(/\/$/, ''), defaultPort);
      return scheme === 'tls' ? new TlsAddress(host, port) : new TcpAddress(host, port);
    }
    case 'ws':
    case 'wss':
      return parseWebSocket(whole, scheme, rest);
    default:
      throw invalid(whole, `unknown scheme "${written}"`, knownForms);
  }
}

/**
 * @internal The address that a program has given.
 *
 * @throws YodelError `YODEL_INVALID_ADDRESS`, also for undefined, null, an empty text, and objects that are no addresses
 */
export function addressOf(given: unknown): Address {
  if (typeof given === 'number' || (typeof given === 'string' && given.trim() !== '')) return parseAddress(given);
  if (isAddress(given)) return given;
  const example = `such as "tcp://127.0.0.1:${defaultPort}"`;
  if (given === undefined || given === null || given === '') {
    const shown = given === '' ? 'empty' : String(given);
    throw new YodelError(
      'YODEL_INVALID_ADDRESS',
      `the address is ${shown}: a setting may be missing. Pass an address, ${example}`,
    );
  }
  const shown = typeof given === 'object' ? `an object ${inspected(given)}` : `${typeof given} ${String(given)}`;
  throw new YodelError(
    'YODEL_INVALID_ADDRESS',
    `${shown} is no address: pass a text, ${example}, a port, or what parseAddress returns`,
  );
}

/** Also one of another copy of yodel. */
function isAddress(given: unknown): given is Address {
  if (typeof given !== 'object' || given === null) return false;
  const { scheme } = given as { scheme?: unknown };
  return (
    ['tcp', 'tls', 'ws', 'wss', 'unix', 'exec'].includes(scheme as string) &&
    given.toString !== Object.prototype.toString
  );
}

function inspected(given: object): string {
  const keys = Object.keys(given);
  return keys.length === 0 ? `of the class ${given.constructor?.name ?? 'none'}` : `with ${keys.join(', ')}`;
}

/** A peer's address in the log: `127.0.0.1:51234`, `[::1]:51234`, or the socket's path. */
export function formatPeer(address: Address): string {
  if (address.scheme === 'exec') return String(address);
  return address.scheme === 'unix' ? `unix:${address.path}` : hostAndPort(address.host, address.port);
}

/** @internal Whether only this machine can connect to the address. */
export function isLoopback(address: Address): boolean {
  return !('host' in address) || /^(127\.|::1$|::ffff:127\.|localhost$)/.test(address.host);
}

/** @internal The host of an address; undefined for a Unix socket and a program. */
export function hostOf(address: Address): string | undefined {
  return 'host' in address ? address.host : undefined;
}

/** @internal The forms of an address, with their meaning, for the help. */
export const addressForms: readonly (readonly [form: string, meaning: string])[] = [
  ['tcp://HOST:PORT', 'TCP'],
  ['HOST:PORT', 'the same'],
  ['[::1]:PORT', 'the same; an IPv6 address needs brackets'],
  [':PORT, PORT', `port PORT of ${defaultHost}`],
  ['HOST', `port ${defaultPort} of HOST`],
  ['tls://HOST:PORT', 'TLS over TCP'],
  ['ws://HOST:PORT/PATH', 'WebSocket; default port 80, default path /'],
  ['wss://HOST:PORT/PATH', 'WebSocket over TLS; default port 443'],
  ['unix:///PATH', 'a Unix socket'],
  ["exec:'COMMAND'", 'a program, by its stdin and stdout; only to connect to'],
];

const knownForms = 'tcp://127.0.0.1:7878, tls://example.org:7878, ws://127.0.0.1:8080/chat or unix:///run/app.sock';

function parseUnix(whole: string, path: string): UnixAddress {
  if (path === '') throw invalid(whole, 'the path is missing', 'unix:///run/app.sock');
  // sun_path has 108 bytes, with the NUL; both runtimes truncate a longer path silently.
  if (Buffer.byteLength(path) > 107)
    throw invalid(whole, 'a socket path has at most 107 bytes', 'unix:///run/app.sock');
  return new UnixAddress(path);
}

function parseExec(whole: string, command: string): ExecAddress {
  if (command === '') throw invalid(whole, 'the command is missing', "exec:'sort -n'");
  return new ExecAddress(command);
}

function parseWebSocket(whole: string, scheme: 'ws' | 'wss', rest: string): WebSocketAddress {
  const [, place = '', path = ''] = /^([^/?#]*)(.*)$/s.exec(rest) ?? [];
  const { host, port } = parseHostAndPort(whole, place, scheme === 'ws' ? 80 : 443);
  if (/[#\s]/.test(path)) throw invalid(whole, 'the path has a space or a "#"', 'ws://127.0.0.1:8080/chat');
  return new WebSocketAddress(scheme, host, port, path.startsWith('/') ? path : `/${path}`);
}

function parseHostAndPort(whole: string, rest: string, schemePort: number): { host: string; port: number } {
  if (rest === '') throw invalid(whole, 'the host and the port are missing', '127.0.0.1:7878');
  if (/^\d+$/.test(rest)) return { host: defaultHost, port: parsePort(whole, rest) };
  // [HOST]:PORT, HOST:PORT, HOST, or :PORT. An IPv6 address contains colons, so it needs brackets.
  const parts = /^\[([^\]]*)\](?::(.*))?$/s.exec(rest) ?? /^([^:]*)(?::([^:]*))?$/s.exec(rest);
  if (!parts) throw invalid(whole, 'an IPv6 address needs brackets', '[::1]:7878');
  const [, host = '', port] = parts;
  if (/^-|[\s/@?#[\]]/.test(host)) throw invalid(whole, 'the host is not a name or an IP address', '127.0.0.1:7878');
  return { host: host === '' ? defaultHost : host, port: port === undefined ? schemePort : parsePort(whole, port) };
}

function parsePort(whole: string, text: string): number {
  if (!/^\d+$/.test(text)) throw invalid(whole, `the port "${text}" is not a number from 0 to 65535`, '127.0.0.1:7878');
  const port = Number(text);
  if (port > 65535) throw invalid(whole, `the port ${text} is above 65535`, '127.0.0.1:7878');
  return port;
}

function hostAndPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}

function invalid(text: string, reason: string, example: string): YodelError {
  return new YodelError('YODEL_INVALID_ADDRESS', `invalid address "${text}": ${reason}. Example: ${example}`);
}

/** An address with the scheme and path of `like`, but another host and port. */
export function addressAt(like: Exclude<SocketAddress, UnixAddress>, host: string, port: number): SocketAddress {
  if (like.scheme === 'tcp') return new TcpAddress(host, port);
  if (like.scheme === 'tls') return new TlsAddress(host, port);
  return new WebSocketAddress(like.scheme, host, port, like.path);
}
