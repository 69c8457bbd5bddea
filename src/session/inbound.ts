/**
 * A session's messages on their way to the handler:
 *
 * ```
 * chunk -> decode -> queue -> admit (rate, maxMessages) -> [journal] -> [read ahead] -> next()
 * ```
 *
 * The journal stage exists only where there is a journal. Messages enter it as soon as they are admitted, also while the
 * handler is busy, and leave it in order once they are recorded. With requests of the session itself, messages are admitted early, to
 * find the replies among them.
 */
import { YodelError } from '../errors.ts';
import type { Decoder } from '../framing/framing.ts';
import type { Batch } from '../framing/message.ts';
import { ownCopy } from '../framing/slices.ts';
import type { SessionLimits } from '../options.ts';
import type { Fault } from './fault.ts';
import { Intake } from './intake.ts';
import { Journaling, type WaitingSession } from './journaling.ts';
import type { Outbox } from './outbox.ts';
import { RateLimit } from './rate-limit.ts';
import { type Admitted, ReadAhead } from './requests/read-ahead.ts';
import type { SessionSettings } from './settings.ts';
import { isSliceOver } from './time-slice.ts';

/** The size of one read from a socket. */
const usualChunk = 65_536;

/** Recording takes time for each message, and a chunk can be half a million of them: others have their turn after some milliseconds. */
const recordedTogether = 1024;

/** Receives, queues, limits and records messages. */
export class Inbound {
  messagesReceived = 0;
  bytesReceived = 0;
  /** When the rate limit admits the next message, in the time of {@link Clock.ran}; 0 if no message waits for it. */
  rateDue = 0;
  readonly #session: WaitingSession;
  readonly #settings: SessionSettings;
  readonly #outbox: Outbox;
  readonly #intake: Intake;
  readonly #journaling: Journaling | undefined;
  readonly #rateLimit: RateLimit | undefined;
  #ahead: ReadAhead | undefined;
  /** Whether it is the turn of other sessions. */
  #hasYielded = false;
  /** A fault that follows everything that is queued. */
  #lastFault: YodelError | undefined;

  /** @param outbox learns the shape of the peer's frames from the first message */
  constructor(session: WaitingSession, decoder: Decoder, outbox: Outbox, settings: SessionSettings, now: number) {
    const { limits, journal } = settings;
    this.#session = session;
    this.#settings = settings;
    this.#outbox = outbox;
    this.#intake = new Intake(decoder);
    this.#journaling = journal && new Journaling(journal, session);
    this.#rateLimit = limits.rate === 0 ? undefined : rateLimitOf(limits, now);
  }

  /** Bytes of messages that are waiting for the handler. */
  get bytes(): number {
    return this.#intake.bytes + (this.#journaling?.bytes ?? 0) + (this.#ahead?.bytes ?? 0);
  }

  /** Bytes of memory that the messages in {@link bytes} keep. */
  get memory(): number {
    return this.#intake.memory + (this.#journaling?.memory ?? 0) + (this.#ahead?.memory ?? 0);
  }

  /** Whether so much waits that nothing more should be read: by its bytes, or by what very many short messages cost. */
  get isFull(): boolean {
    const { highWaterMark } = this.#settings.limits;
    return this.bytes > highWaterMark || this.memory > 2 * Math.max(highWaterMark, usualChunk);
  }

  /** The same where what waits may have to wait for a message that comes after it: short messages may cost more then. */
  get isFullForReplies(): boolean {
    const { highWaterMark } = this.#settings.limits;
    return this.bytes > highWaterMark || this.memory > 16 * Math.max(highWaterMark, usualChunk);
  }

  /** Bytes of memory that the decoder keeps, mostly of the unfinished message. */
  get pendingMemory(): number {
    return this.#intake.pendingMemory;
  }

  /** Bytes of the unfinished message. */
  get pending(): number {
    return this.#intake.pending;
  }

  /** When the first byte of the unfinished message arrived, in the time of {@link Clock.ran}; 0 if there is none. */
  get messageBegan(): number {
    return this.#intake.messageBegan;
  }

