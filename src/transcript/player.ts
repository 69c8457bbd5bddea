import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Address } from '../address.ts';
import { Condition } from '../client/condition.ts';
import { dial } from '../client/dial.ts';
import { MessageConnection, type MessageReceiver } from '../client/message-connection.ts';
import { realClock } from '../clock.ts';
import { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { Protocol } from '../framing/protocol.ts';
import { websocket } from '../framing/websocket.ts';
import { Queue } from '../queue.ts';
import type { Connection, TlsOptions } from '../transport/transport.ts';
import type { UpgradableConnection } from '../transport/upgradable.ts';
import { frameOf, longestMessage, type RecordedMessage } from './frames.ts';

/** Why there is no message. */
export type Absence = 'timeout' | 'ended' | 'broken';

/** A received message, and when it arrived, on the clock of `performance.now()`. */
export interface Arrival {
  readonly message: Message;
  readonly at: number;
}

/** Why there are no more messages; `reason` is the error of a broken connection. */
export interface Absent {
  readonly absent: Absence;
  readonly reason?: string | undefined;
}

/** The next message, or why there is none. */
export type Arrived = Arrival | Absent;

/** The memory limit for messages that no line has taken, and the cost of each besides its bytes. In bytes. */
const maxPending = 134_217_728;
const messageCost = 100;

/** Turns of the event loop after a time-out in which a message still counts. */
const lateTurns = 4;

/** How a player connects. */
export interface PlayerSettings {
  /** Time limit in milliseconds. */
  readonly timeoutMs: number;
  readonly tls: TlsOptions;
  /** Whether it may go on over TLS later. */
  readonly isUpgradable: boolean;
}

/** One client of a transcript: a connection, and the messages received from it that no line has taken yet. */
export class Player implements MessageReceiver {
  readonly #connection: MessageConnection;
  readonly #upgradable: UpgradableConnection | undefined;
  readonly #messages = new Queue<Arrival>();
  #pending = 0;
  #hasEnded = false;
  #serverEnded = false;
  #isClosed = false;
  /** Whether the server is a program, whose exit status follows its output. */
  readonly #isProgram: boolean;
  #absence: Absent | undefined;
  readonly #changed = new Condition();

  private constructor(connection: Connection, protocol: Protocol, upgradable: UpgradableConnection | undefined) {
    this.#upgradable = upgradable;
    const options = { maxMessageLength: longestMessage, onTooLong: 'close', encoding: 'binary' } as const;
    this.#isProgram = connection.peer.scheme === 'exec';
    this.#connection = new MessageConnection(connection, protocol, options, this);
  }

  /** @throws YodelError as `Transport.connect`; `YODEL_CONNECT_TIMEOUT`; `YODEL_INVALID_ADDRESS` for messages of a WebSocket */
  static async connect(address: Address, protocol: Protocol, settings: PlayerSettings): Promise<Player> {
    if (protocol.framing === websocket && address.scheme !== 'ws' && address.scheme !== 'wss') {
      const text = 'it was recorded over WebSocket, and can only be played against a ws:// or wss:// address';
      throw new YodelError('YODEL_INVALID_ADDRESS', `${text}, not ${address}`);
    }
    const { timeoutMs, tls, isUpgradable } = settings;
    const connection = await dial(address, { timeoutMs, tls });
    if (!isUpgradable) return new Player(connection, protocol, undefined);
    const { UpgradableConnection } = await import('../transport/upgradable.ts');
    const upgradable = new UpgradableConnection(connection);
    return new Player(upgradable, protocol, upgradable);
  }

  /**
   * Goes on over TLS. What the server sent before in plain text must have been taken.
   *
   * @throws YodelError `YODEL_TLS`; the connection is closed then
   */
  async startTls(tls: TlsOptions, timeoutMs: number): Promise<void> {
    if (this.isGone)
      throw new YodelError('YODEL_TLS', `no TLS: ${this.#absence?.reason ?? 'the server ended the connection'}`);
    const upgradable = this.#upgradable as UpgradableConnection;
    const late = realClock.deadline(timeoutMs, () => upgradable.abort());
    await upgradable.startTls(tls).finally(() => late.cancel());
    this.#connection.secured();
  }

  /** Takes the messages that have arrived. */
  takeAll(): readonly Arrival[] {
    this.#pending = 0;
    return this.#messages.takeAll();
  }

  /** Takes back messages that no line has taken, in their order: they are the next ones. */
  putBack(arrivals: readonly Arrival[]): void {
    this.#messages.putBack(arrivals);
    for (const { message } of arrivals) this.#pending += message.size + messageCost;
  }

  /** Bytes sent that the operating system has not taken yet. */
  get unsent(): number {
    return this.#connection.unsent;
  }

  /** Whether nothing more can be sent. */
  get isClosed(): boolean {
    return this.#isClosed || this.#hasEnded;
  }

  /** The framing of what it receives. */
  get replyFraming(): Framing {
    return this.#connection.replyFraming;
  }

  /** Whether nothing more can be received. */
  get isGone(): boolean {
    return this.#absence !== undefined;
  }

  /** Why the connection broke, if it did. */
  get brokenBy(): string | undefined {
    return this.#absence?.absent === 'broken' ? this.#absence.reason : undefined;
  }

  /** Resolves with true once the server has read some of the unsent bytes or is gone, with false after `timeoutMs`. */
  async drainedSome(timeoutMs: number): Promise<boolean> {
    const before = this.unsent;
    return await this.#changed.until(() => this.isGone || this.unsent < before, timeoutMs);
  }

  /** @throws YodelError `YODEL_UNENCODABLE_MESSAGE` */
  send(message: RecordedMessage): void {
    this.#connection.sendFrame(frameOf(this.#connection.framing, message));
  }

  /** Ends this side. */
  end(): void {
    if (this.#hasEnded) return;
    this.#hasEnded = true;
    this.#connection.end();
  }

  abort(): void {
    this.#connection.abort();
  }

  /** The next message, or why there is none within `timeoutMs`. */
  async next(timeoutMs: number): Promise<Arrived> {
    const isMet = () => this.#messages.length > 0 || this.isGone;
    // After a stall of this process the timer comes first, although a message has long been in the socket, or in that of a
    // server in this process.
    const turns = (await this.#changed.until(isMet, timeoutMs)) || timeoutMs <= 0 ? 0 : lateTurns;
    for (let turn = 0; turn < turns && !isMet(); turn++) await nextTurn();
    const arrival = this.#messages.shift();
    if (arrival) this.#pending -= arrival.message.size + messageCost;
    return arrival ?? this.#absence ?? { absent: 'timeout' };
  }

  /**
   * Ends this side, and waits at most `timeoutMs` for the server to end its side. Resolves with the messages no line has taken,
   * including a last unfinished one, and with the error if the connection broke.
   */
  async finish(
    timeoutMs: number,
  ): Promise<{ readonly messages: readonly Arrival[]; readonly broken?: string | undefined }> {
    this.end();
    await this.#changed.until(() => (this.#serverEnded && !this.#isProgram) || this.#isClosed, timeoutMs);
    this.#connection.release();
    if (!this.#absence) this.onBatch(this.#connection.unfinished());
    return { messages: this.#messages.takeAll(), broken: this.brokenBy };
  }

  /** @internal */
  onBatch(batch: Batch): void {
    const at = performance.now();
    for (const message of batch) {
      this.#messages.push({ message, at });
      this.#pending += message.size + messageCost;
    }
    if (this.#pending > maxPending) {
      this.#setAbsence({ absent: 'broken', reason: `more than ${maxPending} bytes arrived that no line waited for` });
      this.#connection.abort();
    }
    if (batch.fault) this.#setAbsence({ absent: 'broken', reason: batch.fault.message });
    this.#changed.notify();
  }

  /** @internal */
  onEnd(): void {
    this.#serverEnded = true;
    this.#setAbsence({ absent: 'ended' });
  }

  /** @internal */
  onDrain(): void {
    this.#changed.notify();
  }

  /** @internal */
  onClose(error?: Error): void {
    this.#isClosed = true;
    // How a program ended is known only after its output.
    if (error instanceof YodelError && error.code === 'YODEL_COMMAND_FAILED') this.#absence = undefined;
    // After this side has ended, a reset by the server is not an error.
    else if (this.#hasEnded) error = undefined;
    this.#setAbsence(error ? { absent: 'broken', reason: error.message } : { absent: 'ended' });
  }

  #setAbsence(absence: Absent): void {
    this.#absence ??= absence;
    this.#changed.notify();
  }
}
