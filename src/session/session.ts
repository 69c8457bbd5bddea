/**
 * The server's side of one connection, and its parts in the order in which a message passes through them:
 *
 * | Part      | Responsibility                                                                         |
 * |-----------|----------------------------------------------------------------------------------------|
 * | inbound   | decodes, queues, limits and records messages; `next()` returns what can be handled now |
 * | runner    | calls the handler and awaits it                                                        |
 * | outbox    | buffers the replies and writes them                                                    |
 * | flow      | pauses and resumes reading, accounts for memory                                        |
 * | lifecycle | the states, from open to closed                                                        |
 * | deadlines | one timer for all time-outs                                                            |
 * | draining  | reads to the end of what has arrived; created when the server shuts down               |
 *
 * `onData` decodes, `#run` handles, `settle` writes and decides whether to go on reading: in one call, unless the handler, the journal,
 * the rate limit or a slow peer makes messages wait. What ends the wait calls `turn`.
 */
import type { SocketAddress } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import { Batch, type Message } from '../framing/message.ts';
import type { Protocol } from '../framing/protocol.ts';
import { LinkedMember } from '../linked-set.ts';
import type { EndedBy } from '../telemetry/telemetry.ts';
import type { Connection, MemoryKeeper, Receiver, Security, ServerTls } from '../transport/transport.ts';
import type { Deadlines } from './deadlines.ts';
import { Draining } from './draining.ts';
import type { Flow } from './flow.ts';
import type { Fault, Inbound } from './inbound.ts';
import type { HistoryOptions, JoinOptions, Recovery } from './joining.ts';
import type { CloseHandler, Lifecycle } from './lifecycle.ts';
import type { Participant, RoomSession } from './membership.ts';
import type { Outbox } from './outbox.ts';
import { SessionParticipant } from './participant.ts';
import { createParts, type PartsOwner } from './parts.ts';
import type { SessionServer } from './public-session.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';
import { startTls } from './start-tls.ts';

/** One session of a server. */
export class ServerSession extends LinkedMember<ServerSession> implements RoomSession, Receiver, PartsOwner {
  readonly id: number;
  readonly peer: SocketAddress;
  readonly framing: Framing;
  readonly replyFraming: Framing;
  readonly #connection: Connection;
  readonly #settings: SessionSettings;
  readonly #outbox: Outbox;
  readonly #inbound: Inbound;
  readonly #runner: Runner;
  readonly #flow: Flow;
  readonly #lifecycle: Lifecycle;
  readonly #deadlines: Deadlines;
  #draining: Draining | undefined;
  readonly #whenClosed: (session: ServerSession, close: CloseHandler) => void;
  readonly #began: number;
  #isTurnDue = false;
  #data: unknown;
  #participant: Participant | undefined;