  /** Whether nothing is left for {@link next} to return, now or later. */
  get isEmpty(): boolean {
    return this.isAdmitted && (this.#ahead?.isEmpty ?? true);
  }

  /** Whether nothing is left for {@link admit} to return, now or later. */
  get isAdmitted(): boolean {
    return this.#intake.isEmpty && this.#lastFault === undefined && (this.#journaling?.isEmpty ?? true);
  }

  /**
   * What was admitted before it could be handled. Created when it is first used: only sessions with requests need it, and faults that
   * follow calls of the handler.
   */
  get ahead(): ReadAhead {
    this.#ahead ??= new ReadAhead();
    return this.#ahead;
  }

  /** Counts bytes that arrived, even if they are discarded. */
  count(bytes: number): void {
    this.bytesReceived += bytes;
    this.#settings.telemetry.counters.bytesReceived += bytes;
  }

  /**
   * Takes a chunk that arrived at `now`. If it is borrowed (see framing/frames.ts), {@link endBorrow} must follow before its
   * memory is reused.
   *
   * Messages that must wait for the journal, or for a handler that is busy, are copied here, all at once. Messages that
   * are handled within the call stay where they are.
   */
  receive(chunk: Uint8Array, now: number, isBorrowed: boolean, isHandlerBusy: boolean): void {
    const mustWait = isHandlerBusy || !this.#intake.isEmpty || this.#journaling !== undefined;
    if (isBorrowed && mustWait) this.#intake.decode(ownCopy(chunk), now, false);
    else this.#intake.decode(chunk, now, isBorrowed);
  }

  /** Copies what was not handled out of the borrowed chunk, which is about to change. */
  endBorrow(): void {
    this.#intake.endBorrow();
  }

  /** Decodes with another decoder from now on. Nothing may be unfinished. */
  restart(decoder: Decoder): void {
    this.#intake.restart(decoder);
  }

  /** The peer has ended. */
  end(): void {
    this.#intake.end();
  }

  /** Restarts the unfinished message's time at `now`: the session was not reading until then. */
  restartMessageTimer(now: number): void {
    this.#intake.restartMessageTimer(now);
  }

  /** The unfinished message took too long: `error` follows what is queued. */
  abandonUnfinished(error: YodelError): void {
    this.#intake.stopMessageTimer();
    this.#lastFault = error;
  }

  /** Discards everything that is queued. */
  drop(): void {
    this.#intake.drop();
    this.#journaling?.drop();
    this.#ahead?.drop();
    this.#lastFault = undefined;
  }

  /** Passes all admitted messages to the journal, if there is one. */
  record(): void {
    const journaling = this.#journaling;
    if (!journaling || this.#hasYielded) return;
    let hadTurn = false;
    for (let { first } = this.#intake; first && journaling.admits(first, hadTurn); first = this.#intake.first) {
      const batch = this.#takeAdmitted();
      if (!batch) return;
      journaling.add(batch);
      hadTurn = true;
      if (isSliceOver(this.#settings.clock)) return this.#yield();
    }
  }

  /** The next messages to handle, or a fault; undefined if there is neither for now. */
  next(): Admitted | undefined {
    const ahead = this.#ahead;
    return ahead && !ahead.isEmpty ? ahead.shift() : this.admit();
  }

  /** The same for what has not been admitted yet. */
  admit(): Batch | Fault | undefined {
    if (this.#hasYielded) return undefined;
    const next = this.#next();
    // Of a chunk that is many batches each costs time, also if the handler has nothing to do with it.
    if (next && this.#intake.isPartial && isSliceOver(this.#settings.clock)) this.#yield();
    return next;
  }

  /** Returns nothing more until other sessions had their turn. */
  #yield(): void {
    this.#hasYielded = true;
    this.#settings.clock.soon(() => {
      this.#hasYielded = false;
      this.#session.turn();
    });
  }

  #next(): Batch | Fault | undefined {
    const journaling = this.#journaling;
    if (!journaling) return this.#takeAdmitted() ?? this.#takeFault();
    const recorded = journaling.take();
    if (recorded) return recorded.error ? notRecorded(recorded.error, recorded.batch.count) : recorded.batch;
    // A fault waits for the messages before it to be recorded.
    this.record();
    return journaling.isEmpty && !journaling.awaitsTurn ? this.#takeFault() : undefined;
  }

  /** The messages at the front of the queue that the limits admit now. */
  #takeAdmitted(): Batch | undefined {
    const waiting = this.#intake.first?.count ?? 0;
    const count = this.#journaling ? Math.min(waiting, recordedTogether) : waiting;
    const admitted = count === 0 ? 0 : this.#admit(count);
    const taken = admitted === 0 ? undefined : this.#intake.take(admitted);
    if (!taken) return undefined;
    const { telemetry } = this.#settings;
    this.messagesReceived += taken.count;
    telemetry.counters.messagesReceived += taken.count;
    if (telemetry.observesReceived) telemetry.emit('received', this.#session, taken);
    this.#outbox.learnFrom(taken);
    return taken;
  }

  /** The number of messages, of `count`, that the limits admit now. */
  #admit(count: number): number {
    const { limits, clock } = this.#settings;
    const { maxMessages, ratePolicy } = limits;
    const allowed = maxMessages === 0 ? count : Math.min(count, maxMessages - this.messagesReceived);
    const rateLimit = this.#rateLimit;
    if (allowed === 0 || !rateLimit) return allowed;
    const now = clock.now();
    const admitted = rateLimit.admit(allowed, now, clock.stalled());
    if (admitted === 0 && ratePolicy === 'delay') this.rateDue = clock.ran() + rateLimit.due - now;
    return admitted;
  }

  /** The fault at the front of the queue, where no message is admitted; undefined if the message only has to wait. */
  #takeFault(): Fault | Batch | undefined {
    const { first } = this.#intake;
    const { limits } = this.#settings;
    if (!first) return this.#lastFault && closing(this.#lastFault);
    if (first.count > 0) return this.#refusal();
    const batch = this.#intake.takeFault() as Batch;
    const { fault: error, isLast } = batch;
    // Only bytes between messages.
    if (!error) return this.#passesEverything ? batch : this.#next();
    // Where the end of the message cannot be found, nothing that follows can be decoded.
    const isDiscarded = error.code === 'YODEL_MESSAGE_TOO_LONG' && limits.onTooLong === 'discard' && !isLast;
    return isDiscarded ? { error, effect: 'discard', messages: 1 } : closing(error);
  }

