/**
 * The watchdog's thread. It looks at regular intervals whether the main thread's event loop runs, and reports on stderr when
 * it does not, because the main thread cannot. It also ends a process whose parent is gone and whose loop stays blocked.
 */
import { readFileSync, writeSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { Stall } from './stall.ts';

/** The thread's settings. */
export interface WatchdogSettings {
  /** The number of beats, and the id of the session whose handler runs; 0 for none. */
  readonly shared: SharedArrayBuffer;
  readonly intervalMs: number;
  /** 0: reports nothing. */
  readonly thresholdMs: number;
  /** What each line begins with: `yodel:`. */
  readonly name: string;
  /** What precedes the number of a session: `#`. */
  readonly sessionPrefix: string;
  /** The handler, in words. */
  readonly handler: string;
  /** The process that started this one, if this one must not outlive it. */
  readonly parent: number | undefined;
}

/** A process whose parent is gone, and whose loop is blocked for this long, never shuts down by itself. */
const orphanMs = 3000;

const { shared, intervalMs, thresholdMs, name, sessionPrefix, parent, ...initial } = workerData as WatchdogSettings;
const [beats, session] = [0, 1];
const state = new Int32Array(shared);
const stall = new Stall(thresholdMs || Number.POSITIVE_INFINITY, intervalMs);
const orphan = new Stall(orphanMs, intervalMs);
let { handler } = initial;
let lookedAt = performance.now();
let seenBeat: number | undefined;
/** What {@link waitedMs} was at the last look. */
let waitedBefore: number | undefined;

function look(): void {
  const now = performance.now();
  const beat = Atomics.load(state, beats);
  const waited = waitedSince(beat);
  const elapsed = Math.max(0, now - lookedAt - (isInHandler() ? 0 : waited));
  lookedAt = now;
  const change = stall.look(beat, elapsed);
  if (change === 'blocked') report(`the event loop has been blocked for ${seconds(stall.blockedMs)}, ${where()}`);
  if (change === 'over') report(`the event loop runs again; it was blocked for ${seconds(stall.blockedMs)}`);
  if (parent === undefined || process.ppid === parent) return;
  orphan.look(beat, elapsed);
  if (!orphan.isBlocked) return;
  report('the parent process is gone and the event loop is blocked: killing this process');
  process.kill(process.pid, 'SIGKILL');
}

/**
 * How long the main thread has waited for a processor since the last look, in milliseconds: on a busy machine it may be ready
 * to run, and not be blocked by anything but that. A handler that has begun blocks it even while it waits. Known from the
 * second look at the same beat on, and on Linux.
 */
function waitedSince(beat: number): number {
  if (beat !== seenBeat) {
    seenBeat = beat;
    waitedBefore = undefined;
    return 0;
  }
  const before = waitedBefore;
  waitedBefore = waitedMs();
  return before === undefined || waitedBefore === undefined ? 0 : waitedBefore - before;
}

/** The second number is the time on the run queue, in nanoseconds. */
function waitedMs(): number | undefined {
  try {
    const [, nanoseconds] = readFileSync(`/proc/${process.pid}/schedstat`, 'latin1').split(' ');
    return Number(nanoseconds) / 1e6;
  } catch {
    // Not Linux, or a kernel without these statistics.
    return undefined;
  }
}

/** Only calls of the handler are known; an async one may also compute after it has awaited something. */
function isInHandler(): boolean {
  return Atomics.load(state, session) !== 0;
}

function where(): string {
  const id = Atomics.load(state, session);
  return id === 0
    ? `not in a call of the handler ${handler}`
    : `in the handler ${handler}, session ${sessionPrefix}${id}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

function report(text: string): void {
  try {
    writeSync(2, `${name} ${text}\n`);
  } catch {
    // A pipe that is full or closed: this is the last place where the line could go.
  }
}

parentPort?.on('message', (next: string) => {
  handler = next;
});
setInterval(look, intervalMs);
