/**
 * One conversation of a server: receive -> decode -> handle -> encode -> send, with its limits and deadlines.
 *
 * | State     | Input                | Output                    | Goes on to                                               |
 * |-----------|----------------------|---------------------------|----------------------------------------------------------|
 * | open      | decoded and queued   | replies                   | finishing: the peer ended, drain or close(); ending: a fault |
 * | finishing | discarded            | replies to what is queued | ending: when all of them are written                     |
 * | ending    | discarded            | what is unsent, then FIN  | closed: both ended, or lingerTimeout, or drainTimeout    |
 * | closed    | none                 | none                      |                                                          |
 *
 * One chunk in, one batch through, one write out: `data` decodes, `#run` handles, `#flush` writes, `#regulate` decides
 * whether to read on. All of it happens within the one call, unless a handler is asynchronous, a pace or a slow peer makes
 * messages wait: then they stay in the queue, and whatever ends the wait calls `#turn`.
 */
import type { Address } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Decoder, Encoding, Framing } from '../framing/framing.ts';
import { Batch, Message } from '../framing/message.ts';
import type { SessionLimits } from '../options.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Connection, Receiver } from '../transport/transport.ts';
import type { Clock, Timer } from './clock.ts';
import { tellError } from './error-reply.ts';
import type { HandlerObject, Reply, Session } from './handler.ts';
import { Output } from './output.ts';
import { Pace } from './pace.ts';

/** What all sessions of a server share. */
export interface SessionSettings {
  readonly framing: Framing;
  readonly encoding: Encoding;
  readonly handler: HandlerObject;
  readonly limits: SessionLimits;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
}

type State = 'open' | 'finishing' | 'ending' | 'closed';

/**
 * While draining, a session reads on until nothing more is ready, so that every message that had arrived is answered.
 * Against a peer that never stops sending: a kernel's receive buffer holds at most tcp_rmem's maximum, which is 6 MiB by
 * Linux' default and 32 MiB where it was raised, so after this much all that had arrived before has been read.
 */
const drainReadLimit = 33_554_432;

/** The server's side of one connection. */
export class ServerSession implements Session, Receiver {
  readonly id: number;
  readonly peer: Address;
  readonly local: Address;
  messagesReceived = 0;
  messagesSent = 0;
  bytesReceived = 0;
  bytesSent = 0;

  readonly #connection: Connection;
  readonly #settings: SessionSettings;
  readonly #decoder: Decoder;
  readonly #pace: Pace;
  readonly #output = new Output();
  readonly #whenClosed: (session: ServerSession) => void;

  #state: State = 'open';
  /** Batches that are not handled yet, in order; a fault stands at the end of its batch. */
  #queue: Batch[] = [];
  #queuedBytes = 0;
  /** What is wrong with the input behind all that is queued. */
  #lastFault: YodelError | undefined;
  /** The messages of the first batch that were admitted and await their turn, for handlers that take one at a time. */
  #current: Batch | undefined;
  /** A handler's promise is pending. */
  #waiting = false;
  /** The peer is behind by more than highWaterMark. */
  #blocked = false;
  #paused = false;
  #turnDue = false;
  /** While draining: bytes read since. -1 when not. */
  #drainRead = -1;
  /** How the peer's frames look, learned from the first one: for what is sent without a message to answer. */
  #shape: Uint8Array | undefined;
  #shapeLearned = false;
  #error: YodelError | undefined;
  #data: Record<string, unknown> | undefined;
  #aborter: AbortController | undefined;
  #caughtUp: (() => void)[] = [];

  // Deadlines are times of the clock; 0 is none. One timer serves them all: it is armed for the earliest when it goes off
  // or an earlier one appears, never for each message.
  #timer: Timer | undefined;
  #timerAt = 0;
  /** When the peer last sent or took something, or something was still owed to it. */
  #lastActive: number;
  #messageBegan = 0;
  #lastTaken = 0;
  #lingerUntil = 0;
  #paceAt = 0;

