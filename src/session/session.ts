/**
 * One conversation of a server: receive -> decode -> handle -> encode -> send, with its limits and deadlines.
 *
 * | State     | Input                | Output                    | Goes on to                                               |
 * |-----------|----------------------|---------------------------|----------------------------------------------------------|
 * | open      | decoded and queued   | replies                   | finishing: the peer ended, drain or close(); ending: a fault |
 * | finishing | discarded            | replies to what is queued | ending: when they are written, and the handler's `end` is done |
 * | ending    | discarded            | what is unsent, then FIN  | closed: both ended, or lingerTimeout, or drainTimeout    |
 * | closed    | none                 | none                      |                                                          |
 *
 * A handler may end the output before (`end()`): then open and finishing go on without replies.
 *
 * One chunk in, one batch through, one write out: `onData` decodes into the intake, `#run` handles, `#settle` writes the
 * outbox and decides whether to read on. All of it happens within the one call, unless a handler is asynchronous, a pace or a slow peer makes
 * messages wait: then they stay in the intake, and whatever ends the wait calls `#turn`. Where there is a journal, messages
 * wait a second time, behind the intake, until they are recorded.
 */
import type { Address } from '../address.ts';
import { systemError, YodelError } from '../errors.ts';
import { formatDuration } from '../format/figures.ts';
import type { Encoding, Framing } from '../framing/framing.ts';
import { Batch, Message } from '../framing/message.ts';
import type { Linked } from '../linked-set.ts';
import type { SessionLimits } from '../options.ts';
import type { EndedBy, Telemetry } from '../telemetry/telemetry.ts';
import type { Connection, Receiver, Security } from '../transport/transport.ts';
import type { Clock } from './clock.ts';
import { DeadlineTimer } from './deadline-timer.ts';
import { tellError } from './error-reply.ts';
import { type HandlerObject, isPromise, type Reply, type Session } from './handler.ts';
import { Intake } from './intake.ts';
import { type Journaled, Journaling, type SessionJournal } from './journaling.ts';
import type { MemoryLimit, MemoryUser } from './memory-limit.ts';
import { Outbox } from './outbox.ts';
import { RateLimit } from './rate-limit.ts';

/** What all sessions of a server share. */
export interface SessionSettings {
  readonly framing: Framing;
  readonly encoding: Encoding;
  readonly handler: HandlerObject;
  readonly limits: SessionLimits;
  readonly telemetry: Telemetry;
  readonly clock: Clock;
  readonly memoryLimit: MemoryLimit;
  /** Where messages are recorded before they are handled. */
  readonly journal: SessionJournal | undefined;
}

type State = 'open' | 'finishing' | 'ending' | 'closed';

/**
 * While draining, a session reads on until nothing more is ready, so that every message that had arrived is answered.
 * Against a peer that never stops sending: a kernel's receive buffer holds at most tcp_rmem's maximum, which is 6 MiB by
 * Linux' default and 32 MiB where it was raised, so after this much all that had arrived before has been read.
 */
const drainReadLimit = 33_554_432;

/** The server's side of one connection. */
export class ServerSession implements Session, Journaled, Receiver, MemoryUser, Linked<ServerSession> {
  readonly id: number;
  readonly peer: Address;
  /** @internal */
  readonly wire: Framing;
  messagesReceived = 0;
  bytesReceived = 0;
  /** @internal Bytes that wait on account of this session, as the ceiling of all sessions knows it. */
  held = 0;

  /** @internal Its place among the server's sessions. */
  memberOf: object | undefined;
  /** @internal */
  previousMember: ServerSession | undefined;
  /** @internal */
  nextMember: ServerSession | undefined;

  readonly #connection: Connection;
  readonly #settings: SessionSettings;
  readonly #intake: Intake;
  readonly #outbox: Outbox;
  /** None where there is no journal. */
  readonly #journaling: Journaling | undefined;
  /** None where there is no pace to keep. */
  readonly #rateLimit: RateLimit | undefined;
  readonly #alarm: DeadlineTimer;
  readonly #whenClosed: (session: ServerSession) => void;

