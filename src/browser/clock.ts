/** The real time of a page. */
import type { Clock, Timer } from '../clock.ts';

/** A timer that is this late shows that the page did not run: it was frozen, throttled in the background, or busy. */
const lateMs = 1000;

/**
 * Real time, for `connect()`. Browsers throttle the timers of pages in the background, and freeze pages, so a time-out that fires
 * late is judged only after what has arrived meanwhile was delivered: a reply is then found in time.
 */
export const pageClock: Clock = {
  now: () => performance.now(),
  ran: () => performance.now(),
  stalled: () => 0,
  after,
  deadline(delayMs, run) {
    const due = performance.now() + delayMs;
    let timer = after(delayMs, () => {
      if (performance.now() < due + lateMs) run();
      else timer = after(lateMs, run);
    });
    return { cancel: () => timer.cancel() };
  },
  soon: (run) => void setTimeout(run),
};

function after(delayMs: number, run: () => void): Timer {
  const timer = setTimeout(run, delayMs);
  return { cancel: () => clearTimeout(timer) };
}