  constructor(
    id: number,
    connection: Connection,
    settings: SessionSettings,
    onClosed: (session: ServerSession, close: CloseHandler) => void,
  ) {
    super();
    this.id = id;
    this.framing = connection.framing ?? settings.protocol.framing;
    this.replyFraming = connection.framing ?? settings.protocol.replyFraming;
    // A listener accepts only sockets.
    this.peer = connection.peer as SocketAddress;
    this.#connection = connection;
    this.#settings = settings;
    this.#whenClosed = onClosed;
    this.#began = settings.clock.now();
    const parts = createParts(this, connection, settings, this.#began);
    this.#outbox = parts.outbox;
    this.#inbound = parts.inbound;
    this.#runner = parts.runner;
    this.#flow = parts.flow;
    this.#lifecycle = parts.lifecycle;
    this.#deadlines = parts.deadlines;
  }

  start(): void {
    const { telemetry } = this.#settings;
    telemetry.counters.connectionsAccepted++;
    telemetry.counters.connectionsOpen++;
    if (telemetry.watched) telemetry.emit('opened', this);
    this.#connection.start(this);
    this.#settings.rooms.opened(this);
    this.#data = this.#runner.createData();
    this.#runner.open();
    this.settle();
  }

  get local(): SocketAddress {
    return this.#connection.local as SocketAddress;
  }

  async startTls(tls: ServerTls): Promise<void> {
    const [inbound, outbox, runner] = [this.#inbound, this.#outbox, this.#runner];
    await startTls({ connection: this.#connection, inbound, outbox, runner, settings: this.#settings }, tls);
  }

  get security(): Security | undefined {
    return this.#connection.security;
  }

  get unsent(): number {
    return this.#outbox.lost ?? this.#outbox.unsent;
  }

  get queued(): number {
    return this.#inbound.bytes + this.#runner.bytes;
  }

  get messagesReceived(): number {
    return this.#inbound.messagesReceived;
  }

  get messagesSent(): number {
    return this.#outbox.messages;
  }

  get bytesReceived(): number {
    return this.#inbound.bytesReceived;
  }

  get bytesSent(): number {
    return this.#outbox.bytesSent;
  }

  get durationMs(): number {
    return this.#settings.clock.now() - this.#began;
  }

  get endedBy(): EndedBy {
    return this.#lifecycle.endedBy ?? 'peer';
  }

  get data(): unknown {
    this.#data ??= {};
    return this.#data;
  }

  get signal(): AbortSignal {
    return this.#lifecycle.signal;
  }

  get protocol(): Protocol {
    return this.#settings.protocol;
  }

  get ended(): boolean {
    return this.#lifecycle.hasOutputEnded;
  }

  send(message: string | Uint8Array | Message | Batch, to?: Message): boolean | YodelError {
    if (this.ended) return false;
    const error = this.#outbox.send(message, to);
    this.turnSoon();
    return error ?? !this.#outbox.isBehind;
  }

  write(bytes: Uint8Array, messages = 0): boolean {
    if (this.ended) return false;
    this.#outbox.appendBytes(Buffer.from(bytes), messages);
    this.turnSoon();
    return !this.#outbox.isBehind;
  }

  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array {
    return this.#outbox.frameOf(message, to);
  }

  undelivered(error: YodelError, messages = 1): void {
    this.#settings.telemetry.undelivered(this, error, messages);
  }

  reportBuffered(bytes: number): void {
    this.#flow.handlerBytes = bytes;
    if (this.#lifecycle.state !== 'closed') this.#flow.account(this.#connection.unsent);
  }

  relayed(batch: Batch): void {
    this.#settings.telemetry.emit('relayed', this, batch);
  }

  get server(): SessionServer {
    return this.#settings.server;
  }

  get roomsJoined(): number {
    return this.#participant?.joined ?? 0;
  }

  get rooms(): ReadonlySet<string> {
    return this.#settings.rooms.namesOf(this.participant);
  }

  join(room: string, options: HistoryOptions & JoinOptions): Promise<Recovery>;
  join(room: string, options?: JoinOptions): void;
  join(room: string, options?: JoinOptions): unknown {
    return this.#settings.rooms.join(this.participant, room, options);
  }

  leave(room: string): boolean {
    return this.#settings.rooms.leave(this.participant, room);
  }

  /** @internal The session, as its rooms see it. */
  get participant(): Participant {
    this.#participant ??= new SessionParticipant(this, this.#connection, this.#outbox, this.#runner);
    return this.#participant;
  }

  drained(): Promise<void> {
    return this.ended ? Promise.resolve() : this.#outbox.drained();
  }

  end(): void {
    this.#lifecycle.endOutput();
  }

  close(error?: YodelError): void {
    this.#lifecycle.close(error);
  }

  abort(error?: YodelError): void {
    this.#lifecycle.abort(error);
  }

  /** Answers everything that has already arrived, then ends. Reads for at most `withinMs`. */
  drain(withinMs: number): void {
    if (this.#lifecycle.state !== 'open' || this.#draining) return;
    this.#lifecycle.endedBy ??= 'shutdown';
    this.#draining = new Draining(this.#lifecycle, this.#flow, this.#settings.clock, withinMs);
    this.#draining.watch();
  }

  /** Ends the session at once because of `error`, unless it is only waiting for its peer to end as well. */
  disconnect(error: YodelError): void {
    this.#lifecycle.disconnect(error);
  }

  /** @internal Called by the connection, as the methods below. */
  onData(bytes: Uint8Array): void {
    const inbound = this.#inbound;
    inbound.count(bytes.length);
    if (this.#lifecycle.state !== 'open') return;
    const now = this.#deadlines.active();
    inbound.receive(bytes, now, this.#connection.chunksAreBorrowed, this.#runner.isWaiting || this.#outbox.blocked);
    this.#run();
    inbound.endBorrow();
    this.settle(now);
    if (this.#draining?.isOver(bytes.length, now)) this.#lifecycle.finish();
  }

  /** @internal */
  onEnd(): void {
    if (this.#lifecycle.state !== 'open') return;
    this.#inbound.end();
    this.#lifecycle.peerEnded();
    this.turn();
  }

  /** @internal */
  onDrain(): void {
    this.#deadlines.peerRead();
    if (!this.#outbox.peerRead()) return this.#flow.account(this.#connection.unsent);
    if (this.#participant) this.#settings.rooms.peerRead(this.#participant);
    this.turn();
  }

  get keeper(): MemoryKeeper {
    return this.#flow;
  }

  /** @internal */
  onClose(cause?: Error): void {
    this.#lifecycle.connectionClosed(cause);
  }

  /** @internal Called by the parts, as the methods below. */
  turn(): void {
    this.#run();
    this.settle();
  }

  /** @internal */
  turnSoon(): void {
    if (this.#isTurnDue) return;
    this.#isTurnDue = true;
    this.#settings.clock.soon(() => {
      this.#isTurnDue = false;
      this.turn();
    });
  }

  /** @internal Returns the connection's unsent bytes, which are not free to look up. */
  flush(): number {
    const before = this.#connection.unsent;
    try {
      this.#outbox.flush();
    } catch (thrown) {
      // A reply that cannot be encoded. Text replies are checked many at a time, so the error appears only here.
      this.handlerFailed(thrown);
    }
    const { unsent } = this.#connection;
    if (before === 0 && unsent > 0) this.#deadlines.outputPending();
    this.#runner.flushed(unsent === 0);
    return unsent;
  }

  /** @internal */
  handlerFailed(thrown: unknown): void {
    this.#lifecycle.handlerFailed(thrown);
  }

  /** @internal */
  handlerSettled(): void {
    this.#deadlines.active();
    this.turn();
  }

  /** @internal Ends the session after the last message that it may serve, unless more messages are queued to be refused. */
  checkMessageLimit(): void {
    const { maxMessages } = this.#settings.limits;
    if (maxMessages === 0 || this.messagesReceived < maxMessages || this.#hasMessages()) return;
    this.#lifecycle.finish('limit');
  }

  /** @internal */
  leaveRooms(isGone: boolean): void {
    if (this.#participant) this.#settings.rooms.leaveAll(this.#participant, isGone);
  }

  /** @internal */
  closed(close: CloseHandler): void {
    this.#deadlines.cancel();
    this.leaveRooms(true);
    this.#whenClosed(this, close);
  }

  /** Handles messages until none is left or something makes them wait. */
  #run(): void {
    const inbound = this.#inbound;
    const runner = this.#runner;
    const lifecycle = this.#lifecycle;
    inbound.record();
    while (!runner.isWaiting && !this.#outbox.blocked && !lifecycle.isOver) {
      if (runner.hasMessages) runner.continue();
      else if (!this.#flow.mayHandle) break;
      else {
        const next = inbound.next();
        if (!next) break;
        if (next instanceof Batch) runner.handle(next);
        else this.#handleFault(next);
      }
    }
    if (lifecycle.state !== 'finishing' || runner.isWaiting || this.#hasMessages()) return;
    if (lifecycle.isClosedByHandler || !runner.end()) lifecycle.end();
  }

  /** Whether messages wait for a limit, the journal or the handler. A method: V8 does not inline private getters (5 ns). */
  #hasMessages(): boolean {
    return this.#runner.hasMessages || !this.#inbound.isEmpty;
  }

  #handleFault({ error, effect, messages }: Fault): void {
    if (effect === 'disconnect') return this.disconnect(error);
    if (effect === 'close') return this.#lifecycle.fail(error);
    this.#lifecycle.discard(error, messages);
    this.checkMessageLimit();
  }

  /** @internal After every event: writes, decides whether to read, and sets the next deadline. @param now the time, if it is known */
  settle(now?: number): void {
    const lifecycle = this.#lifecycle;
    if (lifecycle.state === 'closed') return;
    const unsent = this.flush();
    lifecycle.writeOutputEnd();
    const isBehind = this.#outbox.blocked || this.#inbound.isFull;
    if (this.#flow.regulate(isBehind, lifecycle.state === 'open')) {
      // The peer could not send while reading was paused, so its message timer restarts.
      this.#inbound.restartMessageTimer(this.#deadlines.active());
      this.#draining?.watch();
    }
    this.#deadlines.arm(unsent, now);
    this.#flow.account(unsent);
  }

  /** @internal */
  onDeadline(): void {
    const next = this.#deadlines.meet(this.#connection);
    if (next) this[next]();
  }
}
