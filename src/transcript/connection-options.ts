import type { Address } from '../address.ts';
import type { TlsOptions } from '../transport/transport.ts';

/** Where and how clients connect. Times are milliseconds. */
export interface ConnectionOptions {
  /** Default: the transcript's `@address`, else `tcp://127.0.0.1:7878`. */
  readonly address?: Address | string | undefined;
  /** Time limit for connecting, and for the handshake of `@starttls`. Default 10000. */
  readonly connectTimeoutMs?: number | undefined;
  /** For addresses over TLS, and `@starttls`; options of `@connect` and `@starttls` override it. */
  readonly tls?: TlsOptions | undefined;
  /** Reads a file that `@connect cacert=` names. Default: `cacert=` is an error. */
  readonly readFile?: ((path: string) => string) | undefined;
}
