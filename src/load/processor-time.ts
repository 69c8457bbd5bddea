/** How much of a core this process uses. */
export class ProcessorTime {
  #before: NodeJS.CpuUsage = { user: 0, system: 0 };

  /** Begins to measure. */
  start(): void {
    this.#before = process.cpuUsage();
  }

  /**
   * The share of one core that was used since `start`: 0 to 1.
   *
   * @param waitedMs how long of it the process only went round and round, waiting for a time to come
   */
  share(elapsedMs: number, waitedMs: number): number {
    const { user, system } = process.cpuUsage(this.#before);
    const busyMs = (user + system) / 1000 - waitedMs;
    return Math.min(1, Math.max(0, busyMs / Math.max(1, elapsedMs)));
  }
}
