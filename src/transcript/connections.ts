/** The connections of a play: one for each client, opened by its first step. */
import { type Address, defaultAddress, parseAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import type { Protocol } from '../framing/protocol.ts';
import type { TlsOptions } from '../transport/transport.ts';
import type { ConnectionOptions } from './connection-options.ts';
import { destinationOf } from './destination.ts';
import { Player } from './player.ts';
import type { ConnectTls, StepOf, Transcript } from './transcript.ts';
import type { Values } from './values.ts';
import { stepsIn } from './walk.ts';

/** The connections of one play. */
export class Connections {
  readonly #transcript: Transcript;
  readonly #options: ConnectionOptions;
  readonly #address: Address;
  readonly #players = new Map<string, Player>();
  readonly #timeoutMs: number;
  /** Whether a connection goes on over TLS later. */
  readonly #isUpgradable: boolean;

  constructor(transcript: Transcript, options: ConnectionOptions) {
    this.#transcript = transcript;
    this.#options = options;
    this.#timeoutMs = options.connectTimeoutMs ?? 10_000;
    this.#isUpgradable = [...stepsIn(transcript)].some(({ kind }) => kind === 'starttls');
    const address = options.address ?? transcript.address ?? defaultAddress;
    this.#address = typeof address === 'string' ? parseAddress(address) : address;
  }

  /** The connection of a client, which is opened if it has none. @throws YodelError as `Player.connect` */
  async of(client: string): Promise<Player> {
    return this.#players.get(client) ?? (await this.#open(client, this.#address, this.#transcript.protocol, {}));
  }

  /**
   * Opens the connection of a client as `@connect` says. It replaces the connection that the client has.
   *
   * @throws YodelError as `Player.connect`, with the place of the step
   */
  async connect(step: StepOf<'connect'>, values: Values): Promise<Player> {
    const { client, address, wire, tls } = step;
    try {
      const to = address ? destinationOf(address, values) : this.#address;
      return await this.#open(client, to, wire ?? this.#transcript.protocol, tls);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      const place = `${step.file ?? this.#transcript.file}:${step.line}`;
      throw new YodelError(error.code, `${place}: ${error.message}`, { cause: error.cause });
    }
  }

  /** Goes on over TLS with the connection of a client. @throws YodelError `YODEL_TLS`; the connection is closed then */
  async startTls({ client, tls }: StepOf<'starttls'>): Promise<void> {
    const player = await this.of(client);
    await player.startTls(this.#tlsFor(tls), this.#timeoutMs);
  }

  async #open(client: string, address: Address, protocol: Protocol, tls: ConnectTls): Promise<Player> {
    const settings = { timeoutMs: this.#timeoutMs, tls: this.#tlsFor(tls), isUpgradable: this.#isUpgradable };
    const player = await Player.connect(address, protocol, settings);
    this.#players.get(client)?.abort();
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
