/**
 * Process groups that this process has started: a child, and whatever it has started in its turn. None of them outlives
 * its session, and none outlives this process, unless that one is killed (SIGKILL) or they leave their group (setsid).
 */
import { setTimeout as pause } from 'node:timers/promises';

/** How long a group may take to end, where nothing else is said. */
export const defaultGraceMs = 2000;
/** How often it is looked whether a group that was told to end has done so. */
const lookMs = 20;
/** What was killed is gone in a moment; if nobody reaps it, it is no use to wait longer. */
const killedMs = 1000;

/** Those that may have members still. */
const groups = new Set<ProcessGroup>();
let isWatched = false;

/** A group, of which the leader's process number is known. */
export class ProcessGroup {
  readonly #leader: number;
  #ending: Promise<void> | undefined;

  /** @param leader a child that was started with a group of its own */
  constructor(leader: number) {
    this.#leader = leader;
    groups.add(this);
    if (!isWatched) process.on('exit', killGroups);
    isWatched = true;
  }

  /** Tells all of them to end (SIGTERM), kills those that have not done so after `graceMs`, and resolves when none is left. */
  end(graceMs: number): Promise<void> {
    this.#ending ??= this.#end(graceMs);
    return this.#ending;
  }

  /** Kills all of them. False: there is none. */
  kill(): boolean {
    return this.#signal('SIGKILL');
  }

  async #end(graceMs: number): Promise<void> {
    const began = performance.now();
    const hasTime = (ms: number) => performance.now() - began < ms;
    let isLeft = this.#signal('SIGTERM');
    while (isLeft && hasTime(graceMs)) {
      await pause(lookMs);
      isLeft = this.#signal(0);
    }
    if (isLeft) isLeft = this.kill();
    while (isLeft && hasTime(graceMs + killedMs)) {
      await pause(lookMs);
      isLeft = this.#signal(0);
    }
    groups.delete(this);
  }

  /** False: nobody is there. The number belongs to no other group as long as this one has members. */
  #signal(signal: NodeJS.Signals | 0): boolean {
    try {
      process.kill(-this.#leader, signal);
      return true;
    } catch (error) {
      // EPERM: somebody is there who has become another user.
      return (error as NodeJS.ErrnoException).code === 'EPERM';
    }
  }
}

/** Ends all groups that are left, and resolves when there is none any more. */
export async function endGroups(graceMs: number = defaultGraceMs): Promise<void> {
  await Promise.all(Array.from(groups, (group) => group.end(graceMs)));
}

function killGroups(): void {
  for (const group of groups) group.kill();
}
