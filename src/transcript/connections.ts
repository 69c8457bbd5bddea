/** The connections of a play: one for each client, opened by its first step. */
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import type { TlsOptions } from '../transport/transport.ts';
import { Player } from './player.ts';
import type { ConnectTls, Transcript } from './transcript.ts';

/** Where and how clients connect. Times are milliseconds. */
export interface ConnectionOptions {
  /** Default: the transcript's `@address`, else `tcp://127.0.0.1:7878`. */
  readonly address?: Address | string | undefined;
  /** Time limit for connecting. Default 10000. */
  readonly connectTimeoutMs?: number | undefined;
  /** For addresses over TLS; options of `@connect` override it. */
  readonly tls?: TlsOptions | undefined;
  /** Reads a file that `@connect cacert=` names. Default: `cacert=` is an error. */
  readonly readFile?: ((path: string) => string) | undefined;
}

/** The connections of one play. */
export class Connections {
  readonly #transcript: Transcript;
  readonly #options: ConnectionOptions;
  readonly #address: Address;
  readonly #players = new Map<string, Player>();

  constructor(transcript: Transcript, options: ConnectionOptions) {
    this.#transcript = transcript;
    this.#options = options;
    const address = options.address ?? transcript.address ?? defaultAddress;
    this.#address = typeof address === 'string' ? parseAddress(address) : address;
  }

  /** The connection of a client, which is opened if it has none. @throws YodelError as `Player.connect` */
  async of(client: string, tls: ConnectTls = {}): Promise<Player> {
    const known = this.#players.get(client);
    if (known) return known;
    const { connectTimeoutMs = 10_000 } = this.#options;
    const player = await Player.connect(this.#address, this.#transcript.protocol, connectTimeoutMs, this.#tlsFor(tls));
    this.#players.set(client, player);
    return player;
  }

  /** All that were opened, with their clients. */
  [Symbol.iterator](): IterableIterator<[client: string, player: Player]> {
    return this.#players.entries();
  }

  /** Closes all at once. */
  abort(): void {
    for (const player of this.#players.values()) player.abort();
  }

  #tlsFor({ cacert, ...others }: ConnectTls): TlsOptions {
    const ca = cacert === undefined ? undefined : this.#options.readFile?.(cacert);
    if (cacert !== undefined && ca === undefined)
      throw new YodelError('YODEL_INVALID_OPTION', `cannot read cacert=${cacert}`);
    return { ...this.#options.tls, ...others, ...(ca === undefined ? {} : { ca }) };
  }
}