  #state: State = 'open';
  /** The messages that were admitted and await their turn, for handlers that take one at a time. */
  #current: Batch | undefined;
  /** The message whose reply is awaited. */
  #asked: Message | undefined;
  /** When the handler was called whose reply is awaited, where somebody wants to know how long it takes. */
  #askedAt = 0;
  /** The batch that was handled last: its memory can be used again once its bytes have left. */
  #handled: Batch | undefined;
  /** What is wrong with the input behind all that is queued. */
  #lastFault: YodelError | undefined;
  /** A handler's promise is pending. */
  #waiting = false;
  #paused = false;
  /** All sessions together hold too much, and this one is among the greedy: its peer is not read. */
  #restrained = false;
  #turnDue = false;
  /** The handler sends no more: false, or whether the FIN is still to come, or sent. */
  #outputEnd: false | 'due' | 'sent' = false;
  /** The handler was told that no more messages will come. */
  #inputEndTold = false;
  /** Both sides had ended while messages still waited for the handler. */
  #isGone = false;
  /** While draining: bytes read since, and how long it may go on. -1 when not. */
  #drainRead = -1;
  #drainUntil = 0;
  /** Who was the first to end it; undefined as long as nobody was. */
  #endedBy: EndedBy | undefined;
  /** Why the session ends, when it is not as both sides wished. */
  #error: YodelError | undefined;
  #data: Record<string, unknown> | undefined;
  #aborter: AbortController | undefined;

  // Times of the clock.
  readonly #began: number;
  /** When the peer last sent or took something, or something was still owed to it. */
  #lastActive: number;
  /** When the peer last took something of what waits for it, or it began to wait. */
  #lastTaken = 0;
  #lingerUntil = 0;
  /** When the pace allows the next message; 0 when none waits for it. */
  #paceAt = 0;

  constructor(
    id: number,
    connection: Connection,
    settings: SessionSettings,
    whenClosed: (session: ServerSession) => void,
  ) {
    const { encoding, limits, clock } = settings;
    const framing = connection.framing ?? settings.framing;
    this.id = id;
    this.wire = framing;
    this.peer = connection.peer;
    this.#connection = connection;
    this.#settings = settings;
    this.#whenClosed = whenClosed;
    this.#intake = new Intake(framing.createDecoder({ ...limits, encoding }));
    const { telemetry, journal } = settings;
    this.#journaling = journal && new Journaling(journal, this, () => this.#turn());
    const overhear = telemetry.overheard ? (bytes: Uint8Array) => telemetry.emit('sent', this, bytes) : undefined;
    this.#outbox = new Outbox(connection, framing.encoder, limits.highWaterMark, telemetry.counters, overhear);
    this.#began = clock.now();
    this.#lastActive = this.#began;
    const burst = limits.ratePolicy === 'close' ? Math.max(1, limits.rate) : 1;
    this.#rateLimit = limits.rate === 0 ? undefined : new RateLimit(limits.rate, burst, this.#lastActive);
    this.#alarm = new DeadlineTimer(clock, () => this.#meetDeadlines());
  }

  /** Begins the conversation. */
  start(): void {
    const { telemetry, handler } = this.#settings;
    telemetry.counters.connectionsAccepted++;
    telemetry.counters.connectionsOpen++;
    if (telemetry.watched) telemetry.emit('opened', this);
    this.#connection.start(this);
    if (handler.open) this.#callOpen(handler);
    this.#settle();
  }

  get local(): Address {
    return this.#connection.local;
  }

  get security(): Security | undefined {
    return this.#connection.security;
  }

  get unsent(): number {
    return this.#outbox.unsent;
  }

  get queued(): number {
    return this.#intake.bytes + (this.#journaling?.bytes ?? 0) + (this.#current?.byteLength ?? 0);
  }

  get messagesSent(): number {
    return this.#outbox.messages;
  }

  get bytesSent(): number {
    return this.#outbox.bytes;
  }

  get durationMs(): number {
    return this.#settings.clock.now() - this.#began;
  }

  get endedBy(): EndedBy {
    return this.#endedBy ?? 'peer';
  }

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

  get framing(): Framing {
    return this.#settings.framing;
  }

  get carriesMessages(): boolean {
    return this.#connection.framing !== undefined;
  }

  get ended(): boolean {
    return this.#isOver() || this.#outputEnd !== false;
  }

  // Methods: V8 leaves its compiled code for each private getter, which costs 5 ns.

