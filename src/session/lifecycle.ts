/**
 * The states of a session and their transitions.
 *
 * | State     | Input               | Output                    | Next state                                                   |
 * |-----------|---------------------|---------------------------|--------------------------------------------------------------|
 * | open      | decoded and queued  | replies                   | finishing: the peer ended, drain or close(); ending: a fault |
 * | finishing | discarded           | replies to what is queued | ending: they are written, and the handler's `end` is done    |
 * | ending    | discarded           | what is unsent, then FIN  | closed: both sides ended, or lingerTimeout, or drainTimeout  |
 * | closed    | none                | none                      |                                                              |
 *
 * A handler may end the output earlier (`end()`): then open and finishing continue without replies.
 */
import { textForPeer } from '../error-for-peer.ts';
import { isOwnError, isYodelError, systemError, YodelError } from '../errors.ts';
import type { EndedBy, SessionView } from '../telemetry/telemetry.ts';
import type { Connection } from '../transport/transport.ts';
import { handlerFailure } from './calls/failures.ts';
import type { Flow } from './flow.ts';
import type { Inbound } from './inbound.ts';
import type { Outbox } from './outbox.ts';
import { isInputFault, isRequestEnd } from './requests/request-end.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';

/** See the table above. */
export type SessionState = 'open' | 'finishing' | 'ending' | 'closed';

/** Calls the `close` of a session's handler. The promise, if any, resolves when the session's place is free. */
export type CloseHandler = () => Promise<void> | undefined;

/** The session, as its lifecycle sees it. */
export interface EndingSession extends SessionView {
  /** Writes the buffered replies. */
  flush(): void;
  /** It ends, and leaves its rooms. @param isGone whether nothing can be delivered any more */
  leaveRooms(isGone: boolean): void;
  turnSoon(): void;
  /** Nothing more is received: rejects its requests to the peer. */
  endRequests(error: YodelError | undefined): void;
  /** The session is closed, and its counters are final. Called once. @param close calls the handler's `close` */
  closed(close: CloseHandler): void;
}

/** The parts that end with the session. */
export interface LifecycleParts {
  readonly outbox: Outbox;
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly flow: Flow;
}

/** The state of one session, and how it ends. */
export class Lifecycle {
  state: SessionState = 'open';
  /** Who ended the session first; undefined while neither side has. */
  endedBy: EndedBy | undefined;
  /** Whether the handler has closed the session: it needs no call of its `end`. */
  isClosedByHandler = false;
  /** When the session ended its side, in the time of {@link Clock.ran}. */
  endedAt = 0;
  readonly #session: EndingSession;
  readonly #connection: Connection;
  readonly #settings: SessionSettings;
  readonly #outbox: Outbox;
  readonly #inbound: Inbound;
  readonly #runner: Runner;
  readonly #flow: Flow;
  /** Whether the handler has ended the output: no; yes, and FIN is due; yes, and FIN is sent. */
  #outputEnd: false | 'due' | 'sent' = false;
  #aborter: AbortController | undefined;
  #isHandlerAbandoned = false;
  /** Both sides have ended while messages still waited for the handler. */
  #isGone = false;
  /** Why the session ends; undefined if both sides end normally. */
  #error: YodelError | undefined;
  /** Why the handler has closed it, until its calls in flight are answered. */
  #closeReason: YodelError | undefined;

  constructor(session: EndingSession, connection: Connection, settings: SessionSettings, parts: LifecycleParts) {
    this.#session = session;
    this.#connection = connection;
    this.#settings = settings;
    this.#outbox = parts.outbox;
    this.#inbound = parts.inbound;
    this.#runner = parts.runner;
    this.#flow = parts.flow;
  }

  /** Whether the session no longer handles messages. */
  get isOver(): boolean {
    return this.state === 'ending' || this.state === 'closed';
  }

  /** Why the session ends, once it does: undefined if both sides end normally. */
  get error(): YodelError | undefined {
    return this.#error;
  }

  /** Whether the session can no longer send. */
  get hasOutputEnded(): boolean {
    return this.isOver || this.#outputEnd !== false;
  }