  constructor(
    id: number,
    connection: Connection,
    settings: SessionSettings,
    whenClosed: (session: ServerSession) => void,
  ) {
    const { framing, encoding, limits, clock } = settings;
    this.id = id;
    this.peer = connection.peer;
    this.local = connection.local;
    this.#connection = connection;
    this.#settings = settings;
    this.#whenClosed = whenClosed;
    this.#decoder = framing.createDecoder({ ...limits, encoding });
    this.#lastActive = clock.now();
    const burst = limits.ratePolicy === 'close' ? Math.max(1, limits.rate) : 1;
    this.#pace = new Pace(limits.rate, burst, this.#lastActive);
  }

  /** Begins the conversation. */
  start(): void {
    const { telemetry, handler } = this.#settings;
    telemetry.counters.connectionsAccepted++;
    telemetry.counters.connectionsOpen++;
    if (telemetry.watched) telemetry.emit('opened', this);
    this.#connection.start(this);
    if (handler.open) this.#call(() => handler.open?.(this));
    this.#settle();
  }

  // What a handler may do -------------------------------------------------------------------------------------------

  get data(): Record<string, unknown> {
    this.#data ??= {};
    return this.#data;
  }

  get signal(): AbortSignal {
    if (!this.#aborter) {
      this.#aborter = new AbortController();
      if (this.#state === 'closed') this.#aborter.abort();
    }
    return this.#aborter.signal;
  }

  get ended(): boolean {
    return this.#state === 'ending' || this.#state === 'closed';
  }

  send(message: string | Uint8Array | Message): boolean {
    if (this.ended) return false;
    this.#append(message, this.#shape);
    this.#turnSoon();
    return this.#connection.unsent + this.#output.size <= this.#settings.limits.highWaterMark;
  }

  drained(): Promise<void> {
    const isBehind = () => this.#connection.unsent + this.#output.size > this.#settings.limits.highWaterMark;
    if (this.ended || !isBehind()) return Promise.resolve();
    return new Promise((resolve) => this.#caughtUp.push(resolve));
  }

  close(): void {
    if (this.ended) return;
    this.#dropQueue();
    this.#state = 'finishing';
    this.#turnSoon();
  }

  abort(): void {
    if (this.#state === 'closed') return;
    this.#state = 'ending';
    this.#dropQueue();
    this.#output.clear();
    this.#connection.abort();
  }

  // What the server may do ------------------------------------------------------------------------------------------

  /** Takes no new input beyond what has arrived by now, answers all of it, and ends. */
  drain(): void {
    if (this.#state !== 'open' || this.#drainRead !== -1) return;
    this.#drainRead = 0;
    this.#watchForQuiet();
  }

  /** Breaks the session off because of `error`, unless it was only waiting for its peer to end as well. */
  breakOff(error: YodelError): void {
    // Nothing is lost any more, but a reset could still destroy the last replies on their way.
    if (this.#isDone) return this.#connection.release();
    this.#error ??= error;
    this.abort();
  }

  // What the connection tells ---------------------------------------------------------------------------------------

  /** @internal */
  onData(bytes: Uint8Array): void {
    const { clock, handler, telemetry } = this.#settings;
    this.bytesReceived += bytes.length;
    telemetry.counters.bytesReceived += bytes.length;
    if (this.#state !== 'open') return;
    this.#lastActive = clock.now();
    if (this.#drainRead !== -1) this.#drainRead += bytes.length;
    // Messages belong to their handler for good, a batch only for the call: what has to wait is copied.
    const lent = this.#connection.lendsChunks;
    const mustWait = this.#waiting || this.#blocked || this.#queue.length > 0;
    const copies = lent && (handler.message !== undefined || mustWait);
    this.#decode(copies ? Buffer.from(bytes) : bytes);
    this.#run();
    if (lent && !copies) for (const batch of this.#queue) batch.keep();
    this.#settle();
    if (this.#drainRead > drainReadLimit) this.#finish();
  }

  /** @internal */
  onEnd(): void {
    if (this.#state !== 'open') return;
    this.#enqueue(this.#decoder.end());
    this.#finish();
    this.#run();
    this.#settle();
  }

  /** @internal */
  onDrain(): void {
    const { highWaterMark, lingerTimeout } = this.#settings.limits;
    this.#lastTaken = this.#settings.clock.now();
    this.#lastActive = this.#lastTaken;
    this.#lingerUntil = this.#lastTaken + lingerTimeout;
    // Half of it, so that a slow peer costs one pause per half a mark and not one per message.
    if (this.#connection.unsent > highWaterMark / 2) return;
    this.#blocked = false;
    this.#letWaitersOn();
    this.#turn();
  }

  /** @internal */
  onClose(cause?: Error): void {
    const { telemetry } = this.#settings;
    if (cause && !this.#isDone) this.#error ??= this.#brokenBy(cause);
    this.#state = 'closed';
    this.#dropQueue();
    this.#output.clear();
    this.#timer?.cancel();
    this.#letWaitersOn();
    telemetry.counters.connectionsOpen--;
    if (this.#error) telemetry.countError(this.#error);
    if (telemetry.watched) telemetry.emit('closed', this, this.#error);
    this.#aborter?.abort(this.#error);
    this.#whenClosed(this);
    this.#callClose();
  }

  #callClose(): void {
    try {
      const done = this.#settings.handler.close?.(this, this.#error);
      if (isPromise(done)) done.then(undefined, (thrown: unknown) => this.#handlerFailedLate(thrown));
    } catch (thrown) {
      this.#handlerFailedLate(thrown);
    }
  }

  /** All that was due has been sent, and so has the FIN. */
  get #isDone(): boolean {
    return this.#state === 'ending' && this.#connection.unsent === 0;
  }

  // Receive and decode ----------------------------------------------------------------------------------------------

  #decode(bytes: Uint8Array): void {
    const began = this.#messageBegan;
    let completed = false;
    for (let rest: Uint8Array | undefined = bytes; rest; ) {
      const batch: Batch = this.#decoder.decode(rest);
      completed ||= batch.count > 0 || batch.fault !== undefined;
      this.#enqueue(batch);
      rest = batch.rest;
    }
    if (this.#decoder.pending === 0) this.#messageBegan = 0;
    else if (began === 0 || completed) this.#messageBegan = this.#lastActive;
  }

  #enqueue(batch: Batch): void {
    if (batch.count === 0 && !batch.fault) return;
    this.#queue.push(batch);
    this.#queuedBytes += batch.byteLength;
  }

  #dropQueue(): void {
    this.#queue = [];
    this.#queuedBytes = 0;
    this.#current = undefined;
    this.#lastFault = undefined;
  }

  // Handle ----------------------------------------------------------------------------------------------------------

  /** Goes on with whatever can be done now, and writes what came of it. */
  #turn(): void {
    this.#run();
    this.#settle();
  }

  #turnSoon(): void {
    if (this.#turnDue) return;
    this.#turnDue = true;
    this.#settings.clock.soon(() => {
      this.#turnDue = false;
      this.#turn();
    });
  }

  /** Handles queued messages until none is left or something makes them wait. */
  #run(): void {
    while (!this.#waiting && !this.#blocked && !this.ended) {
      if (this.#current) {
        this.#handleNext(this.#current);
        continue;
      }
      const batch = this.#queue[0];
      if (!batch) break;
      if (batch.count > 0) {
        const admitted = this.#admit(batch);
        if (!admitted) break;
        this.#handle(admitted);
      } else {
        this.#queue.shift();
        if (this.#queue.length === 0) this.#queuedBytes = 0;
        if (batch.fault) this.#meetFault(batch.fault);
      }
    }
    const allHandled = this.#queue.length === 0 && !this.#current && !this.#waiting;
    if (this.#state !== 'finishing' || !allHandled) return;
    if (this.#lastFault) this.#fail(this.#lastFault);
    else this.#end();
  }

  /** As many messages as the pace and maxMessages allow now; with none, arranges that it goes on later. */
  #admit(batch: Batch): Batch | undefined {
    const { limits, clock } = this.#settings;
    const { maxMessages, rate, ratePolicy } = limits;
    const allowed = maxMessages === 0 ? batch.count : Math.min(batch.count, maxMessages - this.messagesReceived);
    if (allowed === 0) {
      this.#fail(
        new YodelError('YODEL_TOO_MANY_MESSAGES', `this connection has been served ${maxMessages} messages, its limit`),
      );
      return undefined;
    }
    const admitted = rate === 0 ? allowed : this.#pace.admit(allowed, clock.now());
    if (admitted === 0) {
      if (ratePolicy === 'delay') this.#paceAt = this.#pace.due;
      else this.#fail(new YodelError('YODEL_RATE_EXCEEDED', `more than ${rate} messages a second`));
      return undefined;
    }
    if (admitted === batch.count && !batch.fault) {
      this.#queue.shift();
      this.#queuedBytes -= batch.byteLength;
      return batch;
    }
    const part = batch.take(admitted);
    this.#queuedBytes -= part.byteLength;
    return part;
  }

  #handle(batch: Batch): void {
    const { telemetry, handler, framing } = this.#settings;
    this.messagesReceived += batch.count;
    telemetry.counters.messagesReceived += batch.count;
    if (telemetry.watched) telemetry.emit('received', this, batch);
    if (!this.#shapeLearned) {
      this.#shapeLearned = true;
      const [first] = batch;
      this.#shape = first && framing.encoder.shapeOf(first);
    }
    if (handler.batch) {
      this.#call(() => this.#handleBatch(batch));
      this.#checkMessageLimit();
    } else if (handler.message) this.#current = batch;
    else this.#checkMessageLimit();
  }

  #handleBatch(batch: Batch): Reply | Promise<Reply> {
    const reply = this.#settings.handler.batch?.(batch, this);
    // It may be sent back when its lent bytes are long gone.
    if (this.#connection.lendsChunks && isPromise(reply)) batch.keep();
    return reply;
  }

  #handleNext(current: Batch): void {
    const message = current.shift();
    if (current.count === 0) this.#current = undefined;
    if (!message) return;
    const { handler } = this.#settings;
    this.#call(() => handler.message?.(message, this), message);
    if (!this.#current) this.#checkMessageLimit();
    // A handler may answer a few bytes with megabytes: what it has said leaves before it says more.
    if (this.#output.size >= this.#settings.limits.highWaterMark) this.#flush();
  }

  /** Calls the handler, sends its reply or waits for it. */
  #call(handle: () => Reply | Promise<Reply>, message?: Message): void {
    try {
      const reply = handle();
      if (isPromise(reply)) this.#wait(reply, message);
      else this.#reply(reply, message);
    } catch (thrown) {
      this.#handlerFailed(thrown);
    }
  }

  #wait(reply: Promise<Reply>, message: Message | undefined): void {
    this.#waiting = true;
    const goOn = (finish: () => void) => {
      this.#waiting = false;
      this.#lastActive = this.#settings.clock.now();
      finish();
      this.#run();
      // The rest of the batch may be answered within the same turn: then all of it leaves in one write.
      this.#turnSoon();
    };
    // Not `reply.then`: what is no real promise may call back at once, and then again.
    Promise.resolve(reply).then(
      (value) => {
        if (this.#state === 'closed') return;
        goOn(() => {
          try {
            this.#reply(value, message);
          } catch (thrown) {
            this.#handlerFailed(thrown);
          }
        });
      },
      (thrown: unknown) => {
        if (this.#state !== 'closed') goOn(() => this.#handlerFailed(thrown));
        else if (!this.#isAbort(thrown)) this.#handlerFailedLate(thrown);
      },
    );
  }

  /** Whether a handler that was waiting failed only because its session is over, as `signal` told it. */
  #isAbort(thrown: unknown): boolean {
    return thrown instanceof Error && (thrown === this.#error || thrown.name === 'AbortError');
  }

  #handlerFailed(thrown: unknown): void {
    const error = handlerFailure(thrown);
    this.#settings.telemetry.handlerFailed(this, error);
    this.#fail(error);
  }

  /** The session is over, and has been counted: the failure can only be told. */
  #handlerFailedLate(thrown: unknown): void {
    const error = handlerFailure(thrown);
    this.#settings.telemetry.countError(error);
    this.#settings.telemetry.handlerFailed(this, error);
  }

  /** After the last message that is served the session ends, unless more of them are waiting to be refused. */
  #checkMessageLimit(): void {
    const { maxMessages } = this.#settings.limits;
    if (maxMessages > 0 && this.messagesReceived >= maxMessages && this.#queue.length === 0) this.#finish();
  }

  // Faults and ends -------------------------------------------------------------------------------------------------

  #meetFault(fault: YodelError): void {
    const { limits, telemetry } = this.#settings;
    if (fault.code !== 'YODEL_MESSAGE_TOO_LONG' || limits.onTooLong === 'close') return this.#fail(fault);
    telemetry.countError(fault);
    if (telemetry.watched) telemetry.emit('discarded', this, fault);
    this.#tell(fault);
  }

  /** Ends the session because of `error`, of which the peer is told in its own framing. */
  #fail(error: YodelError): void {
    if (this.ended) return;
    this.#error ??= error;
    this.#dropQueue();
    this.#tell(error);
    this.#end();
  }

  #tell(error: YodelError): void {
    tellError(error, (text) => this.#append(text, this.#shape));
  }

  /** Takes no more input. What is queued will still be answered. */
  #finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finishing';
    this.#turnSoon();
  }

  /** Writes what is left, then FIN. */
  #end(): void {
    if (this.ended) return;
    this.#state = 'ending';
    this.#dropQueue();
    this.#flush();
    this.#connection.end();
    this.#letWaitersOn();
    this.#lingerUntil = this.#settings.clock.now() + this.#settings.limits.lingerTimeout;
  }

  /**
   * Ends the input once nothing more is ready to be read: after two turns of the event loop in which this session could
   * have read and got nothing, whatever had arrived before has been read.
   */
  #watchForQuiet(quietTurns = 0, readBefore = this.#drainRead): void {
    this.#settings.clock.soon(() => {
      if (this.#state !== 'open') return;
      // `#settle` comes back here when reading goes on.
      if (this.#paused) return;
      const quiet = this.#drainRead === readBefore ? quietTurns + 1 : 0;
      if (quiet < 2) this.#watchForQuiet(quiet);
      else this.#finish();
    });
  }

  #brokenBy(cause: Error): YodelError {
    const { pending } = this.#decoder;
    const inside = pending > 0 ? ` in the middle of a message, after ${pending} bytes of it` : '';
    const unsent = this.#connection.unsent + this.#output.size;
    const lost = unsent > 0 ? `; ${unsent} bytes of replies were not sent` : '';
    const error = systemError(`connection broken${inside}`, cause);
    return new YodelError(error.code, `${error.message}${lost}`, { cause });
  }

  // Encode and send -------------------------------------------------------------------------------------------------

  #reply(reply: Reply, message: Message | undefined): void {
    if (reply === undefined || reply === null || this.ended) return;
    if (reply instanceof Batch) {
      this.#output.appendBatch(reply);
      this.#countSent(reply.count);
    } else if (typeof reply === 'string' || reply instanceof Uint8Array || reply instanceof Message) {
      const { encoder } = this.#settings.framing;
      this.#append(reply, (message && encoder.shapeOf(message)) ?? this.#shape);
    } else if (Array.isArray(reply)) {
      for (const one of reply as readonly Reply[]) this.#reply(one, message);
    } else throw new TypeError(`a handler cannot reply with ${describeValue(reply)}; ${replyForms}`);
  }

