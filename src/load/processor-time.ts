/** Measures how much of a core this process uses. */
export class ProcessorTime {
  #before: NodeJS.CpuUsage = { user: 0, system: 0 };

  /** Starts measuring. */
  start(): void {
    this.#before = process.cpuUsage();
  }

  /**
   * The share of one core used since `start`, from 0 to 1.
   *
   * @param spunMs the part of it in which the process only spun, until the next message was due
   */
  share(elapsedMs: number, spunMs: number): number {
    const { user, system } = process.cpuUsage(this.#before);
    const busyMs = (user + system) / 1000 - spunMs;
    return Math.min(1, Math.max(0, busyMs / Math.max(1, elapsedMs)));
  }
}
