/**
 * The calls of a `message` handler in one session, where the option `concurrency` allows several at a time.
 *
 * | A call is | Its reply                                                                                          |
 * |-----------|----------------------------------------------------------------------------------------------------|
 * | pending   | is awaited                                                                                         |
 * | settled   | waits for those of earlier messages; with `replyOrder: 'finished'` it does not wait                |
 * | answered  | is in the outbox, or was discarded because the session has ended                                   |
 *
 * A call that failed ends the session when its reply would have been sent; with `replyOrder: 'finished'`, when no other call is pending.
 * Until then no further call is made.
 */
import type { Reply } from '../../codec/reply.ts';
import type { YodelError } from '../../errors.ts';
import type { Message } from '../../framing/message.ts';
import { LinkedMember, LinkedSet } from '../../linked-set.ts';
import type { Fault } from '../fault.ts';
import { isPromise } from '../handler.ts';
import type { InFlight } from '../handling.ts';
import type { Outbox } from '../outbox.ts';
import type { MessageSource } from '../requests/message-list.ts';
import type { SessionSettings } from '../settings.ts';
import { isSliceOver } from '../time-slice.ts';
import { isAbort, reportLate } from './failures.ts';
import type { RunnableSession } from './runnable-session.ts';
import { costOf, keptReply } from './waiting-reply.ts';

/** What a call costs while it is not answered, besides its message: its promises, and what waits for them. */
const callCost = 512;

/** A batch of which messages are being handled: its memory is in use until all of them are answered. */
interface UsedBatch {
  readonly batch: MessageSource;
  /** What {@link Handling} counts. */
  readonly inFlight: InFlight;
  /** The number of its calls that are not answered, and what they cost. */
  calls: number;
  callCosts: number;
  /** Bytes of the batch's text, if the handler has read it. */
  textMemory: number;
}

/** How a call ended. */
type Outcome = { readonly reply: Reply } | { readonly thrown: unknown };

/** One call. */
class Call extends LinkedMember<Call> {
  readonly message: Message;
  readonly used: UsedBatch;
  /** When it began, in the time of {@link Clock.ran}; later by the time in which requests to the peer were pending. */
  calledAt: number;
  /** The same in the time of {@link Clock.now}, if a subscriber measures its duration; -1 if none did then. */
  readonly startedAt: number;
  /** What it costs until it is answered, and its reply while that waits. */
  cost = 0;
  replyCost = 0;
  /** Set while it waits for the calls before it. */
  outcome: Outcome | undefined;

  constructor(message: Message, used: UsedBatch, calledAt: number, startedAt: number) {
    super();
    this.message = message;
    this.used = used;
    this.calledAt = calledAt;
    this.startedAt = startedAt;
  }
}

/** Calls the handler with several messages at a time, and sends their replies. */
export class ConcurrentCalls {
  /** Counts the promises of the handler that were awaited. */
  awaited = 0;
  readonly #session: RunnableSession;
  readonly #outbox: Outbox;
  readonly #settings: SessionSettings;
  readonly #isOrdered: boolean;
  /** Whether a call ends by itself or is ended. */
  readonly #isTimeLimited: boolean;
  /** The batch whose messages are next. */
  #current: UsedBatch | undefined;
  /** Calls that are not answered, in the order of their messages. The first one is pending. */
  readonly #calls = new LinkedSet<Call>();
  #pending = 0;
  /** Bytes of the replies that wait. */
  #waitingBytes = 0;
  /** A call failed that is not answered yet, or has not ended the session yet. */
  #hasFailed = false;
  /** Failures that end the session when no call is pending. */
  readonly #failures: unknown[] = [];
  /** Handlers of all sessions work on so much that this one makes no further call before one of its calls settles. */
  #isShort = false;
  /** It is the turn of other sessions. */
  #hasYielded = false;
  #isAdvancing = false;
  #closed: { readonly error: YodelError | undefined } | undefined;

  constructor(session: RunnableSession, outbox: Outbox, settings: SessionSettings) {
    this.#session = session;
    this.#outbox = outbox;
    this.#settings = settings;
    this.#isOrdered = settings.limits.replyOrder === 'received';
    this.#isTimeLimited = settings.limits.handlerTimeout > 0 && !settings.handler.limitsItself;
  }

  /** Whether the next message must wait. */
  get isFull(): boolean {
    const { concurrency, highWaterMark } = this.#settings.limits;
    const isLimited = this.#pending >= concurrency || this.#waitingBytes > highWaterMark;
    return isLimited || this.#hasFailed || this.#isShort || this.#hasYielded;
  }

