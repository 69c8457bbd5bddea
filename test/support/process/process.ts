/** Information about processes from Linux. */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Resident memory of a process, in bytes. */
export function residentBytes(pid: number): number {
  const [, kilobytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kilobytes) * 1024;
}

/** The number of open descriptors of a process. */
export function openDescriptors(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** The hard limit of descriptors of a process, to which both runtimes raise their limit. */
export function mostDescriptors(): number {
  const limit = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}

/** Polls a condition that sends no event. Resolves when it is true; rejects after `withinMs`. */
export async function waitUntil(what: string, holds: () => boolean, withinMs = 30_000): Promise<void> {
  for (const deadline = Date.now() + withinMs; !holds(); await delay(10)) {
    if (Date.now() > deadline) throw new Error(`not within ${withinMs} ms: ${what}`);
  }
}