  #append(message: string | Uint8Array | Message, shape: Uint8Array | undefined): void {
    if (message instanceof Message) this.#output.appendFrame(message);
    else this.#output.appendMessage(this.#settings.framing.encoder, message, shape);
    this.#countSent(1);
  }

  #countSent(count: number): void {
    this.messagesSent += count;
    this.#settings.telemetry.counters.messagesSent += count;
  }

  #flush(): void {
    const { telemetry, limits, clock } = this.#settings;
    if (this.#output.size === 0) return;
    const before = this.#connection.unsent;
    this.bytesSent += this.#output.size;
    telemetry.counters.bytesSent += this.#output.size;
    for (const bytes of this.#output.take()) this.#connection.write(bytes);
    const { unsent } = this.#connection;
    if (unsent > 0 && before === 0) this.#lastTaken = clock.now();
    if (unsent > limits.highWaterMark) this.#blocked = true;
    // What never had to wait is not told by onDrain.
    else if (!this.#blocked) this.#letWaitersOn();
  }

  // After every event -----------------------------------------------------------------------------------------------

  /** Writes, decides whether to read on, and sees to the deadlines. */
  #settle(): void {
    if (this.#state === 'closed') return;
    this.#flush();
    const behind = this.#blocked || this.#queuedBytes > this.#settings.limits.highWaterMark;
    // Once no input is taken any more it is still read, and dropped: unread bytes would make the closing a reset.
    const pause = behind && this.#state === 'open';
    if (pause && !this.#paused) this.#connection.pause();
    if (!pause && this.#paused) {
      this.#connection.resume();
      // The peer could not go on while it was not read: its time begins anew.
      this.#lastActive = this.#settings.clock.now();
      if (this.#messageBegan !== 0) this.#messageBegan = this.#lastActive;
      if (this.#drainRead !== -1) this.#watchForQuiet();
    }
    this.#paused = pause;
    this.#arm();
  }

  #letWaitersOn(): void {
    const waiters = this.#caughtUp;
    if (waiters.length === 0) return;
    this.#caughtUp = [];
    for (const resolve of waiters) resolve();
  }

  /** The earliest time at which something is due; Infinity when nothing is. */
  #nextDeadline(): number {
    const { idleTimeout, messageTimeout, drainTimeout } = this.#settings.limits;
    const { unsent } = this.#connection;
    let next = Number.POSITIVE_INFINITY;
    if (unsent > 0 && drainTimeout > 0) next = this.#lastTaken + drainTimeout;
    if (this.#state === 'ending' && unsent === 0) next = Math.min(next, this.#lingerUntil);
    if (this.#paceAt > 0) next = Math.min(next, this.#paceAt);
    if (this.#state !== 'open' || this.#paused) return next;
    if (this.#messageBegan > 0 && messageTimeout > 0) next = Math.min(next, this.#messageBegan + messageTimeout);
    const owesNothing = unsent === 0 && !this.#waiting && this.#queue.length === 0;
    if (owesNothing && idleTimeout > 0) next = Math.min(next, this.#lastActive + idleTimeout);
    return next;
  }

  #arm(): void {
    const next = this.#nextDeadline();
    if (next === Number.POSITIVE_INFINITY || (this.#timer && this.#timerAt <= next)) return;
    this.#timer?.cancel();
    this.#timerAt = next;
    const delay = Math.max(1, Math.ceil(next - this.#settings.clock.now()));
    this.#timer = this.#settings.clock.after(delay, () => {
      this.#timer = undefined;
      this.#meetDeadlines();
    });
  }

  #meetDeadlines(): void {
    const now = this.#settings.clock.now();
    if (this.#nextDeadline() > now) return this.#arm();
    const { idleTimeout, messageTimeout, drainTimeout } = this.#settings.limits;
    const { unsent } = this.#connection;
    if (this.#paceAt > 0 && now >= this.#paceAt) {
      this.#paceAt = 0;
      this.#lastActive = now;
      this.#turn();
    } else if (unsent > 0 && drainTimeout > 0 && now >= this.#lastTaken + drainTimeout) {
      this.breakOff(
        new YodelError(
          'YODEL_DRAIN_TIMEOUT',
          `took nothing for ${seconds(drainTimeout)}, with ${unsent} bytes waiting for it`,
        ),
      );
    } else if (this.#state === 'ending') {
      this.#connection.release();
    } else if (this.#messageBegan > 0 && messageTimeout > 0 && now >= this.#messageBegan + messageTimeout) {
      this.#messageBegan = 0;
      this.#lastFault = new YodelError(
        'YODEL_MESSAGE_TIMEOUT',
        `a message was not finished within ${seconds(messageTimeout)} of its first byte`,
      );
      this.#finish();
    } else {
      this.#fail(new YodelError('YODEL_IDLE_TIMEOUT', `nothing was received for ${seconds(idleTimeout)}`));
      this.#settle();
    }
  }
}

const replyForms = 'it takes text, bytes, a message, a batch, an array of these, or nothing';

function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof (value as { then?: unknown } | null | undefined)?.then === 'function';
}

/** The peer gets to know nothing of the handler's insides: only `cause` tells of them. */
function handlerFailure(thrown: unknown): YodelError {
  return new YodelError('YODEL_HANDLER_FAILED', 'the handler failed on the server', { cause: thrown });
}

function describeValue(value: unknown): string {
  const text = typeof value === 'object' ? 'an object' : String(value);
  return `${text} (${typeof value})`;
}

function seconds(milliseconds: number): string {
  return milliseconds % 1000 === 0 ? `${milliseconds / 1000} s` : `${milliseconds} ms`;
}