  /** Nothing is handled any more. */
  #isOver(): boolean {
    return this.#state === 'ending' || this.#state === 'closed';
  }

  send(message: string | Uint8Array | Message | Batch, to?: Message): boolean {
    if (this.ended) return false;
    // It leaves with the next turn: by then another session's batch may be gone.
    if (message instanceof Batch) this.#outbox.reply(message.copied(), undefined);
    else this.#outbox.append(message instanceof Message ? message.kept() : message, this.#outbox.shapeOf(to));
    this.#turnSoon();
    return !this.#outbox.isBehind;
  }

  write(bytes: Uint8Array, messages = 0): boolean {
    if (this.ended) return false;
    this.#outbox.appendBytes(Buffer.from(bytes), messages);
    this.#turnSoon();
    return !this.#outbox.isBehind;
  }

  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array {
    return this.#outbox.frameOf(message, to);
  }

  drained(): Promise<void> {
    return this.ended ? Promise.resolve() : this.#outbox.caughtUp();
  }

  end(): void {
    if (this.ended) return;
    this.#outputEnd = 'due';
    this.#turnSoon();
  }

  close(error?: YodelError): void {
    if (this.#isOver()) return;
    this.#endedBy ??= 'handler';
    if (error) this.#fail(error);
    else {
      this.#dropInput();
      this.#state = 'finishing';
    }
    this.#turnSoon();
  }

  abort(error?: YodelError): void {
    if (this.#state === 'closed') return;
    this.#endedBy ??= 'handler';
    if (error) this.#error ??= error;
    this.#state = 'ending';
    this.#dropInput();
    this.#outbox.clear();
    this.#connection.abort();
    this.#hold(0);
    if (this.#isGone) this.#close(undefined);
  }

  /** Takes no new input beyond what has arrived by now, answers all of it, and ends. Reads for `withinMs` at the most. */
  drain(withinMs: number): void {
    if (this.#state !== 'open' || this.#drainRead !== -1) return;
    this.#endedBy ??= 'shutdown';
    this.#drainRead = 0;
    this.#drainUntil = this.#settings.clock.now() + withinMs;
    this.#watchForQuiet();
  }

  /** Breaks the session off because of `error`, unless it was only waiting for its peer to end as well. */
  breakOff(error: YodelError): void {
    // Nothing is lost any more, but a reset could still destroy the last replies on their way.
    if (this.#isDone()) return this.#connection.release();
    this.#error ??= error;
    this.abort();
  }

  /** @internal */
  get owes(): boolean {
    return this.queued + this.unsent > 0;
  }

  /** @internal */
  restrain(restrained: boolean): void {
    this.#restrained = restrained;
    // Not from within the turn of another session.
    this.#turnSoon();
  }

  /** @internal */
  giveUp(error: YodelError): void {
    this.breakOff(error);
    this.#hold(0);
  }

  /** @internal */
  onData(bytes: Uint8Array): void {
    const { clock, telemetry } = this.#settings;
    this.bytesReceived += bytes.length;
    telemetry.counters.bytesReceived += bytes.length;
    if (this.#state !== 'open') return;
    this.#lastActive = clock.now();
    if (this.#drainRead !== -1) this.#drainRead += bytes.length;
    const mustWait = this.#waiting || this.#outbox.blocked || !this.#intake.isEmpty || this.#journaling !== undefined;
    // What has to wait is copied now; what is handled now copies itself where it has to outlive the call.
    const { chunksAreBorrowed } = this.#connection;
    const isBorrowed = chunksAreBorrowed && !mustWait;
    this.#intake.decode(chunksAreBorrowed && mustWait ? Buffer.from(bytes) : bytes, this.#lastActive, isBorrowed);
    this.#run();
    if (isBorrowed) this.#intake.keep();
    this.#settle();
    const isDraining = this.#drainRead !== -1;
    if (isDraining && (this.#drainRead > drainReadLimit || this.#lastActive >= this.#drainUntil)) this.#finish();
  }

  /** @internal */
  onUnfinished(bytes: number): void {
    this.#lastActive = this.#settings.clock.now();
    this.#intake.awaits(bytes, this.#lastActive);
    this.#settle();
  }

  /** @internal */
  onEnd(): void {
    if (this.#state !== 'open') return;
    this.#endedBy ??= 'peer';
    this.#intake.end();
    this.#finish();
    this.#run();
    this.#settle();
  }

  /** @internal */
  onDrain(): void {
    this.#lastTaken = this.#settings.clock.now();
    this.#lastActive = this.#lastTaken;
    this.#lingerUntil = this.#lastTaken + this.#settings.limits.lingerTimeout;
    if (this.#outbox.taken()) this.#turn();
    else this.#hold(this.#intake.pending + this.queued + this.unsent);
  }

  /** @internal */
  onClose(cause?: Error): void {
    const hasMore = this.#waiting || this.#hasMessages();
    // Both sides have ended in order, but the peer has sent messages before: they are still handled.
    if (!cause && this.#outputEnd !== false && this.#state === 'finishing' && hasMore) this.#isGone = true;
    else this.#close(cause);
  }

  #close(cause: Error | undefined): void {
    const { telemetry } = this.#settings;
    if (cause && !this.#isDone()) this.#error ??= this.#brokenBy(cause);
    this.#state = 'closed';
    this.#dropInput();
    this.#outbox.clear();
    this.#outbox.letWaitersOn();
    this.#alarm.cancel();
    this.#hold(0);
    telemetry.counters.connectionsOpen--;
    if (this.#error) telemetry.countError(this.#error);
    if (telemetry.watched) telemetry.emit('closed', this, this.#error);
    this.#aborter?.abort(this.#error);
    this.#whenClosed(this);
    this.#callClose();
  }

  #callOpen(handler: HandlerObject): void {
    try {
      const greeting = handler.open?.(this);
      if (isPromise(greeting)) this.#await(greeting, 0);
      else this.#reply(greeting);
    } catch (thrown) {
      this.#handlerFailed(thrown);
    }
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
  #isDone(): boolean {
    return this.#state === 'ending' && this.#connection.unsent === 0;
  }

  /** Messages wait: to be admitted, for the journal, or for the handler. */
  #hasMessages(): boolean {
    return this.#current !== undefined || !this.#intake.isEmpty || this.#journaling?.isEmpty === false;
  }

  #dropInput(): void {
    this.#intake.drop();
    this.#journaling?.drop();
    this.#current = undefined;
    this.#lastFault = undefined;
  }

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
    if (this.#journaling) this.#record(this.#journaling);
    while (!this.#waiting && !this.#outbox.blocked && !this.#isOver()) {
      if (this.#current) {
        const pending = this.#handleMessages();
        if (pending) this.#await(pending);
      } else if (!(this.#journaling ? this.#handleRecorded(this.#journaling) : this.#handleFirst())) break;
    }
    const allHandled = !this.#hasMessages() && !this.#waiting;
    if (this.#state !== 'finishing' || !allHandled) return;
    if (this.#lastFault) this.#fail(this.#lastFault);
    else if (!this.#tellInputEnd()) this.#end();
  }

  /** Handles what came first. False when there is nothing that can be handled now. */
  #handleFirst(): boolean {
    const batch = this.#intake.first;
    if (!batch) return false;
    if (batch.count === 0) this.#meetFault(this.#intake.takeFault());
    else {
      const taken = this.#takeAdmitted(batch, true);
      if (!taken) return false;
      this.#handle(taken);
    }
    return true;
  }

  /** Hands all that is admitted to the journal. A refusal, as any fault, waits for the messages before it. */
  #record(journaling: Journaling): void {
    for (let batch = this.#intake.first; batch && batch.count > 0 && !this.#isOver(); batch = this.#intake.first) {
      const taken = this.#takeAdmitted(batch, journaling.isEmpty);
      if (!taken) return;
      journaling.add(taken);
    }
  }

  /** Handles what was recorded first, or what stands behind all that was. False when there is nothing to be done now. */
  #handleRecorded(journaling: Journaling): boolean {
    const recorded = journaling.take();
    if (recorded?.error) this.#refuse(recorded.batch.count, recorded.error);
    else if (recorded) this.#handle(recorded.batch);
    else if (!journaling.isEmpty || !this.#intake.first) return false;
    else if (this.#intake.first.count === 0) this.#meetFault(this.#intake.takeFault());
    else {
      this.#record(journaling);
      return false;
    }
    return true;
  }

  /** Messages that could not be recorded are not handled; each is answered with the reason, so that answers can be counted. */
  #refuse(count: number, error: YodelError): void {
    const { telemetry } = this.#settings;
    if (error.code !== 'YODEL_NOT_RECORDED') return this.breakOff(error);
    for (let refused = 0; refused < count; refused++) {
      telemetry.countError(error);
      this.#tell(error);
    }
    if (telemetry.watched) telemetry.emit('discarded', this, error);
    this.#checkMessageLimit();
  }

  /** @param mayRefuse whether a peer that has no more messages to its credit is told so now */
  #takeAdmitted(batch: Batch, mayRefuse: boolean): Batch | undefined {
    const admitted = this.#admit(batch.count, mayRefuse);
    const taken = admitted === 0 ? undefined : this.#intake.take(admitted);
    if (!taken) return undefined;
    const { telemetry } = this.#settings;
    this.messagesReceived += taken.count;
    telemetry.counters.messagesReceived += taken.count;
    if (telemetry.watched) telemetry.emit('received', this, taken);
    this.#outbox.learnFrom(taken);
    return taken;
  }

  /** Tells the handler that no more messages will come, once. True when that takes time. */
  #tellInputEnd(): boolean {
    const { handler } = this.#settings;
    if (!handler.end || this.#inputEndTold || this.#endedBy === 'handler') return false;
    this.#inputEndTold = true;
    try {
      const reply = handler.end(this);
      if (!isPromise(reply)) this.#reply(reply);
      else {
        void this.#await(reply, 0);
        return true;
      }
    } catch (thrown) {
      this.#handlerFailed(thrown);
    }
    return false;
  }

  #reply(reply: Reply, to?: Message): void {
    if (!this.ended) this.#outbox.reply(reply, to);
  }

  /** How many of so many messages the pace and maxMessages allow now; with none, arranges that it goes on later. */
  #admit(count: number, mayRefuse: boolean): number {
    const { limits, clock } = this.#settings;
    const { maxMessages, rate, ratePolicy } = limits;
    const rateLimit = this.#rateLimit;
    const allowed = maxMessages === 0 ? count : Math.min(count, maxMessages - this.messagesReceived);
    if (allowed === 0) {
      if (!mayRefuse) return 0;
      const text = `this connection has been served ${maxMessages} messages, its limit`;
      this.#fail(new YodelError('YODEL_TOO_MANY_MESSAGES', text));
      return 0;
    }
    if (!rateLimit) return allowed;
    const admitted = rateLimit.admit(allowed, clock.now());
    if (admitted === 0 && ratePolicy === 'delay') this.#paceAt = rateLimit.due;
    else if (admitted === 0 && mayRefuse)
      this.#fail(new YodelError('YODEL_RATE_EXCEEDED', `more than ${rate} messages a second`));
    return admitted;
  }

  #handle(batch: Batch): void {
    const { handler } = this.#settings;
    if (handler.message) {
      this.#current = batch;
      return;
    }
    if (handler.batch) this.#handleBatch(batch);
    this.#checkMessageLimit();
  }

  #handleBatch(batch: Batch): void {
    const { timed } = this.#settings.telemetry;
    if (timed) this.#askedAt = this.#settings.clock.now();
    const { count } = batch;
    try {
      const reply = this.#settings.handler.batch?.(batch, this);
      if (isPromise(reply)) {
        // It may be sent back when its borrowed bytes are long gone.
        if (this.#connection.chunksAreBorrowed) batch.keep();
        this.#await(reply, count);
      } else {
        if (timed) this.#tellHandled(count);
        this.#reply(reply);
        this.#handled = batch;
      }
    } catch (thrown) {
      this.#handlerFailed(thrown);
    }
  }

  /**
   * Handles one message after another until none is left or something makes them wait. A handler that is asynchronous
   * ends it: then its promise is returned, and its message stands in `#asked`.
   */
  #handleMessages(): Promise<Reply> | undefined {
    const { handler, telemetry } = this.#settings;
    const outbox = this.#outbox;
    const current = this.#current;
    let pending: Promise<Reply> | undefined;
    // What ends the session, or its input, takes the batch away.
    while (current && this.#current === current) {
      const message = current.shift();
      if (!message) break;
      if (telemetry.timed) this.#askedAt = this.#settings.clock.now();
      try {
        const reply = handler.message?.(message, this);
        if (isPromise(reply)) {
          this.#asked = message;
          pending = reply;
          break;
        }
        if (telemetry.timed) this.#tellHandled(1);
        this.#reply(reply, message);
      } catch (thrown) {
        this.#handlerFailed(thrown);
      }
      // A handler may answer a few bytes with megabytes: what it has said leaves before it says more.
      if (outbox.isFull) {
        this.#flush();
        if (outbox.blocked) break;
      }
    }
    // Messages are their handler's for good.
    current?.keep();
    if (this.#current?.count === 0) this.#current = undefined;
    if (!pending && !this.#current) this.#checkMessageLimit();
    return pending;
  }

  /**
   * Waits for a handler's promise, and for those of the messages behind it: one after the other within this one
   * function, so that handlers that answer at once cost no chain of promises, and their replies leave in one write.
   */
  async #await(first: Promise<Reply>, messages = 1): Promise<void> {
    this.#waiting = true;
    let answered = messages;
    let pending: Promise<Reply> | undefined = first;
    while (pending) {
      // What was answered before does not wait for what is slow.
      this.#turnSoon();
      try {
        const reply: Reply = await pending;
        // A greeting answers none.
        if (this.#settings.telemetry.timed && answered > 0) this.#tellHandled(answered);
        if (this.#state === 'closed') return;
        this.#reply(reply, this.#asked);
      } catch (thrown) {
        if (this.#state === 'closed') return this.#failedAfterClose(thrown);
        this.#handlerFailed(thrown);
      }
      this.#asked = undefined;
      answered = 1;
      if (this.#outbox.isFull) this.#flush();
      pending = this.#outbox.blocked ? undefined : this.#handleMessages();
    }
    this.#waiting = false;
    this.#lastActive = this.#settings.clock.now();
    if (!this.#current) this.#checkMessageLimit();
    this.#turn();
  }

  #tellHandled(messages: number): void {
    const { telemetry, clock } = this.#settings;
    telemetry.emit('handled', this, messages, clock.now() - this.#askedAt);
  }

  #failedAfterClose(thrown: unknown): void {
    if (!this.#isAbort(thrown)) this.#handlerFailedLate(thrown);
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
    if (maxMessages === 0 || this.messagesReceived < maxMessages || this.#hasMessages()) return;
    this.#endedBy ??= 'limit';
    this.#finish();
  }

  #meetFault(fault: YodelError | undefined): void {
    if (!fault) return;
    const { limits, telemetry } = this.#settings;
    if (fault.code !== 'YODEL_MESSAGE_TOO_LONG' || limits.onTooLong === 'close') return this.#fail(fault);
    telemetry.countError(fault);
    if (telemetry.watched) telemetry.emit('discarded', this, fault);
    this.#tell(fault);
  }

  /** Ends the session because of `error`, of which the peer is told in its own framing. */
  #fail(error: YodelError): void {
    if (this.#isOver()) return;
    this.#error ??= error;
    this.#dropInput();
    this.#tell(error);
    this.#end();
  }

  #tell(error: YodelError): void {
    if (!this.ended) tellError(error, (text) => this.#outbox.append(text));
  }

  /** Takes no more input. What is queued will still be answered. */
  #finish(): void {
    if (this.#state !== 'open') return;
    this.#state = 'finishing';
    this.#turnSoon();
  }

  /** Writes what is left, then FIN. */
  #end(): void {
    if (this.#isOver()) return;
    if (this.#isGone) return this.#close(undefined);
    this.#state = 'ending';
    this.#dropInput();
    this.#flush();
    this.#connection.end();
    this.#outbox.letWaitersOn();
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
    const { pending } = this.#intake;
    const inside = pending > 0 ? ` in the middle of a message, after ${pending} bytes of it` : '';
    const { unsent } = this.#outbox;
    const lost = unsent > 0 ? `; ${unsent} bytes of replies were not sent` : '';
    const error = systemError(`connection broken${inside}`, cause);
    return new YodelError(error.code, `${error.message}${lost}`, { cause });
  }

  /** Writes what is gathered, and says how many bytes the operating system has not taken: to ask the connection is not free. */
  #flush(): number {
    const before = this.#connection.unsent;
    try {
      this.#outbox.flush();
    } catch (thrown) {
      // A handler's reply that cannot be sent: replies are checked many at a time.
      this.#handlerFailed(thrown);
    }
    const { unsent } = this.#connection;
    if (before === 0 && unsent > 0) this.#lastTaken = this.#settings.clock.now();
    if (this.#handled && unsent === 0) this.#handled.release();
    this.#handled = undefined;
    return unsent;
  }

  /** After every event: writes, decides whether to read on, and sees to the deadlines. */
  #settle(): void {
    if (this.#state === 'closed') return;
    const unsent = this.#flush();
    if (this.#outputEnd === 'due') this.#sendEnd();
    const waiting = this.#intake.bytes + (this.#journaling?.bytes ?? 0);
    const behind = this.#outbox.blocked || waiting > this.#settings.limits.highWaterMark;
    // Once no input is taken any more it is still read, and dropped: unread bytes would make the closing a reset.
    const pause = (behind || this.#restrained) && this.#state === 'open';
    if (pause !== this.#paused) {
      this.#paused = pause;
      if (pause) this.#connection.pause();
      else this.#readOn();
    }
    this.#alarm.set(this.#nextDeadline(unsent));
    this.#hold(this.#intake.pending + this.queued + unsent);
  }

  /** Tells the ceiling of all sessions what waits here. */
  #hold(bytes: number): void {
    const before = this.held;
    if (bytes === before) return;
    this.held = bytes;
    this.#settings.memoryLimit.changed(this, before);
  }

  #sendEnd(): void {
    this.#outputEnd = 'sent';
    this.#connection.end();
    this.#outbox.letWaitersOn();
  }

  #readOn(): void {
    this.#connection.resume();
    // The peer could not go on while it was not read: its time begins anew.
    this.#lastActive = this.#settings.clock.now();
    this.#intake.excuse(this.#lastActive);
    if (this.#drainRead !== -1) this.#watchForQuiet();
  }

  /** The earliest time at which something is due; Infinity when nothing is. */
  #nextDeadline(unsent = this.#connection.unsent): number {
    const { idleTimeout, messageTimeout, drainTimeout } = this.#settings.limits;
    const { messageBegan } = this.#intake;
    let next = Number.POSITIVE_INFINITY;
    if (unsent > 0 && drainTimeout > 0) next = this.#lastTaken + drainTimeout;
    if (this.#state === 'ending' && unsent === 0) next = Math.min(next, this.#lingerUntil);
    if (this.#paceAt > 0) next = Math.min(next, this.#paceAt);
    if (this.#state !== 'open' || this.#paused) return next;
    if (messageBegan > 0 && messageTimeout > 0) next = Math.min(next, messageBegan + messageTimeout);
    const owesNothing = unsent === 0 && !this.#waiting && !this.#hasMessages();
    if (owesNothing && idleTimeout > 0) next = Math.min(next, this.#lastActive + idleTimeout);
    return next;
  }

  #meetDeadlines(): void {
    const now = this.#settings.clock.now();
    if (this.#nextDeadline() > now) return this.#alarm.set(this.#nextDeadline());
    const { idleTimeout, messageTimeout, drainTimeout } = this.#settings.limits;
    const { unsent } = this.#connection;
    const { messageBegan } = this.#intake;
    if (this.#paceAt > 0 && now >= this.#paceAt) {
      this.#paceAt = 0;
      this.#lastActive = now;
      this.#turn();
    } else if (unsent > 0 && drainTimeout > 0 && now >= this.#lastTaken + drainTimeout) {
      this.breakOff(
        new YodelError(
          'YODEL_DRAIN_TIMEOUT',
          `took nothing for ${formatDuration(drainTimeout)}, with ${unsent} bytes waiting for it`,
        ),
      );
    } else if (this.#state === 'ending') {
      this.#connection.release();
    } else if (messageBegan > 0 && messageTimeout > 0 && now >= messageBegan + messageTimeout) {
      this.#intake.forgetUnfinished();
      this.#lastFault = new YodelError(
        'YODEL_MESSAGE_TIMEOUT',
        `a message was not finished within ${formatDuration(messageTimeout)} of its first byte`,
      );
      this.#finish();
    } else {
      this.#fail(new YodelError('YODEL_IDLE_TIMEOUT', `nothing was received for ${formatDuration(idleTimeout)}`));
      this.#settle();
    }
  }
}

/** The peer gets to know nothing of the handler's insides: only `cause` tells of them. */
function handlerFailure(thrown: unknown): YodelError {
  return new YodelError('YODEL_HANDLER_FAILED', 'the handler failed on the server', { cause: thrown });
}
