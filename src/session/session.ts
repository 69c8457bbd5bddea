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
 * turns.ts says what each of them does when something happens.
 */
import type { SocketAddress } from '../address.ts';
import type { Timer } from '../clock.ts';
import { encodeValue } from '../codec/values.ts';
import type { YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { Protocol } from '../framing/protocol.ts';
import { LinkedMember } from '../linked-set.ts';
import { noOptions, type RequestOptions } from '../requests/request-options.ts';
import type { EndedBy } from '../telemetry/telemetry.ts';
import type { Connection, MemoryKeeper, Security, ServerTls } from '../transport/transport.ts';
import { SessionTimers } from './calls/session-timers.ts';
import type { HistoryOptions, JoinOptions, Recovery } from './joining.ts';
import type { CloseHandler, Lifecycle } from './lifecycle.ts';
import type { Participant, RoomSession } from './membership.ts';
import type { Outbox } from './outbox.ts';
import { SessionParticipant } from './participant.ts';
import type { SessionServer } from './public-session.ts';
import { requestEnd } from './requests/request-end.ts';
import type { SessionSettings } from './settings.ts';
import { startTls } from './start-tls.ts';
import { type TurningSession, Turns } from './turns.ts';
import { sendValue } from './values/send-value.ts';

/** One session of a server. */
export class ServerSession extends LinkedMember<ServerSession> implements RoomSession, TurningSession {
  readonly id: number;
  readonly peer: SocketAddress;
  readonly framing: Framing;
  readonly replyFraming: Framing;
  readonly #connection: Connection;
  readonly #settings: SessionSettings;
  readonly #outbox: Outbox;
  readonly #lifecycle: Lifecycle;
  readonly #turns: Turns;
  readonly #whenClosed: (session: ServerSession, close: CloseHandler) => void;
  readonly #began: number;
  #data: unknown;
  #participant: Participant | undefined;
  #timers: SessionTimers | undefined;

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
    this.#turns = new Turns(this, connection, settings, this.#began);
    this.#outbox = this.#turns.outbox;
    this.#lifecycle = this.#turns.lifecycle;
  }

  start(): void {
    const { telemetry } = this.#settings;
    telemetry.counters.connectionsAccepted++;
    telemetry.counters.connectionsOpen++;
    if (telemetry.watched) telemetry.emit('opened', this);
    this.#connection.start(this.#turns);
    this.#settings.rooms.opened(this);
    this.#data = this.#turns.runner.createData();
    this.#turns.runner.open();
    this.settle();
  }

  get local(): SocketAddress {
    return this.#connection.local as SocketAddress;
  }

  async startTls(tls: ServerTls): Promise<void> {
    const { inbound, outbox, runner } = this.#turns;
    await startTls({ connection: this.#connection, inbound, outbox, runner, settings: this.#settings }, tls);
  }

  get security(): Security | undefined {
    return this.#connection.security;
  }

  get upgrade(): Connection['upgrade'] {
    return this.#connection.upgrade;
  }

  get unsent(): number {
    return this.#outbox.lost ?? this.#outbox.unsent;
  }

  get queued(): number {
    return this.#turns.inbound.bytes + this.#turns.runner.bytes;
  }

  get messagesReceived(): number {
    return this.#turns.inbound.messagesReceived;
  }

  get messagesSent(): number {
    return this.#outbox.messages;
  }

  get bytesReceived(): number {
    return this.#turns.inbound.bytesReceived;
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

  /** @internal For tests: whether nothing happens until something arrives, the peer reads, or time passes. */
  get isIdle(): boolean {
    return this.#turns.isIdle;
  }

  /** @internal For tests: that it is over, and why, as soon as it handles no more messages; undefined until then. */
  get outcome(): { readonly error: YodelError | undefined } | undefined {
    const { isOver, error } = this.#lifecycle;
    return isOver ? { error } : undefined;
  }

  get data(): unknown {
    // What the program has created may be null or undefined.
    if (this.#data === undefined && !this.#settings.data) this.#data = {};
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
    const { codec } = this.#settings;
    return codec && !this.ended ? sendValue(this, codec, message, to) : this.sendEncoded(message, to);
  }

  /** @internal As {@link send}, for what no codec needs to encode. */
  sendEncoded(message: string | Uint8Array | Message | Batch, to?: Message): boolean | YodelError {
    if (this.ended) return false;
    const error = this.#outbox.send(message, to);
    this.turnSoon();
    return error ?? !this.#outbox.isBehind;
  }

  request(message: string | Uint8Array | Message, options: RequestOptions = noOptions): Promise<Message> {
    if (this.ended) return Promise.reject(requestEnd(this, this.#lifecycle.error));
    return this.#turns.request(message, options) as Promise<Message>;
  }

  write(bytes: Uint8Array, messages = 0): boolean {
    if (this.ended) return false;
    this.#outbox.appendBytes(Buffer.from(bytes), messages);
    this.turnSoon();
    return !this.#outbox.isBehind;
  }

  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array {
    const { codec } = this.#settings;
    return this.#outbox.frameOf(codec ? (encodeValue(codec, message) as Message) : message, to);
  }

  undelivered(error: YodelError, messages = 1): void {
    this.#settings.telemetry.undelivered(this, error, messages);
  }

  reportBuffered(bytes: number): void {
    this.#turns.flow.handlerBytes = bytes;
    if (this.#lifecycle.state !== 'closed') this.#turns.flow.account(this.#connection.unsent);
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
    this.#participant ??= new SessionParticipant(this, this.#connection, this.#outbox, this.#turns.runner);
    return this.#participant;
  }

  after(delayMs: number, run: () => void): Timer {
    this.#timers ??= new SessionTimers(this, this.#settings, () => this.#lifecycle.isOver);
    return this.#timers.start(delayMs, run);
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
    this.#turns.drain(withinMs);
  }

  /** Ends the session at once because of `error`, unless it is only waiting for its peer to end as well. */
  disconnect(error: YodelError): void {
    this.#lifecycle.disconnect(error);
  }

  get keeper(): MemoryKeeper {
    return this.#turns.flow;
  }

  /** @internal Called by the parts, as the methods below. */
  turn(): void {
    this.#turns.turn();
  }

  /** @internal */
  turnSoon(): void {
    this.#turns.turnSoon();
  }

  /** @internal */
  flush(): void {
    this.#turns.flush();
  }

  /** @internal */
  settle(): void {
    this.#turns.settle();
  }

  /** @internal */
  handlerFailed(thrown: unknown): void {
    this.#lifecycle.handlerFailed(thrown);
  }

  /** @internal */
  handlerSettled(): void {
    this.#turns.handlerSettled();
  }

  /** @internal */
  checkMessageLimit(): void {
    this.#turns.checkMessageLimit();
  }

  /** @internal */
  correlationFailed(error: unknown): void {
    this.#lifecycle.correlationFailed(error as YodelError);
  }

  /** @internal */
  requestsSettled(since: number): void {
    this.#turns.requestsSettled(since);
  }

  /** @internal */
  endRequests(error: YodelError | undefined): void {
    this.#turns.endRequests(error);
  }

  /** @internal */
  peerCaughtUp(): void {
    if (this.#participant) this.#settings.rooms.peerRead(this.#participant);
  }

  /** @internal */
  leaveRooms(isGone: boolean): void {
    if (this.#participant) this.#settings.rooms.leaveAll(this.#participant, isGone);
  }

  /** @internal */
  closed(close: CloseHandler): void {
    this.#turns.closed();
    this.#timers?.close();
    this.leaveRooms(true);
    this.#whenClosed(this, close);
  }
}
