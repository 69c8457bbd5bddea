/** Addresses of brokers: `nats://`, `tls://` (NATS), `redis://`, `rediss://`. */
import { YodelError } from '../../errors.ts';

/** Where a broker is, and who connects to it. */
export interface BrokerAddress {
  readonly kind: 'nats' | 'redis';
  readonly host: string;
  readonly port: number;
  readonly user: string | undefined;
  readonly password: string | undefined;
  /** NATS: instead of user and password. */
  readonly token: string | undefined;
  /** NATS: the text of a file with a JWT and a seed. */
  readonly credentials: string | undefined;
  /** Redis: the number of the database. */
  readonly database: number | undefined;
  /** With TLS: the certificates of the authorities to trust, as PEM. Undefined: those of the system. */
  readonly tls: { readonly ca: string | undefined } | undefined;
}

/** The time-out for a connection. It is tried again. */
export const connectMs = 2000;

const schemes = {
  'nats:': { kind: 'nats', port: 4222, isTls: false },
  'tls:': { kind: 'nats', port: 4222, isTls: true },
  'redis:': { kind: 'redis', port: 6379, isTls: false },
  'rediss:': { kind: 'redis', port: 6379, isTls: true },
} as const;

/**
 * Reads the address of a broker.
 *
 * @param credentials the text of a file: `USER:PASSWORD`, a token, or for NATS a JWT with a seed. It replaces those of the URL
 * @param ca the certificates of the authorities to trust, as PEM
 * @throws YodelError `YODEL_INVALID_ADDRESS`
 */
export function parseBrokerAddress(text: string, credentials?: string, ca?: string): BrokerAddress {
  const url = URL.parse(text);
  const scheme = url && schemes[url.protocol as keyof typeof schemes];
  // The text may have a password.
  if (!url || !scheme || url.hostname === '') {
    const forms = 'nats://HOST:4222, tls://HOST:4222, redis://HOST:6379 or rediss://HOST:6379';
    throw new YodelError('YODEL_INVALID_ADDRESS', `not the address of a bus; it is ${forms}`);
  }
  const { kind, port, isTls } = scheme;
  if (ca !== undefined && !isTls) {
    const secure = kind === 'nats' ? 'tls:' : 'rediss:';
    throw new YodelError(
      'YODEL_INVALID_ADDRESS',
      `a bus at ${url.protocol}// has no TLS; with certificates it is ${secure}//`,
    );
  }
  return {
    kind,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? port : Number(url.port),
    database: kind === 'redis' ? databaseOf(url.pathname) : undefined,
    ...credentialsOf(kind, url, credentials?.trim()),
    tls: isTls ? { ca } : undefined,
  };
}

/** Whether only this machine can reach it. */
export function isLoopbackBroker({ host }: BrokerAddress): boolean {
  return host === 'localhost' || host === '::1' || /^127\./.test(host);
}

/** Whether a password or the like is given. */
export function hasAccessControl({ password, token, credentials }: BrokerAddress): boolean {
  return password !== undefined || token !== undefined || credentials !== undefined;
}

type Credentials = Pick<BrokerAddress, 'user' | 'password' | 'token' | 'credentials'>;

function credentialsOf(kind: BrokerAddress['kind'], url: URL, file: string | undefined): Credentials {
  const none = { user: undefined, password: undefined, token: undefined, credentials: undefined };
  // The client library wants a line end after each line.
  if (file?.includes('-----BEGIN NATS USER JWT-----')) return { ...none, credentials: `${file}\n` };
  const given = file ?? (url.password === '' ? url.username : `${url.username}:${url.password}`);
  const decoded = file === undefined ? decode : (text: string) => text;
  if (given === '') return none;
  const colon = given.indexOf(':');
  if (colon >= 0) {
    const user = decoded(given.slice(0, colon));
    return { ...none, user: user === '' ? undefined : user, password: decoded(given.slice(colon + 1)) };
  }
  // A single word is a token of NATS, and a password of Redis.
  return kind === 'nats' ? { ...none, token: decoded(given) } : { ...none, password: decoded(given) };
}

/** What has a meaning in an address is written as %HH. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    const reason =
      'the user or password in the address of the bus has a % that is not followed by two hexadecimal digits';
    throw new YodelError('YODEL_INVALID_ADDRESS', `${reason}; it is written %25`);
  }
}

function databaseOf(path: string): number | undefined {
  if (path === '' || path === '/') return undefined;
  if (/^\/\d{1,4}$/.test(path)) return Number(path.slice(1));
  throw new YodelError('YODEL_INVALID_ADDRESS', `"${path}" is not a database of Redis; databases have numbers: /0`);
}
