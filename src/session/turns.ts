/**
 * What a session does when something happens: its peer sent or read something, a promise settled, a deadline passed.
 *
 * `onData` decodes, `#run` handles, `settle` writes and decides whether to go on reading: in one call, unless the handler, the journal,
 * the rate limit or a slow peer makes messages wait. What ends the wait calls `turn`.
 */
import type { YodelError } from '../errors.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import type { Connection, MemoryKeeper, Receiver } from '../transport/transport.ts';
import type { Deadlines } from './deadlines.ts';
import { Draining } from './draining.ts';
import type { Fault } from './fault.ts';
import type { Flow } from './flow.ts';
import type { Inbound } from './inbound.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { Outbox } from './outbox.ts';
import { createParts, type PartsOwner } from './parts.ts';
import { PeerRequests, type RequestingSession } from './peer-requests.ts';
import { hasMessages } from './requests/read-ahead.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';

/** The session, as its turns see it. */
export type TurningSession = PartsOwner &
  RequestingSession & {
    /** Its peer has caught up. */
    peerCaughtUp(): void;
    disconnect(error: YodelError): void;
  };

/** The parts of a session, and the order in which they have their turns. */
export class Turns implements Receiver {
  readonly outbox: Outbox;
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly flow: Flow;
  readonly lifecycle: Lifecycle;
  readonly #session: TurningSession;
  readonly #connection: Connection;
  readonly #settings: SessionSettings;
  readonly #deadlines: Deadlines;
  #draining: Draining | undefined;
  /** Created with the session's first request to its peer. */
  #requests: PeerRequests | undefined;
  #isTurnDue = false;

  constructor(session: TurningSession, connection: Connection, settings: SessionSettings, now: number) {
    this.#session = session;
    this.#connection = connection;
    this.#settings = settings;
    const parts = createParts(session, this, connection, settings, now);
    this.outbox = parts.outbox;
    this.inbound = parts.inbound;
    this.runner = parts.runner;
    this.flow = parts.flow;
    this.lifecycle = parts.lifecycle;
    this.#deadlines = parts.deadlines;
  }

  get keeper(): MemoryKeeper {
    return this.flow;
  }

