/**
 * Passes on what a connection has read: in pieces, and in its turn (`turns.ts`). What is left of a chunk when the turn is over
 * waits for the next one, and the connection reads nothing meanwhile. A connection gets its reader with its first large chunk.
 */
import { ownCopy } from '../framing/slices.ts';
import type { MemoryKeeper } from './transport.ts';
import { awaitTurn, isTurnOver, spendTurn, type TurnTaker, turnLength } from './turns.ts';

/** A connection, as its reader sees it. */
export interface TurnReading {
  readonly chunksAreBorrowed: boolean;
  readonly keeper: MemoryKeeper | undefined;
  /** Whether its receiver takes more: it is not paused, and neither released nor closed. */
  readonly isReading: boolean;
  /** Passes bytes on to the receiver. */
  deliver(bytes: Uint8Array): void;
  /** The peer's end was postponed until everything was delivered. */
  ended(): void;
  /** Reads nothing, or reads on. */
  stopSocket(): void;
  resumeSocket(): void;
}

/** A piece takes about this part of a turn, judging from the pieces before it. */
const pieceShare = 1 / 2;
/** The piece from which the time is learned: one read of Node. Others are between these two. */
const firstPiece = 65_536;
const smallestPiece = 16_384;
const largestPiece = 262_144;
/** The time for a byte is an average, of which each piece is this part: only the last one of a long message takes long. */
const newest = 0.25;
/** The most bytes of all connections together that wait because a turn is over. What exceeds it is delivered at once. */
const mostKept = 8_388_608;

/** Those that wait now. Bytes that wait for a paused receiver do not count. */
let lateBytes = 0;

/** See the top of the file. */
export class TurnReader implements TurnTaker {
  /** Whether the peer may have sent more, which is read when it is this connection's turn. */
  awaitsTurn = false;
  readonly #connection: TurnReading;
  /** What was read and is not delivered yet, in memory that is not borrowed. */
  #kept: Uint8Array[] | undefined;
  /** How much of it waits because a turn was over. */
  #late = 0;
  /** How long a byte takes, in milliseconds; 0 if that is not known. */
  #cost = 0;
  #hasEnded = false;
  #isDropped = false;

  constructor(connection: TurnReading) {
    this.#connection = connection;
  }

  /** Takes a chunk that was read. */
  receive(chunk: Uint8Array): void {
    const connection = this.#connection;
    // What is decrypted already arrives even while nothing is read.
    if (this.#kept) return this.#keep(chunk, connection.chunksAreBorrowed);
    const rest = this.#deliver(chunk);
    if (!rest) return;
    this.#keep(rest, connection.chunksAreBorrowed);
    this.letOthersRead(rest !== chunk);
  }

  /** Stops reading until it is this connection's turn. @param isFirst whether it continues with a chunk before others begin */
  letOthersRead(isFirst = false): void {
    if (this.awaitsTurn || !this.#connection.isReading) return;
    this.awaitsTurn = true;
    this.#connection.stopSocket();
    awaitTurn(this, isFirst);
  }

  /** Reads on, if it is not this connection's turn to wait. */
  resume(): void {
    if (this.#kept || this.#hasEnded) this.letOthersRead();
    else if (!this.awaitsTurn) this.#connection.resumeSocket();
  }

  takeTurn(): void {
    this.awaitsTurn = false;
    if (!this.#connection.isReading) {
      // From now on it waits for its receiver.
      lateBytes -= this.#late;
      this.#late = 0;
      return;
    }
    this.#deliverKept();
    if (this.#kept) return this.letOthersRead(true);
    if (!this.#connection.isReading || this.awaitsTurn) return;
    this.#connection.resumeSocket();
    this.#reportEnd();
  }

  /** Whether the peer's end must wait for what is kept. It is reported again after that. */
  postponesEnd(): boolean {
    if (this.#kept) this.#hasEnded = true;
    return this.#hasEnded;
  }

  /** The connection is closed: delivers what is kept, in any case. */
  closed(): void {
    const kept = this.#kept;
    this.#forget();
    for (const chunk of kept ?? []) this.#connection.deliver(chunk);
    this.#reportEnd();
  }

  /** Nothing more is to be delivered. */
  drop(): void {
    this.#isDropped = true;
    this.#hasEnded = false;
    this.#forget();
  }

  #reportEnd(): void {
    if (!this.#hasEnded) return;
    this.#hasEnded = false;
    this.#connection.ended();
  }

  #deliverKept(): void {
    const kept = this.#kept;
    this.#forget();
    for (const chunk of kept ?? []) {
      const rest = this.#kept || !this.#connection.isReading ? chunk : this.#deliver(chunk);
      if (rest) this.#keep(rest, false);
    }
  }

  /** Delivers a chunk until the turn is over or the receiver wants no more. Returns the rest. */
  #deliver(chunk: Uint8Array): Uint8Array | undefined {
    const connection = this.#connection;
    const { length } = chunk;
    let now = performance.now();
    for (let at = 0; at < length; ) {
      const left = length - at;
      const mustWait = isTurnOver(left, left * this.#cost, now) && lateBytes + left <= mostKept;
      if (mustWait || (at > 0 && !connection.isReading)) return at === 0 ? chunk : chunk.subarray(at);
      const size = Math.min(left, this.#pieceSize);
      connection.deliver(size === length ? chunk : chunk.subarray(at, at + size));
      at += size;
      const before = now;
      now = performance.now();
      if (size >= smallestPiece) this.#learn((now - before) / size);
      if (spendTurn(this, size, now) && at === length) this.letOthersRead();
    }
    return undefined;
  }

  #learn(cost: number): void {
    this.#cost = this.#cost === 0 ? cost : this.#cost + (cost - this.#cost) * newest;
  }

  get #pieceSize(): number {
    if (this.#cost === 0) return firstPiece;
    return Math.min(largestPiece, Math.max(smallestPiece, Math.floor((pieceShare * turnLength()) / this.#cost)));
  }

  #keep(chunk: Uint8Array, isBorrowed: boolean): void {
    if (this.#isDropped) return;
    const kept = isBorrowed ? ownCopy(chunk) : chunk;
    this.#kept ??= [];
    this.#kept.push(kept);
    const { keeper, isReading } = this.#connection;
    if (isReading) {
      this.#late += kept.length;
      lateBytes += kept.length;
    }
    keeper?.kept(kept.buffer, kept.buffer.byteLength);
    keeper?.recount?.();
  }

  #forget(): void {
    const { keeper } = this.#connection;
    for (const chunk of this.#kept ?? []) keeper?.freed(chunk.buffer);
    this.#kept = undefined;
    lateBytes -= this.#late;
    this.#late = 0;
  }
}
