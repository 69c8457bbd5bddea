/**
 * By how much the clock of another machine differs from this one's. What that node says about when it has sent something is compared
 * with when members have joined here.
 *
 * A packet arrives after it was sent. So the least difference between the two times that was seen is the one between the clocks, and
 * a bit more: the time on the way. Converted times are never too early, so the numbers that members are told are never too low.
 */

/** Clocks are set, and drift: what was seen longer ago than once or twice this time does not count. */
const windowMs = 60_000;

/** See the top of the file. Times are milliseconds since 1970. */
export class ClockDifference {
  #least = Number.POSITIVE_INFINITY;
  #leastBefore = Number.POSITIVE_INFINITY;
  #since = 0;

  /** Something that the other node has sent at that time has arrived. */
  saw(sentAt: number, now: number): void {
    if (now - this.#since > windowMs) {
      this.#leastBefore = now - this.#since > 2 * windowMs ? Number.POSITIVE_INFINITY : this.#least;
      this.#least = Number.POSITIVE_INFINITY;
      this.#since = now;
    }
    this.#least = Math.min(this.#least, now - sentAt);
  }

  /** @returns the time on this clock. 0: not known */
  here(time: number | undefined): number {
    const difference = Math.min(this.#least, this.#leastBefore);
    return time && Number.isFinite(difference) ? time + difference : 0;
  }
}
