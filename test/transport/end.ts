import type { Connection, Receiver } from '../../src/transport/transport.ts';
import { isPattern, patternBytes } from './pattern.ts';

/**
 * One end of a connection, as its owner sees it. It sends the pattern, checks that it receives the pattern, lets a test wait
 * for events, and records every violation of the rules that apply to all connections at all times.
 */
export class End implements Receiver {
  readonly connection: Connection;
  /** Violations of the contract. */
  readonly violations: string[] = [];
  /** `unsent` at each `onDrain`. */
  readonly drains: number[] = [];
  sent = 0;
  received = 0;
  chunks = 0;
  highestUnsent = 0;
  hasEnded = false;
  isClosed = false;
  closedBy: Error | undefined;
  /** The test's reactions to events. */
  whenData: ((chunk: Uint8Array) => void) | undefined;
  whenDrained: (() => void) | undefined;
  whenEnded: (() => void) | undefined;
  whenClosed: (() => void) | undefined;

  #started = false;
  #paused = false;
  #isReleased = false;
  #insideCall = 0;
  #written = 0;
  /** The number of bytes that had been sent when last checked. */
  #taken = 0;
  /** Whether more was sent since then without a call of `onDrain`. */
  #drainDue = false;
  #waiters: { isMet: () => boolean; resolve: () => void; reject: (error: Error) => void }[] = [];

  constructor(connection: Connection) {
    this.connection = connection;
  }

  start(): this {
    this.#started = true;
    this.#call(() => this.connection.start(this));
    return this;
  }

  /** Sends the next `length` bytes of the pattern. */
  send(length: number): void {
    this.write(patternBytes(this.sent, length));
    this.sent += length;
  }

  write(bytes: Uint8Array): void {
    this.#checkProgress();
    this.#call(() => this.connection.write(bytes));
    this.#written += bytes.length;
    // What was sent at once never had to wait.
    this.#taken = this.#written - this.connection.unsent;
    this.highestUnsent = Math.max(this.highestUnsent, this.connection.unsent);
  }

  pause(): void {
    this.#paused = true;
    this.#call(() => this.connection.pause());
  }

  resume(): void {
    this.#paused = false;
    this.#call(() => this.connection.resume());
  }

  end(): void {
    this.#call(() => this.connection.end());
  }

  release(): void {
    this.#isReleased = true;
    this.#call(() => this.connection.release());
  }

  abort(): void {
    this.#isReleased = true;
    this.#call(() => this.connection.abort());
  }

  receivedAll(bytes: number): Promise<void> {
    return this.#until(() => this.received >= bytes, `${bytes} bytes`);
  }

  ended(): Promise<void> {
    return this.#until(() => this.hasEnded, "the peer's end");
  }

  drained(): Promise<void> {
    return this.#until(() => this.connection.unsent === 0, 'its output to be sent');
  }

  drainedOnce(): Promise<void> {
    const before = this.drains.length;
    return this.#until(() => this.drains.length > before, 'some of its output to be sent');
  }

  /** Resolves with the error that `onClose` was given. */
  async closed(): Promise<Error | undefined> {
    await this.#until(() => this.isClosed, 'the close');
    return this.closedBy;
  }

  onData(chunk: Uint8Array): void {
    this.#note('onData');
    if (this.#paused) this.violations.push(`onData while paused, at byte ${this.received}`);
    if (this.hasEnded) this.violations.push('onData after onEnd');
    if (chunk.length === 0) this.violations.push('onData without data');
    if (!isPattern(chunk, this.received)) {
      this.violations.push(`wrong bytes between ${this.received} and ${this.received + chunk.length}`);
    }
    this.received += chunk.length;
    this.chunks++;
    this.whenData?.(chunk);
    this.#wake();
  }

  onEnd(): void {
    this.#note('onEnd');
    if (this.hasEnded) this.violations.push('onEnd twice');
    this.hasEnded = true;
    this.whenEnded?.();
    this.#wake();
  }

  onDrain(): void {
    this.#note('onDrain');
    const { unsent } = this.connection;
    this.#checkProgress();
    if (!this.#drainDue) this.violations.push(`onDrain without progress: ${unsent} bytes are unsent, as before`);
    this.#drainDue = false;
    this.drains.push(unsent);
    this.whenDrained?.();
    this.#wake();
  }

  onClose(error?: Error): void {
    this.#note('onClose');
    this.isClosed = true;
    this.closedBy = error;
    this.whenClosed?.();
    this.#wake();
  }

  #note(event: string): void {
    if (!this.#started) this.violations.push(`${event} before start`);
    if (this.isClosed) this.violations.push(`${event} after onClose`);
    if (this.#insideCall > 0) this.violations.push(`${event} from inside a call`);
    if (this.#isReleased && event !== 'onClose') this.violations.push(`${event} after abort or release`);
  }

  #checkProgress(): void {
    const taken = this.#written - this.connection.unsent;
    if (taken > this.#taken) this.#drainDue = true;
    this.#taken = taken;
  }

  #call(action: () => void): void {
    this.#insideCall++;
    action();
    this.#insideCall--;
  }

  #until(isMet: () => boolean, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiters.push({
        isMet,
        resolve,
        reject: (error) => reject(new Error(`waiting for ${what}: ${error.message}`, { cause: error.cause })),
      });
      this.#wake();
    });
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const waiter of waiters) {
      if (waiter.isMet()) waiter.resolve();
      else if (this.isClosed) waiter.reject(new Error(this.#describe(), { cause: this.closedBy }));
      else this.#waiters.push(waiter);
    }
  }

  #describe(): string {
    const { unsent } = this.connection;
    return `closed (${this.closedBy?.message ?? 'no error'}) after ${this.received} bytes in, ${this.sent} out, ${unsent} unsent`;
  }
}
