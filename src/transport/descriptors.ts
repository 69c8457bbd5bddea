/** The number of descriptors (open files and sockets) that this process may have. */
import { readdirSync, readFileSync } from 'node:fs';

/**
 * The limit that `ulimit -n` shows; both runtimes raise it to the hard limit when they start. Undefined where the system
 * has no `/proc`.
 *
 * A server has to stay below it. At the limit Node closes each new connection without reporting it (libuv's emergency
 * descriptor), and Bun's listener retries in a busy loop until a descriptor is free.
 */
export function descriptorLimit(): number | undefined {
  try {
    const [, soft] = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1')) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    // Not Linux, or /proc is not mounted.
    return undefined;
  }
}

let reserved = 0;

/** Keeps descriptors for something else than the connections of servers that are created afterwards. */
export function reserveDescriptors(count: number): void {
  reserved += count;
}

/** The number of descriptors that are open in this process now, or reserved; 0 open where the system has no `/proc`. */
export function openDescriptors(): number {
  try {
    // One is open to read the directory.
    return reserved + readdirSync('/proc/self/fd').length - 1;
  } catch {
    return reserved;
  }
}
