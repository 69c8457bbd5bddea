/** Attempts to connect that were given up, but that the runtime cannot cancel. */
let count = 0;

/** Counts an attempt until it settles by itself. */
export function abandon(attempt: Promise<unknown>): void {
  count++;
  const settled = () => {
    count--;
  };
  attempt.then(settled, settled);
}

/**
 * The number of attempts to connect that were given up, and that still keep the process alive: on Bun, until the operating
 * system gives them up as well, after about two minutes on Linux.
 */
export function abandonedAttempts(): number {
  return count;
}
