/**
 * Shares the event loop between sessions whose handlers compute: one chunk can contain 65,536 messages, and no other session is
 * served until the handler has answered them. After {@link sliceMs} in one turn of the event loop, each session handles one more
 * message and continues in the next turn.
 */
import type { Clock } from '../clock.ts';

const sliceMs = 10;
/** The clock is read after this number of messages, and then after twice as many each time, up to `rarest`: it costs Node 50 ns. */
const first = 8;
const rarest = 256;

/** When the messages of this turn began to be counted. Undefined: fewer than `first` were handled since the last turn. */
let began: number | undefined;
let handled = 0;
let nextCheck = first;

/** Counts a message. Returns whether the next one must wait for {@link nextTurn}. */
export function isSliceOver(clock: Clock): boolean {
  handled++;
  return handled >= nextCheck && hasTakenLong(clock);
}

function hasTakenLong(clock: Clock): boolean {
  const now = clock.now();
  if (began === undefined) {
    began = now;
    clock.soon(startTurn);
  }
  if (now - began >= sliceMs) return true;
  nextCheck = handled + Math.min(handled, rarest);
  return false;
}

function startTurn(): void {
  began = undefined;
  handled = 0;
  nextCheck = first;
}

/** Resolves in the next turn of the event loop. */
export function nextTurn(clock: Clock): Promise<undefined> {
  return new Promise((resolve) => clock.soon(() => resolve(undefined)));
}
