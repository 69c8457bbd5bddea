/**
 * Process groups that this process started: a child and everything that it started itself. No process outlives its session
 * or this process, unless it leaves its group (setsid): if this process is killed, the {@link Reaper} ends its groups.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { Reaper } from './reaper.ts';
import { hasRunningMember } from './running-groups.ts';

/** The default time for a group to end after SIGTERM. */
export const defaultGraceMs = 2000;
/** How often an ending group is checked. */
const checkIntervalMs = 20;
/** From then on members that have ended, but were not reaped by their parent, are told from others. That takes milliseconds. */
const zombiesAfterMs = 100;
/** A killed process disappears in a moment, unless the operating system cannot end it now. Waiting longer does not help then. */
const killedMs = 1000;

/** The groups that may still have members. */
const groups = new Set<ProcessGroup>();
let reaper: Reaper | undefined;

/** A process group. */
export class ProcessGroup {
  readonly #leader: number;
  readonly #startedAt = performance.now();
  #ending: Promise<void> | undefined;

  /** @param leader the process id of a child that leads its own group */
  constructor(leader: number) {
    this.#leader = leader;
    groups.add(this);
    if (!reaper) process.on('exit', killGroups);
    reaper ??= new Reaper();
    reaper.add(leader);
  }

  /** Sends SIGTERM to all members, kills those that are left after `graceMs`, and resolves when none is left. */
  end(graceMs: number): Promise<void> {
    this.#ending ??= this.#end(graceMs);
    return this.#ending;
  }

  /** Kills all members. Returns false if there are none. */
  kill(): boolean {
    return this.#signal('SIGKILL');
  }

  async #end(graceMs: number): Promise<void> {
    const endingAt = performance.now();
    const hasTime = (ms: number) => performance.now() - endingAt < ms;
    let isLeft = this.#signal('SIGTERM');
    while (isLeft && hasTime(graceMs)) {
      await pause(checkIntervalMs);
      isLeft = this.#signal(0) && (hasTime(zombiesAfterMs) || this.#hasRunningMember());
    }
    // Also if none seems to run: a member that was just being created may not have been seen.
    this.kill();
    while (isLeft && hasTime(graceMs + killedMs)) {
      await pause(checkIntervalMs);
      isLeft = this.#signal(0) && this.#hasRunningMember();
    }
    groups.delete(this);
    reaper?.remove(this.#leader);
  }

  #hasRunningMember(): boolean {
    return hasRunningMember(this.#leader, this.#startedAt);
  }

  /** Returns false if the group has no members. Its id is not reused while it has any. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.#leader, signal);
      return true;
    } catch (error) {
      // EPERM: a member runs as another user.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  }
}

/** Ends all remaining groups, and resolves when none is left. */
export async function endGroups(graceMs: number = defaultGraceMs): Promise<void> {
  await Promise.all(Array.from(groups, (group) => group.end(graceMs)));
}

function killGroups(): void {
  for (const group of groups) group.kill();
}
