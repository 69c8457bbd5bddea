/**
 * The deadlines of a session.
 *
 * | Deadline | Counts from                                            | Runs while                                 | When it expires             |
 * |----------|--------------------------------------------------------|--------------------------------------------|-----------------------------|
 * | rate     | (the rate limit sets the time)                         | a message waits for the rate limit         | the message is handled      |
 * | drain    | the peer last read something, or output became pending | output is pending                          | the session is disconnected |
 * | linger   | FIN was sent, or the peer last read something          | ending, and no output is pending           | the connection is released  |
 * | message  | the first byte of the unfinished message               | open, reading, and a message is unfinished | error reply, then close     |
 * | idle     | the peer last sent or read something, or was answered  | open, reading, and nothing is pending      | error reply, then close     |
 *
 * The same code finds the next deadline, to set the timer, and the one that has passed, when the timer fires.
 */
import { YodelError } from '../errors.ts';
import { formatDuration } from '../format/figures.ts';
import type { SessionLimits } from '../options.ts';
import { type DeadlineOwner, DeadlineTimer } from './deadline-timer.ts';
import type { Flow } from './flow.ts';
import type { Inbound } from './inbound.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';

/** See the table above. */
export type Deadline = 'rate' | 'drain' | 'linger' | 'message' | 'idle';

/** The parts that the deadlines depend on. */
export interface DeadlineParts {
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly flow: Flow;
  readonly lifecycle: Lifecycle;
}

/** The deadlines of one session, and their timer. A subclass, because one object costs an idle session less than two. */
export class Deadlines extends DeadlineTimer {
  readonly #settings: SessionSettings;
  readonly #inbound: Inbound;
  readonly #runner: Runner;
  readonly #flow: Flow;
  readonly #lifecycle: Lifecycle;
  #activeAt: number;
  #readAt = 0;
  /** The deadline that {@link #findNext} found. */
  #next: Deadline | undefined;

  /** @param owner called when a deadline may have passed; {@link expired} returns which one */
  constructor(owner: DeadlineOwner, settings: SessionSettings, parts: DeadlineParts, now: number) {
    super(settings.clock, owner);
    this.#settings = settings;
    this.#inbound = parts.inbound;
    this.#runner = parts.runner;
    this.#flow = parts.flow;
    this.#lifecycle = parts.lifecycle;
    this.#activeAt = now;
  }

  /** The peer sent something, or was answered. Returns the time. */
  active(): number {
    this.#activeAt = this.#settings.clock.ran();
    return this.#activeAt;
  }

  /** The peer read pending output. */
  peerRead(): void {
    this.#readAt = this.active();
  }

  /** Output became pending: the operating system did not take all of it. */
  outputPending(): void {
    this.#readAt = this.#settings.clock.ran();
  }

  /** Makes sure that the timer fires at the next deadline. @param unsent bytes that the connection has not sent */
  arm(unsent: number): void {
    this.set(this.#findNext(unsent));
  }

  /** The deadline that has passed; if none has, sets the timer again. */
  expired(unsent: number): Deadline | undefined {
    const due = this.#findNext(unsent);
    if (due <= this.#settings.clock.ran()) return this.#next;
    this.set(due);
    return undefined;
  }

  /** The table above, as code: finds the earliest deadline, and when it is due. One straight pass: it runs for every chunk. */
  #findNext(unsent: number): number {
    const { idleTimeout, messageTimeout, drainTimeout, lingerTimeout } = this.#settings.limits;
    const { rateDue, messageBegan } = this.#inbound;
    const { state } = this.#lifecycle;
    const isReading = state === 'open' && !this.#flow.isPaused;
    let due = Number.POSITIVE_INFINITY;
    if (rateDue > 0) {
      due = rateDue;
      this.#next = 'rate';
    }
    if (unsent > 0 && drainTimeout > 0 && this.#readAt + drainTimeout < due) {
      due = this.#readAt + drainTimeout;
      this.#next = 'drain';
    }
    if (unsent === 0 && state === 'ending') {
      const lingerFrom = Math.max(this.#lifecycle.endedAt, this.#readAt);
      if (lingerFrom + lingerTimeout < due) {
        due = lingerFrom + lingerTimeout;
        this.#next = 'linger';
      }
    }
    if (isReading && messageBegan > 0 && messageTimeout > 0 && messageBegan + messageTimeout < due) {
      due = messageBegan + messageTimeout;
      this.#next = 'message';
    }
    if (isReading && idleTimeout > 0 && this.#activeAt + idleTimeout < due && unsent === 0 && this.#isIdle()) {
      due = this.#activeAt + idleTimeout;
      this.#next = 'idle';
    }
    return due;
  }

  #isIdle(): boolean {
    return this.#runner.isIdle && this.#inbound.isEmpty;
  }
}

/** The error of a session that missed a deadline. */
export function deadlineError(
  deadline: 'drain' | 'message' | 'idle',
  { drainTimeout, messageTimeout, idleTimeout }: SessionLimits,
  unsent: number,
): YodelError {
  switch (deadline) {
    case 'drain': {
      const text = `the peer read nothing for ${formatDuration(drainTimeout)}, with ${unsent} bytes pending`;
      return new YodelError('YODEL_DRAIN_TIMEOUT', text);
    }
    case 'message': {
      const text = `a message was not finished within ${formatDuration(messageTimeout)} of its first byte`;
      return new YodelError('YODEL_MESSAGE_TIMEOUT', text);
    }
    case 'idle':
      return new YodelError('YODEL_IDLE_TIMEOUT', `nothing was received for ${formatDuration(idleTimeout)}`);
  }
}
