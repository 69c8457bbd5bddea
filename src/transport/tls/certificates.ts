/** The certificates of a listener, which can be replaced at any time. */
import type * as tls from 'node:tls';
import type { ServerTls } from '../transport.ts';
import { createContext } from './context.ts';

/** A listener's main certificate, and those for certain server names. */
export class Certificates {
  /** The context of the main certificate. */
  main!: tls.SecureContext;
  #byName = new Map<string, tls.SecureContext>();

  /** @throws YodelError `YODEL_TLS` when a certificate does not fit its key */
  constructor(options: ServerTls) {
    this.renew(options);
  }

  /** Replaces the certificates. @throws YodelError `YODEL_TLS`; the old ones then stay in use */
  renew({ cert, key, clientCa, sni = {} }: ServerTls): void {
    const main = createContext('', { cert, key }, clientCa);
    const contexts = Object.entries(sni).map(
      ([name, pair]) => [name.toLowerCase(), createContext(` for ${name}`, pair, clientCa)] as const,
    );
    this.main = main;
    this.#byName = new Map(contexts);
  }

  /** The context for the name that a client requests. Undefined: it gets the main certificate. */
  for(name: string): tls.SecureContext | undefined {
    const requested = name.toLowerCase();
    return this.#byName.get(requested) ?? this.#byName.get(requested.replace(/^[^.]+/, '*'));
  }
}