  /** Whether the handler is interested in bytes that belong to no message. */
  get #passesEverything(): boolean {
    const { forwarding, batch } = this.#settings.handler;
    return forwarding !== undefined && batch !== undefined;
  }

  #refusal(): Fault | undefined {
    const { maxMessages, rate, ratePolicy } = this.#settings.limits;
    if (maxMessages !== 0 && this.messagesReceived >= maxMessages) {
      const text = `this connection has reached its limit of ${maxMessages} messages`;
      return closing(new YodelError('YODEL_TOO_MANY_MESSAGES', text));
    }
    if (ratePolicy === 'delay') return undefined;
    return closing(new YodelError('YODEL_RATE_EXCEEDED', `more than ${rate} messages per second`));
  }
}

function closing(error: YodelError): Fault {
  return { error, effect: 'close', messages: 0 };
}

/** Each message that was not recorded is answered with the reason, so that replies can be counted. */
function notRecorded(error: YodelError, messages: number): Fault {
  return { error, effect: error.code === 'YODEL_NOT_RECORDED' ? 'discard' : 'disconnect', messages };
}

/** Delayed messages need no burst. Where the rate closes the session, a burst of one second's worth is allowed. */
function rateLimitOf({ rate, ratePolicy }: SessionLimits, now: number): RateLimit {
  return new RateLimit(rate, ratePolicy === 'close' ? Math.max(1, rate) : 1, now);
}