  /** Answers everything that has already arrived, then ends. Reads for at most `withinMs`. */
  drain(withinMs: number): void {
    if (this.lifecycle.state !== 'open' || this.#draining) return;
    this.lifecycle.endedBy ??= 'shutdown';
    this.#draining = new Draining(this, this.#settings.clock, withinMs);
    this.#draining.watch();
  }

  onData(bytes: Uint8Array): void {
    const inbound = this.inbound;
    inbound.count(bytes.length);
    if (this.lifecycle.state !== 'open') return;
    const now = this.#deadlines.active();
    inbound.receive(bytes, now, this.#connection.chunksAreBorrowed, this.runner.isWaiting || this.outbox.blocked);
    this.#run();
    inbound.endBorrow();
    this.settle(now);
    if (this.#draining?.isOver(bytes.length, now)) this.lifecycle.finish();
  }

  onEnd(): void {
    if (this.lifecycle.state !== 'open') return;
    this.inbound.end();
    this.lifecycle.peerEnded();
    this.turn();
  }

  onDrain(): void {
    this.#deadlines.peerRead();
    if (!this.outbox.peerRead()) return this.flow.account(this.#connection.unsent);
    this.#session.peerCaughtUp();
    this.turn();
  }

  onClose(cause?: Error): void {
    this.lifecycle.connectionClosed(cause);
  }

  /** Whether nothing happens until something arrives, the peer reads, or time passes. */
  get isIdle(): boolean {
    const { lifecycle, outbox, runner, inbound } = this;
    if (lifecycle.isOver || (outbox.blocked && !runner.isWaiting)) return true;
    return !this.#isTurnDue && (runner.isIdle || this.awaitsPeer) && inbound.isEmpty;
  }

  /** Continues with what waits. */
  turn(): void {
    this.#run();
    this.settle();
  }

  /** As {@link turn}, once the I/O that is ready now has been delivered. */
  turnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.#settings.clock.soon(() => {
      this.#isTurnDue = false;
      this.turn();
    });
  }

  /** Writes what is buffered. Returns the connection's unsent bytes, which are not free to look up. */
  flush(): number {
    const before = this.#connection.unsent;
    try {
      this.outbox.flush();
    } catch (thrown) {
      // A reply that cannot be encoded. Text replies are checked many at a time, so the error appears only here.
      this.lifecycle.handlerFailed(thrown);
      // The session may go on for a while, and what precedes the reply is borrowed.
      if (!this.lifecycle.isOver) this.outbox.flush();
    }
    const { unsent } = this.#connection;
    if (before === 0 && unsent > 0) this.#deadlines.outputPending();
    this.runner.flushed(unsent === 0);
    return unsent;
  }

  /** The promises of the handler that were awaited are settled. */
  handlerSettled(): void {
    this.#deadlines.active();
    this.turn();
  }

  /** Ends the session after the last message that it may serve, unless more messages are queued to be refused. */
  checkMessageLimit(): void {
    const { maxMessages } = this.#settings.limits;
    if (maxMessages === 0 || this.inbound.messagesReceived < maxMessages || this.#hasMessages()) return;
    this.lifecycle.finish('limit');
  }

  /** Nothing is due any more. */
  closed(): void {
    this.#deadlines.cancel();
    this.#draining?.cancel();
  }

  /** Sends a request to the peer. See `Session.request`. */
  request(value: unknown, options: RequestOptions): Promise<unknown> {
    this.#requests ??= new PeerRequests(this.#session, this, this.#settings);
    const reply = this.#requests.request(value, options);
    this.#deadlines.awaitsPeer = this.awaitsPeer;
    this.flow.requestBytes = this.#requests.memory;
    return reply;
  }

  /** Whether requests to the peer are pending. */
  get awaitsPeer(): boolean {
    return this.#requests?.arePending ?? false;
  }

  /** No request to the peer is pending any more. */
  requestsSettled(since: number): void {
    const now = this.#settings.clock.ran();
    this.#deadlines.extend(since, now);
    this.runner.extend(since, now);
    this.#draining?.watch();
    this.turnSoon();
  }

  /** Nothing more is received. */
  endRequests(error: YodelError | undefined): void {
    this.#requests?.end(error);
  }

  /** Handles messages until none is left or something makes them wait. */
  #run(): void {
    const inbound = this.inbound;
    const runner = this.runner;
    const lifecycle = this.lifecycle;
    inbound.record();
    if (this.#requests) this.#takeReplies(this.#requests);
    while (!runner.isWaiting && !this.outbox.blocked && !lifecycle.isOver) {
      if (runner.hasMessages) runner.continue();
      else if (!this.flow.mayHandle) break;
      else {
        const next = inbound.next();
        if (!next) break;
        if (hasMessages(next)) runner.handle(next);
        else if (runner.precede(next.effect)) {
          inbound.ahead.putBack(next);
          break;
        } else this.#handleFault(next);
      }
      if (this.#requests) this.#takeReplies(this.#requests);
    }
    if (lifecycle.state !== 'finishing' || runner.isBusy || this.#hasMessages()) return;
    if (lifecycle.isClosedByHandler || !runner.end()) lifecycle.end();
  }

  /** Replies to the session's own requests do not wait for the handler. */
  #takeReplies(requests: PeerRequests): void {
    if (this.lifecycle.isOver) return;
    if (requests.takeReplies()) this.checkMessageLimit();
    this.flow.requestBytes = requests.memory;
    // Its last message was no reply.
    const isLast = this.lifecycle.state === 'finishing' && this.inbound.isAdmitted;
    if (isLast && requests.memory > 0) requests.end(undefined);
  }

  /** Whether messages wait for a limit, the journal or the handler. A method: V8 does not inline private getters (5 ns). */
  #hasMessages(): boolean {
    return this.runner.hasMessages || !this.inbound.isEmpty;
  }

  /** Whether it goes on reading only because a reply may follow, without which the handler does not get on. */
  #mayReadReplies(): boolean {
    return this.awaitsPeer && !this.inbound.isFullForReplies;
  }

  #handleFault({ error, effect, messages }: Fault): void {
    if (effect === 'disconnect') return this.#session.disconnect(error);
    if (effect === 'close') return this.lifecycle.fail(error);
    this.lifecycle.discard(error, messages);
    this.checkMessageLimit();
  }

  /** After every event: writes, decides whether to read, and sets the next deadline. @param now the time, if it is known */
  settle(now?: number): void {
    const lifecycle = this.lifecycle;
    if (lifecycle.state === 'closed') return;
    const unsent = this.flush();
    lifecycle.writeOutputEnd();
    const isBehind = this.outbox.blocked || (this.inbound.isFull && !this.#mayReadReplies());
    if (this.flow.regulate(isBehind, lifecycle.state === 'open')) {
      // The peer could not send while reading was paused, so its message timer restarts.
      this.inbound.restartMessageTimer(this.#deadlines.active());
      this.#draining?.watch();
    }
    this.#deadlines.arm(unsent, now);
    this.flow.account(unsent);
  }

  onDeadline(): void {
    const next = this.#deadlines.meet(this.#connection);
    if (next) this[next]();
  }
}
