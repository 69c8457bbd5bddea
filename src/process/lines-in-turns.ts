/**
 * Reads what children print on stderr. A child can print gigabytes a second, perhaps because a client asks for it, and a pipe that
 * is always full is read without an end: on Bun nothing else happens meanwhile. So each child's pipe is read a chunk at a time, and
 * all children together get a quarter of the event loop's time. Those that print more wait.
 */
import type { Readable } from 'node:stream';
import { Queue } from '../queue.ts';
import { LineSplitter } from './each-line.ts';

/** What is split into lines at once, in UTF-16 units: even of empty lines this takes only a few milliseconds. */
const pieceLength = 8192;
/** How many times as long as it took others have their turn. */
const pauses = 3;

const pieces = new Queue<() => void>();
let isBusy = false;

/**
 * Calls `take` with each line of a stream of UTF-8, without the newline, also with a last one that has none.
 *
 * @param maxLength in UTF-16 units; a longer line is split
 */
export function eachLineInTurns(stream: Readable, take: (line: string) => void, maxLength: number): void {
  const lines = new LineSplitter(take, maxLength);
  let waiting = 0;
  stream.setEncoding('utf8').on('data', (text: string) => {
    stream.pause();
    for (let from = 0; from < text.length; from += pieceLength) {
      waiting++;
      inTurn(() => {
        lines.add(text.slice(from, from + pieceLength));
        if (--waiting === 0) stream.resume();
      });
    }
  });
  stream.on('close', () => inTurn(() => lines.end()));
}

/** Runs it now if nothing was run just before: the few lines of a usual child do not wait. */
function inTurn(piece: () => void): void {
  pieces.push(piece);
  if (!isBusy) work();
}

function work(): void {
  const next = pieces.shift();
  isBusy = next !== undefined;
  if (!next) return;
  const began = performance.now();
  try {
    next();
  } finally {
    setTimeout(work, pauses * (performance.now() - began));
  }
}
