/**
 * Shares the event loop between connections that have much to read. A runtime reads one socket for as long as it has more:
 * Node up to 2 MiB, Bun all that the kernel has received, up to 6 MiB by default. With 500 uploads that is seconds in which
 * nothing else is read. So at most {@link budget} is read in one turn of the event loop. Then connections with large chunks
 * wait for their turn, one after another; a small chunk does not wait.
 */
import { Queue } from '../queue.ts';

/** A connection that has stopped reading until others were read. */
export interface TurnTaker {
  /** Reads on. */
  takeTurn(): void;
}

/** Bytes of all connections that are read in one turn of the event loop: one or two milliseconds. */
const budget = 2_097_152;
/** Turns are told apart only once this much was read: a timer for each turn would cost a small message a tenth. */
const uncounted = 65_536;
/** What one connection reads in its turn while others wait: one read of Bun, eight of Node. Less costs Node a third more. */
const share = 524_288;
/** A connection that sends less at a time is read at any time, so that it waits for one turn and not for a whole round. */
const smallest = 16_384;

/**
 * A turn is also over after this time, in milliseconds. Tiny messages and the fragments and control frames of WebSocket take far
 * longer than their bytes: 64 KiB of those take as long as a megabyte of lines.
 */
const longestMs = 2;

/** Bytes that were read in this turn of the event loop. */
let spent = 0;
/** When the turn began, or when its first {@link uncounted} bytes were read. */
let began = 0;
/** Whether the time was over before the bytes were. */
let wasLate = false;
/** The connection that was read last in this turn, and how much in a row. */
let reader: TurnTaker | undefined;
let inRow = 0;
/** Whether {@link nextTurn} will be called. */
let isScheduled = false;
const waiting = new Queue<TurnTaker>();

/** Counts bytes that a connection has read. Returns whether it should let others read now. */
export function spendTurn(taker: TurnTaker, bytes: number): boolean {
  spent += bytes;
  return spent >= uncounted && isOverspent(taker, bytes);
}

function isOverspent(taker: TurnTaker, bytes: number): boolean {
  if (!isScheduled) {
    isScheduled = true;
    began = performance.now();
    setImmediate(nextTurn);
  }
  inRow = taker === reader ? inRow + bytes : bytes;
  reader = taker;
  if (bytes < smallest) return false;
  if (performance.now() - began > longestMs) wasLate = true;
  return wasLate || spent > budget || (waiting.length > 0 && inRow >= share);
}

/** Calls `takeTurn` after those that wait already. */
export function awaitTurn(taker: TurnTaker): void {
  waiting.push(taker);
}

function nextTurn(): void {
  // If the last turn was too long, only one of those that wait reads in this one.
  const allowed = wasLate ? share : budget;
  spent = 0;
  reader = undefined;
  began = performance.now();
  wasLate = false;
  for (let left = allowed; left > 0; left -= share) waiting.shift()?.takeTurn();
  isScheduled = waiting.length > 0;
  if (isScheduled) setImmediate(nextTurn);
}
