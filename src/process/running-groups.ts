/**
 * Which process groups have members that have not ended. Where nothing reaps orphans, as in a container without an init
 * process, ended ones stay members of their group, and signals do not tell them from others.
 */
import { readdirSync, readFileSync } from 'node:fs';

/** A scan of all processes is used for this long, and for twenty times as long as it took: many groups may end at once. */
const freshMs = 50;
const shareOfTime = 20;

/** The groups of the last scan; undefined where processes cannot be listed. */
let running: ReadonlySet<number> | undefined;
let scannedAt = Number.NEGATIVE_INFINITY;
let validUntil = 0;

/**
 * Whether the group has members that have not ended. True where that is unknown: without `/proc`, and while the last scan is
 * older than the group. The answer may be a moment old.
 *
 * @param startedAt when the group was started, by `performance.now()`
 */
export function hasRunningMember(leader: number, startedAt: number): boolean {
  const now = performance.now();
  if (now >= validUntil) {
    running = scan();
    scannedAt = now;
    const done = performance.now();
    validUntil = done + Math.max(freshMs, shareOfTime * (done - now));
  }
  return scannedAt < startedAt || (running?.has(leader) ?? true);
}

function scan(): Set<number> | undefined {
  let ids: string[];
  try {
    ids = readdirSync('/proc');
  } catch {
    // Not Linux.
    return undefined;
  }
  const found = new Set<number>();
  for (const id of ids) {
    const group = /^\d+$/.test(id) ? groupOf(id) : undefined;
    if (group !== undefined) found.add(group);
  }
  return found;
}

/** The group of a process; undefined if it has ended. */
function groupOf(id: string): number | undefined {
  try {
    // After the name in parentheses: state, parent, process group.
    const [state, , group] = readFileSync(`/proc/${id}/stat`, 'latin1')
      .replace(/^.*\) /s, '')
      .split(' ');
    return state === 'Z' ? undefined : Number(group);
  } catch {
    // It has ended in the meantime.
    return undefined;
  }
}
