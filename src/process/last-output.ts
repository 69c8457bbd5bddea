/** The output of a process that has exited: its pipes may contain more, and something that it started may keep them open. */
import type { Readable } from 'node:stream';
import { realClock } from '../clock.ts';

/** Much longer than it takes to read what a pipe still contains after its writer has exited, in milliseconds. */
const lastOutputMs = 200;

/**
 * Closes a stream when it delivers nothing for a moment. Resolves when it is closed.
 *
 * @param delivered how much it has delivered; undefined while its reader takes no more
 */
export async function closeWhenSilent(stream: Readable, delivered: () => number | undefined): Promise<void> {
  const closed = new Promise<void>((resolve) => stream.once('close', resolve));
  while (!stream.closed) {
    const before = delivered();
    await settledWithin(closed, lastOutputMs);
    if (before === undefined || before !== delivered()) continue;
    stream.destroy();
    return;
  }
}

/** Resolves when the promise does, or after so many milliseconds. */
function settledWithin(promise: Promise<void>, ms: number): Promise<void> {
  return new Promise((resolve) => {
    const timer = realClock.deadline(ms, resolve);
    void promise.then(() => {
      timer.cancel();
      resolve();
    });
  });
}
