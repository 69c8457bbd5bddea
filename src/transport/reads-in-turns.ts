/**
 * What the connections of all sockets have in common: they take turns when they have much to read (`turn-reader.ts`). A base class,
 * because an object of its own would cost each idle connection its memory.
 */
import type { MemoryKeeper, Receiver } from './transport.ts';
import { TurnReader, type TurnReading } from './turn-reader.ts';
import { manyBytes, spendTurn } from './turns.ts';

/** A connection that passes on what its socket has read in its turn. */
export abstract class ReadsInTurns implements TurnReading {
  abstract chunksAreBorrowed: boolean;
  protected receiver: Receiver | undefined;
  /** After `release` or `abort`: only `onClose` may still be called. */
  protected isReleased = false;
  /** Created for the first large chunk. */
  #reader: TurnReader | undefined;

  /** @internal */
  abstract get isReading(): boolean;
  /** @internal */
  abstract stopSocket(): void;
  /** @internal */
  abstract resumeSocket(): void;
  /** The socket has received the peer's end. */
  abstract ended(): void;

  get keeper(): MemoryKeeper | undefined {
    return this.receiver?.keeper;
  }

  get awaitsTurn(): boolean {
    return this.#reader?.awaitsTurn ?? false;
  }

  /** The socket has read a chunk. */
  received(chunk: Uint8Array): void {
    // What a socket had read ahead may arrive after that.
    if (this.isReleased) return;
    if (this.#reader || chunk.length >= manyBytes) return this.#turnReader.receive(chunk);
    this.receiver?.onData(chunk);
    if (spendTurn(undefined, chunk.length)) this.#turnReader.letOthersRead();
  }

  /** @internal */
  deliver(bytes: Uint8Array): void {
    if (!this.isReleased) this.receiver?.onData(bytes);
  }

  /** Begins to read when it is its turn, as one of many. */
  protected readInTurn(): void {
    this.#turnReader.letOthersRead();
  }

  /** Reads on, in its turn. */
  protected readOn(): void {
    if (this.#reader) this.#reader.resume();
    else this.resumeSocket();
  }

  /** Whether {@link ended} must do nothing now: after `release`, or because what was read before is not delivered yet. */
  protected get ignoresEnd(): boolean {
    return this.isReleased || (this.#reader?.postponesEnd() ?? false);
  }

  /** Nothing more is delivered. */
  protected dropUnread(): void {
    this.isReleased = true;
    this.#reader?.drop();
  }

  /** The socket is closed: delivers everything that it had read. */
  protected deliverLast(): void {
    this.#reader?.closed();
  }

  get #turnReader(): TurnReader {
    this.#reader ??= new TurnReader(this);
    return this.#reader;
  }
}