  /** For the handler: aborted when the session is closed, or the handler took too long. Created when it is first used. */
  get signal(): AbortSignal {
    this.#aborter ??= new AbortController();
    if (this.state === 'closed' || this.#isHandlerAbandoned) this.#aborter.abort(this.#error);
    return this.#aborter.signal;
  }

  /** Accepts no more input. Queued messages are still answered. @param endedBy what ends it, if nothing has yet */
  finish(endedBy?: EndedBy): void {
    this.endedBy ??= endedBy;
    if (this.state !== 'open') return;
    this.state = 'finishing';
    this.#session.turnSoon();
  }

  /** As {@link finish}, because the peer has ended. Schedules no turn: the caller runs one. */
  peerEnded(): void {
    this.endedBy ??= 'peer';
    this.state = 'finishing';
  }

  /** Ends the output. {@link writeOutputEnd} sends the FIN once everything before it has been written. */
  endOutput(): void {
    if (this.hasOutputEnded) return;
    this.endedBy ??= 'handler';
    this.#session.leaveRooms(false);
    this.#outputEnd = 'due';
    this.#session.turnSoon();
  }

  /** Sends the FIN if {@link endOutput} has made it due. */
  writeOutputEnd(): void {
    if (this.#outputEnd !== 'due') return;
    this.#outputEnd = 'sent';
    this.#connection.end();
    this.#outbox.wakeWaiters();
  }

  /**
   * The handler ends the session. What was sent still arrives; queued messages are dropped. Where there are several calls at a time, those
   * in flight are answered, and then the peer receives the error.
   */
  close(error: YodelError | undefined): void {
    if (this.isOver) return;
    this.isClosedByHandler = this.endedBy === undefined || this.endedBy === 'handler';
    this.endedBy ??= 'handler';
    const reason = error && this.#known(error);
    if (reason && !this.#runner.precede('close')) this.fail(reason);
    else {
      this.#closeReason ??= reason;
      this.#dropInput();
      this.state = 'finishing';
    }
    this.#session.turnSoon();
  }

  /** A program may pass any error, in JavaScript. Others than yodel's count as failures of the handler: their texts are not for peers. */
  #known(error: Error): YodelError {
    if (isYodelError(error)) return error;
    const failure = handlerFailure(error);
    this.#settings.telemetry.handlerFailed(this.#session, failure);
    return failure;
  }

  /** The session ends because of `error`, which the peer receives in its own framing. */
  fail(error: YodelError): void {
    if (this.isOver) return;
    const reason = this.#closeReason ?? error;
    this.#closeReason = undefined;
    this.#error ??= reason;
    this.#dropInput();
    this.#sendError(reason);
    this.end();
  }

  /** Writes the remaining output, then FIN. */
  end(): void {
    if (this.isOver) return;
    if (this.#isGone) return this.#close(undefined);
    if (this.#closeReason) return this.fail(this.#closeReason);
    // What its rooms were sent before still arrives.
    this.#session.leaveRooms(this.#error !== undefined);
    // A handler that is told what it has missed may close it.
    if (this.isOver) return;
    // A reply that cannot be encoded fails only now, and ends the session with an error.
    this.#session.flush();
    if (this.isOver) return;
    this.state = 'ending';
    this.#dropInput();
    this.#connection.end(this.#reason);
    this.#outbox.wakeWaiters();
    this.endedAt = this.#settings.clock.ran();
  }

  /** The handler or a limit ends the session at once: what is unsent is lost. */
  abort(error: YodelError | undefined): void {
    if (this.state === 'closed') return;
    this.endedBy ??= 'handler';
    if (error) this.#error ??= this.#known(error);
    this.state = 'ending';
    this.#dropInput();
    this.#outbox.clear();
    this.#connection.abort(this.#error);
    this.#flow.release();
    if (this.#isGone) this.#close(undefined);
  }

  /** Ends the session at once because of `error`, unless it is only waiting for its peer to end as well. */
  disconnect(error: YodelError): void {
    // Everything is sent, but a reset could still destroy the last replies in flight.
    if (this.#isDone()) this.#connection.release();
    else this.abort(error);
  }

  /** The connection is closed. */
  connectionClosed(cause: Error | undefined): void {
    const hasMore = this.#runner.isBusy || this.#runner.hasMessages || !this.#inbound.isEmpty;
    // Both sides have ended normally, but messages that the peer sent earlier are not handled yet.
    if (!cause && this.#outputEnd !== false && this.state === 'finishing' && hasMore) this.#isGone = true;
    else this.#close(cause);
  }

  /**
   * The handler threw, or its reply cannot be sent. With an error of its own it has decided to end the session; other errors, also
   * those of yodel that it let through, are failures; but not that a request to the peer has no reply because the session ends, or
   * because what the peer sent is invalid.
   */
  handlerFailed(thrown: unknown): void {
    const reason = this.#error ?? this.#closeReason;
    if (reason !== undefined && thrown === reason) return;
    if (!this.isOver && this.#runner.postpone(thrown)) return;
    if (isInputFault(this.#session, thrown)) return this.fail(thrown);
    if (isRequestEnd(this.#session, thrown)) return this.close(undefined);
    this.endedBy ??= 'handler';
    if (isOwnError(thrown) && !this.isOver) return this.fail(thrown);
    const error = isOwnError(thrown) ? thrown : handlerFailure(thrown);
    this.#settings.telemetry.handlerFailed(this.#session, error);
    this.fail(error);
  }

  /** A function of the program that finds ids in messages threw. The log gets its error, which is not for peers. */
  correlationFailed(error: YodelError): void {
    this.endedBy ??= 'handler';
    if (!this.isOver) this.#settings.telemetry.handlerFailed(this.#session, error);
    this.fail(error);
  }

  /** The handler took too long: the session ends, and the handler learns it by its signal. */
  abandonHandler(error: YodelError): void {
    this.endedBy ??= 'handler';
    const cause = `${this.#runner.waitsFor} has not finished`;
    this.#settings.telemetry.handlerFailed(this.#session, new YodelError(error.code, error.message, { cause }));
    this.#isHandlerAbandoned = true;
    this.#runner.abandon(error);
    this.fail(error);
    this.#aborter?.abort(error);
  }

  /** Messages were discarded: each is answered with the error, and the session continues. */
  discard(error: YodelError, messages: number): void {
    const { telemetry } = this.#settings;
    for (let count = 0; count < messages; count++) {
      telemetry.countError(error);
      this.#sendError(error);
    }
    if (telemetry.watched) telemetry.emit('discarded', this.#session, error);
  }

  /** What the peer receives. */
  get #reason(): YodelError | undefined {
    return this.#error ?? (this.endedBy === 'shutdown' ? shuttingDown() : undefined);
  }

  #dropInput(): void {
    this.#inbound.drop();
    this.#runner.drop();
    this.#session.endRequests(this.#error ?? this.#closeReason);
  }

  #sendError(error: YodelError): void {
    this.#checkReplies();
    const isTransparent = this.#settings.handler.forwarding === 'transparent';
    if (!this.hasOutputEnded && !isTransparent) this.#outbox.sendError(textForPeer(error), error.code);
  }

  /** Replies before an error that cannot be encoded are errors of their own. */
  #checkReplies(): void {
    try {
      this.#outbox.encodeReplies();
    } catch (thrown) {
      this.handlerFailed(thrown);
    }
  }

  /** Whether all output and the FIN are sent. */
  #isDone(): boolean {
    return this.state === 'ending' && this.#connection.unsent === 0;
  }

  #close(cause: Error | undefined): void {
    const { telemetry } = this.#settings;
    this.#error ??= this.#closeReason;
    if (cause && !this.#isDone()) this.#error ??= this.#brokenBy(cause);
    const error = this.#error;
    this.state = 'closed';
    this.#dropInput();
    this.#outbox.clear();
    this.#outbox.wakeWaiters();
    this.#flow.release();
    telemetry.counters.connectionsOpen--;
    if (error) telemetry.countError(error);
    if (telemetry.watched) telemetry.emit('closed', this.#session, error);
    this.#aborter?.abort(error);
    this.#session.closed(() => this.#runner.close(error));
  }

  #brokenBy(cause: Error): YodelError {
    const { pending } = this.#inbound;
    const inside = pending > 0 ? ` in the middle of a message, after ${pending} bytes of it` : '';
    const { unsent } = this.#outbox;
    const lost = unsent > 0 ? `; ${unsent} bytes of replies were not sent` : '';
    const error = systemError(`connection broken${inside}`, cause);
    return lost ? new YodelError(error.code, `${error.message}${lost}`, { cause }) : error;
  }
}

function shuttingDown(): YodelError {
  return new YodelError('YODEL_SHUTTING_DOWN', 'the server is shutting down');
}
