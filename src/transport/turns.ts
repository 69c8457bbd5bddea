/**
 * Shares the event loop between connections that have much to read. A runtime reads one socket for as long as it has more:
 * Node up to 2 MiB, Bun all that the kernel has received, up to 6 MiB by default. With 500 uploads that is seconds in which
 * nothing else is read. So a turn of the event loop ends after {@link turnMs} or {@link budget}. Then connections with large
 * chunks, or with chunks that take long, wait for their turn, one after another; a small chunk does not wait.
 */
import { Queue } from '../queue.ts';

/** A connection that has stopped reading until others were read. */
export interface TurnTaker {
  /** Reads on. */
  takeTurn(): void;
}

/**
 * The length of a turn in milliseconds. A message waits for the rest of one turn, and for a part of the next: for a millisecond.
 * Tiny messages and the fragments and control frames of WebSocket take far longer than their bytes: 64 KiB of those take as
 * long as a megabyte of lines.
 */
const turnMs = 0.5;
/** The same while there are others, which send little: turns of this length cost those that send much up to a tenth. */
const shortTurnMs = 0.25;
/** Turns are short for this number of turns after a small chunk of a connection without large ones: for a tenth of a second. */
const shortTurns = 400;
/** The most bytes of all connections that are read in one turn. */
const budget = 2_097_152;
/** Turns are told apart only once this much was read: a timer for each turn would cost a small message a tenth. */
const uncounted = 65_536;
/** What one connection reads in its turn while others wait: one read of Bun, eight of Node. Less costs Node a third more. */
const share = 524_288;
/** A connection that sends less at a time is read at any time, so that it waits for one turn and not for a whole round. */
export const manyBytes = 16_384;
/** The same if its bytes take longer than `slowMs`, unless they are fewer than this. Those are not even timed. */
const fewBytes = 1024;
const slowMs = 0.1;
/** What was read waits, too, in a turn that has taken this many times its length. */
const farTimes = 4;
/** The most connections that begin to read in one turn. */
const mostAtOnce = budget / share;

/** Bytes that were read in this turn of the event loop. */
let spent = 0;
/** When the turn began, or when its first {@link uncounted} bytes were read. */
let began = 0;
/** When the clock was last read. */
let seen = 0;
let isOver = false;
/** How many of the next turns are short. */
let shortLeft = 0;
/** How many of those that wait read in one turn: as many as its time allows, judging from the turns before it. */
let atOnce = mostAtOnce;
/** The connection that was read last in this turn, and how much in a row. */
let reader: TurnTaker | undefined;
let inRow = 0;
/** Whether {@link nextTurn} will be called. */
let isScheduled = false;
const waiting = new Queue<TurnTaker>();
/** Those that wait in the middle of a chunk. They come first, so that few chunks are kept at a time. */
const begun = new Queue<TurnTaker>();

/** How long the current turn is, in milliseconds. */
export function turnLength(): number {
  return shortLeft > 0 ? shortTurnMs : turnMs;
}

/**
 * Whether bytes that were read must wait for another turn. To keep them costs about as much as to handle the same number of
 * bytes of longer messages, so this is only for those that take long, and if the turn has taken far too long already.
 *
 * @param ms how long they will probably take @param now the time
 */
export function isTurnOver(bytes: number, ms: number, now: number): boolean {
  if (!isScheduled && (spent + bytes >= uncounted || ms > slowMs)) begin(now);
  return isOver && (ms > turnLength() / 2 || now - began > farTimes * turnLength());
}

/**
 * Counts bytes that a connection has handled. Returns whether it should let others read now.
 *
 * @param taker undefined: the connection has sent no large chunk yet @param now the time, if it is known
 */
export function spendTurn(taker: TurnTaker | undefined, bytes: number, now?: number): boolean {
  spent += bytes;
  if (!taker && bytes < fewBytes) shortLeft = shortTurns;
  if (now !== undefined && isScheduled) return isOverspent(taker, bytes, now);
  return spent >= uncounted && bytes >= fewBytes && isOverspent(taker, bytes, now ?? performance.now());
}

function isOverspent(taker: TurnTaker | undefined, bytes: number, now: number): boolean {
  if (!isScheduled) begin(now);
  const isSlow = now - seen > slowMs;
  seen = now;
  inRow = taker === reader ? inRow + bytes : bytes;
  reader = taker;
  if (bytes < manyBytes && !isSlow) return false;
  isOver ||= now - began > turnLength() || spent > budget;
  return isOver || (inRow >= share && waiting.length > 0);
}

/** Calls `takeTurn` in a later turn, after those that wait already. @param isBegun whether it is in the middle of a chunk */
export function awaitTurn(taker: TurnTaker, isBegun = false): void {
  (isBegun ? begun : waiting).push(taker);
  if (!isScheduled) begin(performance.now());
}

function begin(now: number): void {
  isScheduled = true;
  began = now;
  seen = now;
  setImmediate(nextTurn);
}

function nextTurn(): void {
  atOnce = isOver ? 1 : Math.min(2 * atOnce, mostAtOnce);
  if (shortLeft > 0) shortLeft--;
  spent = 0;
  reader = undefined;
  began = performance.now();
  seen = began;
  isOver = false;
  try {
    for (let left = atOnce; left > 0 && !isOver; left--) (begun.shift() ?? waiting.shift())?.takeTurn();
  } finally {
    isScheduled = begun.length > 0 || waiting.length > 0 || spent > 0;
    if (isScheduled) setImmediate(nextTurn);
  }
}
