/** The connections of one process: makes them, and makes those again that were lost. */
import { type Address, parseAddress } from '../address.ts';
import { dial } from '../client/dial.ts';
import { YodelError } from '../errors.ts';
import type { Connection } from '../transport/transport.ts';
import type { LoadConnection } from './connection.ts';
import type { LoadShare } from './plan.ts';
import type { Timers } from './timers.ts';

/** How many connections are being made at the same time: more would overrun a server's queue, and look like a failure. */
const mostConnecting = 100;
/** Before a lost connection is made again: a server that closes each at once should not be asked without end. */
const reconnectAfterMs = 100;

/** Whom the connections are for. */
export interface PoolOwner {
  /** Whether connections are still to be made. */
  readonly wantsConnections: boolean;
  /** Told of each attempt that failed. */
  notConnected(error: YodelError): void;
  /** Makes of a connection what the pool keeps. */
  connected(number: number, opened: Connection): LoadConnection;
  /** Told of a connection that is in the pool now. */
  ready(connection: LoadConnection): void;
}

/** Keeps as many connections as it can. */
export class Pool {
  readonly #share: LoadShare;
  readonly #address: Address;
  readonly #owner: PoolOwner;
  readonly #timers: Timers;
  #up: readonly LoadConnection[] = [];

  /** @throws YodelError `YODEL_INVALID_ADDRESS` */
  constructor(share: LoadShare, owner: PoolOwner, timers: Timers) {
    this.#share = share;
    this.#address = parseAddress(share.settings.address);
    this.#owner = owner;
    this.#timers = timers;
  }

  /** The connections there are. It is another list whenever they change. */
  get up(): readonly LoadConnection[] {
    return this.#up;
  }

  /** Tries to make each connection once. Resolves with the first failure when there is not a single one. */
  async openAll(): Promise<YodelError | undefined> {
    let firstFailure: YodelError | undefined;
    let next = 0;
    const { connections, firstConnection } = this.#share;
    const openNext = async (): Promise<void> => {
      while (next < connections && this.#owner.wantsConnections) {
        const failure = await this.#open(firstConnection + next++);
        firstFailure ??= failure;
      }
    };
    await Promise.all(Array.from({ length: Math.min(mostConnecting, connections) }, openNext));
    return this.#up.length === 0 ? firstFailure : undefined;
  }

  /** Leaves a connection out that cannot be used any more, and makes it again after a pause. */
  replace(connection: LoadConnection): void {
    this.#up = this.#up.filter((one) => one !== connection);
    this.#openAgain(connection.number);
  }

  #openAgain(number: number): void {
    if (this.#owner.wantsConnections) this.#timers.after(reconnectAfterMs, () => void this.#open(number));
  }

  async #open(number: number): Promise<YodelError | undefined> {
    if (!this.#owner.wantsConnections) return undefined;
    const { connectTimeoutMs, tls } = this.#share.settings;
    try {
      this.#take(number, await dial(this.#address, { timeoutMs: connectTimeoutMs, tls }));
      return undefined;
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      this.#owner.notConnected(error);
      this.#openAgain(number);
      return error;
    }
  }

  #take(number: number, opened: Connection): void {
    // It may have taken so long that nobody needs it any more.
    if (!this.#owner.wantsConnections) return letGo(opened);
    const connection = this.#owner.connected(number, opened);
    this.#up = [...this.#up, connection];
    this.#owner.ready(connection);
  }
}

function letGo(connection: Connection): void {
  connection.start({ onData() {}, onEnd() {}, onDrain() {}, onClose() {} });
  connection.release();
}