  /** Whether messages wait for {@link continue}. */
  get hasMessages(): boolean {
    return this.#current !== undefined;
  }

  /** Whether calls are not answered. */
  get isBusy(): boolean {
    return this.#calls.size > 0;
  }

  /** When the oldest pending call began, in the time of {@link Clock.ran}; undefined if there is none. */
  get oldest(): number | undefined {
    return this.#calls.first?.calledAt;
  }

  /** Bytes of the messages that wait. */
  get bytes(): number {
    return this.#current?.batch.byteLength ?? 0;
  }

  /** Bytes of memory that waiting messages and replies keep. A batch of which messages are being handled counts in `Handling`. */
  get memory(): number {
    const current = this.#current;
    return this.#waitingBytes + (current?.calls === 0 ? current.batch.memory : 0);
  }

  /**
   * Whether what follows the messages so far, with this effect, waits until the pending calls are answered. What may be sent in any
   * order does not wait for calls that may be pending for ever.
   */
  precede(effect: Fault['effect']): boolean {
    if (!this.isBusy || effect === 'disconnect') return false;
    return this.#isOrdered || (effect === 'close' && this.#isTimeLimited);
  }

  /** Whether this failure, instead of ending the session now, does so later. */
  postpone(thrown: unknown): boolean {
    const hasOthers = this.#failures.length > 0 || this.precede('close');
    if (this.#isOrdered || !hasOthers) return false;
    this.#failures.push(thrown);
    this.#hasFailed = true;
    return true;
  }

  /** Takes messages for {@link continue}. There must be none. */
  handle(batch: MessageSource): void {
    this.#current = { batch, inFlight: { bytes: 0, isAbandoned: false }, calls: 0, callCosts: 0, textMemory: 0 };
  }

  /** See {@link Runner.giveBack}. */
  giveBack(): MessageSource | undefined {
    const current = this.#current;
    if (!current || current.batch.count === 0) return undefined;
    this.#current = undefined;
    return current.batch;
  }

  /** See {@link Runner.extend}. */
  extend(since: number, until: number): void {
    for (const call of this.#calls) call.calledAt += until - Math.max(since, call.calledAt);
  }

  /** Calls the handler with the waiting messages, until none is left, or the calls or the peer make them wait. */
  continue(): void {
    const current = this.#current;
    if (!current) return;
    const { clock, running } = this.#settings;
    const calledAt = clock.ran();
    const { batch } = current;
    running[0] = this.#session.id;
    // `drop` clears `#current` when the session or its input ends.
    while (this.#current === current && !this.isFull) {
      const message = batch.shift();
      if (!message) break;
      this.#call(message, current, calledAt);
      // A handler may answer a few bytes with megabytes: send these before it produces more.
      if (this.#outbox.isFull) this.#session.flush();
      if (this.#outbox.blocked) break;
      if (batch.count > 0 && isSliceOver(clock)) this.#yield();
    }
    running[0] = 0;
    // A handler may keep its messages.
    batch.endBorrow();
    this.#count(current);
    if (batch.count > 0 || this.#current !== current) return;
    this.#current = undefined;
    this.#session.checkMessageLimit();
  }

  /** Discards the waiting messages, and the waiting replies if the session can no longer send. */
  drop(): void {
    this.#current = undefined;
    if (!this.#session.ended) return;
    this.#fail();
    for (const call of this.#calls) if (call.outcome) this.#answer(call, call.outcome);
  }

  /** The session is closed. What its handler still works on counts for `abandonedMs`. */
  close(error: YodelError | undefined, abandonedMs: number): void {
    this.#closed = { error };
    const { handling } = this.#settings.memoryLimit;
    for (const used of new Set(Array.from(this.#calls, (call) => call.used)))
      handling.abandon(used.inFlight, abandonedMs);
  }

  /** A call took too long: the outcomes of all are ignored. */
  abandon(error: YodelError): void {
    this.#closed = { error };
  }

  #call(message: Message, used: UsedBatch, calledAt: number): void {
    const { handler, telemetry, clock } = this.#settings;
    const call = new Call(message, used, calledAt, telemetry.timed ? clock.now() : -1);
    try {
      const reply = handler.message?.(message, this.#session);
      if (isPromise(reply)) this.#await(call, reply);
      else this.#finished(call, { reply });
    } catch (thrown) {
      this.#finished(call, { thrown });
    }
  }

  #await(call: Call, reply: Promise<Reply>): void {
    this.#add(call);
    this.#pending++;
    this.awaited++;
    this.#isShort = !this.#settings.memoryLimit.handling.hasSpaceFor(callCost);
    Promise.resolve(reply).then(
      (settled) => this.#settled(call, { reply: settled }),
      (thrown: unknown) => this.#settled(call, { thrown }),
    );
  }

  #settled(call: Call, outcome: Outcome): void {
    this.#pending--;
    this.#isShort = false;
    if (this.#closed) return this.#settledLate(call, outcome, this.#closed.error);
    this.#finished(call, outcome);
    if (this.#hasFailed && this.#pending === 0) this.#fail();
    this.#advanceSoon();
  }

  /** The session is closed, or was told that its handler took too long. */
  #settledLate(call: Call, outcome: Outcome, reason: YodelError | undefined): void {
    this.#remove(call);
    if (!('thrown' in outcome)) return this.#emitHandled(call);
    if (!isAbort(this.#session, outcome.thrown, reason))
      reportLate(outcome.thrown, this.#session, this.#settings.telemetry);
  }

  #finished(call: Call, outcome: Outcome): void {
    if ('reply' in outcome) this.#emitHandled(call);
    const { first } = this.#calls;
    if (this.#isOrdered && first && first !== call) return this.#wait(call, outcome);
    this.#answer(call, outcome);
    for (let next = this.#calls.first; next?.outcome; next = this.#calls.first) this.#answer(next, next.outcome);
  }

  /** Its turn is after the calls before it. */
  #wait(call: Call, outcome: Outcome): void {
    if (!this.#calls.has(call)) this.#add(call);
    if ('thrown' in outcome) this.#hasFailed = true;
    else outcome = this.#session.ended ? { reply: undefined } : this.#kept(call, outcome.reply);
    call.outcome = outcome;
  }

  /** Whatever a handler returned: what is no reply may throw here. */
  #kept(call: Call, reply: Reply): Outcome {
    try {
      const kept = keptReply(reply);
      call.replyCost = costOf(kept);
      this.#waitingBytes += call.replyCost;
      return { reply: kept };
    } catch (thrown) {
      this.#hasFailed = true;
      return { thrown };
    }
  }

  #answer(call: Call, outcome: Outcome): void {
    this.#remove(call);
    if ('thrown' in outcome) return this.#session.handlerFailed(outcome.thrown);
    try {
      if (!this.#session.ended) this.#outbox.reply(outcome.reply, call.message);
    } catch (thrown) {
      this.#session.handlerFailed(thrown);
    }
    if (this.#outbox.isFull) this.#session.flush();
  }

  #fail(): void {
    for (const thrown of this.#failures.splice(0)) this.#session.handlerFailed(thrown);
  }

  #add(call: Call): void {
    this.#calls.add(call);
    const { message, used } = call;
    const { textMemory, size } = message;
    // Of text that is not ASCII, each message has its own.
    call.cost = callCost + (textMemory > 0 ? 2 * size : 0);
    used.calls++;
    used.callCosts += call.cost;
    used.textMemory = Math.max(used.textMemory, textMemory);
    this.#count(used);
  }

  #remove(call: Call): void {
    if (!this.#calls.delete(call)) return;
    const { used } = call;
    this.#waitingBytes -= call.replyCost;
    used.calls--;
    used.callCosts -= call.cost;
    this.#count(used);
  }

  /** Says what its calls keep. */
  #count(used: UsedBatch): void {
    const bytes = used.calls === 0 ? 0 : used.batch.memory + used.textMemory + used.callCosts;
    this.#settings.memoryLimit.handling.set(used.inFlight, bytes);
  }

  #emitHandled({ startedAt }: Call): void {
    const { telemetry, clock } = this.#settings;
    if (telemetry.timed && startedAt !== -1) telemetry.emit('handled', this.#session, 1, clock.now() - startedAt);
  }

  /** Lets other sessions have their turn. */
  #yield(): void {
    this.#hasYielded = true;
    this.#settings.clock.soon(() => {
      this.#hasYielded = false;
      this.#session.turn();
    });
  }

  /** Goes on when all promises that are settled now have been answered, so that few turns and writes are for many of them. */
  #advanceSoon(): void {
    if (this.#isAdvancing) return;
    this.#isAdvancing = true;
    queueMicrotask(() => {
      this.#isAdvancing = false;
      if (!this.isFull && !this.#outbox.blocked) this.continue();
      // Earlier replies do not wait for a slow one.
      if (this.#pending > 0) this.#session.turnSoon();
      else this.#session.handlerSettled();
    });
  }
}
