/** A queue of received messages that the program has not taken yet. */
import { Queue } from '../queue.ts';

/** A message, or why its value could not be read. */
interface Received<Value> {
  readonly value?: Value;
  readonly error?: unknown;
  /** In bytes. */
  readonly cost: number;
}

interface Waiter<Value> {
  readonly reader?: Reader<Value> | undefined;
  readonly resolve: (result: IteratorResult<Value, undefined>) => void;
  readonly reject: (error: unknown) => void;
}

/** One of those who take the messages: an iteration, or a stream. */
export class Reader<Value> implements AsyncIterableIterator<Value, undefined> {
  readonly #take: (reader: Reader<Value>) => Promise<IteratorResult<Value, undefined>>;
  /** It takes no more: what it waits for is for others, and that promise is never settled. */
  isGone = false;
  /** It asked for a message before the end. */
  hasBegun = false;
  /** It has got the error at the end. */
  isTold = false;

  constructor(take: (reader: Reader<Value>) => Promise<IteratorResult<Value, undefined>>) {
    this.#take = take;
  }

  next(): Promise<IteratorResult<Value, undefined>> {
    return this.#take(this);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

/**
 * The queue ends, or fails, only after all its messages were taken.
 *
 * While a new connection is prepared, its messages are {@link hold held}: only {@link nextHeld} gets them. Then they follow
 * those that are queued.
 */
export class Inbox<Value> {
  readonly #onTaken: () => void;
  readonly #messages = new Queue<Received<Value>>();
  readonly #waiters = new Queue<Waiter<Value>>();
  readonly #held = new Queue<Received<Value>>();
  #heldWaiters: Waiter<Value>[] = [];
  #isHolding = false;
  #bytes = 0;
  #isOver = false;
  #error: unknown;
  /** Somebody has got the error. */
  #isTold = false;

  /** @param onTaken called when a message was taken, or is waited for, so that there is space for more */
  constructor(onTaken: () => void) {
    this.#onTaken = onTaken;
  }

  /** The memory that the queued messages take, in bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether {@link nextHeld} waits for a message. */
  get isHeldAwaited(): boolean {
    return this.#heldWaiters.length > 0;
  }

  /** @param size of the message, in bytes */
  put(value: Value, size: number): void {
    this.#put({ value, cost: size + objectSize });
  }

  /** A message whose value cannot be read: who takes it gets the error, and may go on. */
  putInvalid(error: unknown, size: number): void {
    this.#put({ error, cost: size + objectSize });
  }

  /**
   * No more messages follow. An error is thrown after the last message: once to each reader that had begun before, or to the first one
   * that comes later.
   */
  end(error?: unknown): void {
    this.#isOver = true;
    this.#error = error;
    for (const waiter of this.#waiters.takeAll()) if (!waiter.reader?.isGone) this.#settleEnd(waiter);
  }

  /** A new reader. Each message goes to one of them. */
  reader(): Reader<Value> {
    return new Reader((reader) => this.#next(reader));
  }

  /** Messages that arrive from now on are for {@link nextHeld}. */
  hold(): void {
    this.#isHolding = true;
  }

  /** The next message of those that are held. */
  nextHeld(): Promise<IteratorResult<Value, undefined>> {
    const message = this.#held.shift();
    if (message) return this.#taken(message);
    return new Promise((resolve, reject) => {
      this.#heldWaiters.push({ resolve, reject });
      this.#onTaken();
    });
  }

  /** The connection is prepared, or lost: what is held is for everyone. Who waits for it gets the error. */
  release(error: unknown): void {
    this.#isHolding = false;
    for (const waiter of this.#heldWaiters.splice(0)) waiter.reject(error);
    for (const message of this.#held.takeAll()) {
      this.#bytes -= message.cost;
      this.#put(message);
    }
  }

  #next(reader: Reader<Value>): Promise<IteratorResult<Value, undefined>> {
    if (!this.#isOver) reader.hasBegun = true;
    const message = this.#messages.shift();
    if (message) return this.#taken(message);
    return new Promise((resolve, reject) => {
      const waiter = { reader, resolve, reject };
      if (this.#isOver) this.#settleEnd(waiter);
      else this.#waiters.push(waiter);
    });
  }

  #put(message: Received<Value>): void {
    const waiter = this.#isHolding ? this.#heldWaiters.shift() : this.#waiting();
    if (waiter) return settle(message, waiter);
    (this.#isHolding ? this.#held : this.#messages).push(message);
    this.#bytes += message.cost;
  }

  #waiting(): Waiter<Value> | undefined {
    let waiter = this.#waiters.shift();
    while (waiter?.reader?.isGone) waiter = this.#waiters.shift();
    return waiter;
  }

  #taken({ value, error, cost }: Received<Value>): Promise<IteratorResult<Value, undefined>> {
    this.#bytes -= cost;
    this.#onTaken();
    return error === undefined ? Promise.resolve({ done: false, value: value as Value }) : Promise.reject(error);
  }

  #settleEnd({ reader, resolve, reject }: Waiter<Value>): void {
    const isDue = reader?.hasBegun ? !reader.isTold : !this.#isTold;
    if (this.#error === undefined || !isDue) return resolve({ done: true, value: undefined });
    this.#isTold = true;
    if (reader) reader.isTold = true;
    reject(this.#error);
  }
}

/** The approximate size of a message object besides its bytes. Without it, empty messages would have no limit. */
const objectSize = 64;

function settle<Value>({ value, error }: Received<Value>, { resolve, reject }: Waiter<Value>): void {
  if (error === undefined) resolve({ done: false, value: value as Value });
  else reject(error);
}
