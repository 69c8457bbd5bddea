/**
 * The deadlines of a session.
 *
 * | Deadline | Counts from                                            | Runs while                                 | When it expires             |
 * |----------|--------------------------------------------------------|--------------------------------------------|-----------------------------|
 * | rate     | (the rate limit sets the time)                         | a message waits for the rate limit         | the message is handled      |
 * | drain    | the peer last read something, or output became pending | output is pending                          | the session is disconnected |
 * | linger   | FIN was sent, or the peer last read something          | ending, and no output is pending           | the connection is released  |
 * | message  | the first byte of the unfinished message               | open, reading, and a message is unfinished | error reply, then close     |
 * | idle     | something was last received, sent, or read by the peer | open, reading, and nothing is pending (2)  | error reply, then close     |
 * | handler  | its call, or the session last sent something (1)       | the handler is awaited, and no output is pending (2) | error reply, then close |
 *
 * (1) With `concurrency`, only the oldest call counts: what is sent may belong to another one.
 * (2) While requests to the peer are pending, the handler's time stands still, and the session is idle although it is awaited.
 *
 * Output that is pending waits for the peer: a handler that awaits `drained()` is limited by the drain deadline.
 *
 * The same code finds the next deadline, to set the timer, and the one that has passed, when the timer fires.
 */

import { type DeadlineOwner, DeadlineTimer } from '../deadline-timer.ts';
import { YodelError } from '../errors.ts';
import { formatDuration } from '../format/figures.ts';
import type { SessionLimits } from '../options.ts';
import type { Connection } from '../transport/transport.ts';
import type { Flow } from './flow.ts';
import type { Inbound } from './inbound.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Outbox } from './outbox.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';

/** See the table above. */
export type Deadline = 'rate' | 'drain' | 'linger' | 'message' | 'idle' | 'handler';

/** The parts that the deadlines depend on. */
export interface DeadlineParts {
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly outbox: Outbox;
  readonly flow: Flow;
  readonly lifecycle: Lifecycle;
}

/** The deadlines of one session, and their timer. A subclass, because one object costs an idle session less than two. */
export class Deadlines extends DeadlineTimer {
  readonly #settings: SessionSettings;
  readonly #inbound: Inbound;
  readonly #runner: Runner;
  readonly #outbox: Outbox;
  readonly #flow: Flow;
  readonly #lifecycle: Lifecycle;
  #activeAt: number;
  #readAt = 0;
  /** A number that grows with each promise of the handler and each byte that is sent, and when it last grew. */
  #progress = 0;
  #progressAt: number;
  readonly #handlerTimeout: number;
  /** Requests to the peer are pending: the handler may wait for them. */
  awaitsPeer = false;
  /** The deadline that {@link #findNext} found. */
  #next: Deadline | undefined;

  /** @param owner called when a deadline may have passed; {@link meet} then finds out which one */
  constructor(owner: DeadlineOwner, settings: SessionSettings, parts: DeadlineParts) {
    super(settings.clock, owner);
    this.#settings = settings;
    this.#inbound = parts.inbound;
    this.#runner = parts.runner;
    this.#outbox = parts.outbox;
    this.#flow = parts.flow;
    this.#lifecycle = parts.lifecycle;
    this.#activeAt = settings.clock.ran();
    this.#progressAt = this.#activeAt;
    this.#handlerTimeout = settings.handler.limitsItself ? 0 : settings.limits.handlerTimeout;
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

  /** Requests to the peer were pending. That time does not count for the handler. */
  extend(since: number, until: number): void {
    this.awaitsPeer = false;
    this.#progressAt += until - Math.max(since, this.#progressAt);
  }

  /** Output became pending: the operating system did not take all of it. */
  outputPending(): void {
    this.#readAt = this.#settings.clock.ran();
  }

  /**
   * Makes sure that the timer fires at the next deadline.
   *
   * @param unsent bytes that the connection has not sent
   * @param now the time, if it is known: reading the clock for each chunk again would cost 40 ns
   */
  arm(unsent: number, now?: number): void {
    const progress = this.#runner.awaited + this.#outbox.bytes;
    if (progress !== this.#progress) {
      this.#progress = progress;
      this.#progressAt = now ?? this.active();
    }
    this.set(this.#findNext(unsent));
  }

  /** Does what is due if a deadline has passed, and returns how the session goes on. If none has, sets the timer again. */
  meet(connection: Connection): 'settle' | 'turn' | undefined {
    const { unsent } = connection;
    const due = this.#findNext(unsent);
    if (due > this.#settings.clock.ran()) {
      this.set(due);
      return undefined;
    }
    const { limits } = this.#settings;
    const [inbound, lifecycle] = [this.#inbound, this.#lifecycle];
    const deadline = this.#next;
    switch (deadline) {
      case 'rate':
        inbound.rateDue = 0;
        this.active();
        return 'turn';
      case 'drain':
        lifecycle.disconnect(deadlineError(deadline, limits, unsent));
        return undefined;
      case 'linger':
        connection.release();
        return undefined;
      case 'message':
      case 'idle':
        // What the peer may have sent in time is not read yet.
        if (this.#flow.awaitsTurn) inbound.restartMessageTimer(this.active());
        else if (deadline === 'idle') lifecycle.fail(deadlineError(deadline, limits, unsent));
        else {
          inbound.abandonUnfinished(deadlineError(deadline, limits, unsent));
          lifecycle.finish();
          return undefined;
        }
        return 'settle';
      case 'handler':
        lifecycle.abandonHandler(deadlineError(deadline, limits, unsent));
        return 'settle';
      default:
        return undefined;
    }
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
    if (
      this.#handlerTimeout > 0 &&
      unsent === 0 &&
      this.#runner.isBusy &&
      !this.awaitsPeer &&
      !this.#lifecycle.isOver
    ) {
      const waitsFrom = Math.max(this.#runner.oldestCall ?? this.#progressAt, this.#readAt);
      if (waitsFrom + this.#handlerTimeout < due) {
        due = waitsFrom + this.#handlerTimeout;
        this.#next = 'handler';
      }
    }
    return due;
  }

  #isIdle(): boolean {
    return (this.#runner.isIdle || this.awaitsPeer) && this.#inbound.isEmpty;
  }
}

/** The error of a session that missed a deadline. */
export function deadlineError(
  deadline: 'drain' | 'message' | 'idle' | 'handler',
  { drainTimeout, messageTimeout, idleTimeout, handlerTimeout }: SessionLimits,
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
      return new YodelError('YODEL_IDLE_TIMEOUT', `nothing was received or sent for ${formatDuration(idleTimeout)}`);
    case 'handler':
      return new YodelError('YODEL_HANDLER_TIMEOUT', `the handler took longer than ${formatDuration(handlerTimeout)}`);
  }
}
