/** A session that forwards everything to another one. */
import type { Timer } from '../clock.ts';
import type { MaybeCodec, Received, Sendable } from '../codec/codec.ts';
import type { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import type { ServerTls } from '../transport/transport.ts';
import type { HistoryOptions, JoinOptions, Recovery } from './joining.ts';
import type { Session } from './public-session.ts';

/**
 * Forwards everything to another session: for middleware that gives what follows a session of its own, in which something is
 * different.
 *
 * ```ts
 * class Shouting extends ForwardedSession {
 *   override send(message: string | Uint8Array | Message | Batch, to?: Message) {
 *     return super.send(typeof message === 'string' ? message.toUpperCase() : message, to);
 *   }
 * }
 * ```
 *
 * Pass the same object to every callback of one session: handlers compare sessions, and keep what they know of each. What is
 * returned as a reply does not pass through it, and neither does what rooms send.
 */
export class ForwardedSession<Data = unknown, C extends MaybeCodec = undefined> implements Session<Data, C> {
  protected readonly inner: Session<Data, C>;

  constructor(inner: Session<Data, C>) {
    this.inner = inner;
  }

  get id() {
    return this.inner.id;
  }
  get peer() {
    return this.inner.peer;
  }
  get local() {
    return this.inner.local;
  }
  get upgrade() {
    return this.inner.upgrade;
  }
  get security() {
    return this.inner.security;
  }
  get framing() {
    return this.inner.framing;
  }
  get replyFraming() {
    return this.inner.replyFraming;
  }
  get protocol() {
    return this.inner.protocol;
  }
  get data() {
    return this.inner.data;
  }
  get signal() {
    return this.inner.signal;
  }
  get messagesReceived() {
    return this.inner.messagesReceived;
  }
  get messagesSent() {
    return this.inner.messagesSent;
  }
  get bytesReceived() {
    return this.inner.bytesReceived;
  }
  get bytesSent() {
    return this.inner.bytesSent;
  }
  get roomsJoined() {
    return this.inner.roomsJoined;
  }
  get queued() {
    return this.inner.queued;
  }
  get unsent() {
    return this.inner.unsent;
  }
  /** @internal */
  get keeper() {
    return this.inner.keeper;
  }
  get durationMs() {
    return this.inner.durationMs;
  }
  get endedBy() {
    return this.inner.endedBy;
  }

  get server() {
    return this.inner.server;
  }
  get rooms() {
    return this.inner.rooms;
  }

  join(room: string, options: HistoryOptions & JoinOptions): Promise<Recovery>;
  join(room: string, options?: JoinOptions): void;
  join(room: string, options?: JoinOptions): unknown {
    return this.inner.join(room, options);
  }

  leave(room: string): boolean {
    return this.inner.leave(room);
  }

  get ended() {
    return this.inner.ended;
  }

  send(message: Sendable<C> | Batch, to?: Message): boolean | YodelError {
    return this.inner.send(message, to);
  }

  write(bytes: Uint8Array, messages?: number): boolean {
    return this.inner.write(bytes, messages);
  }

  reportBuffered(bytes: number): void {
    this.inner.reportBuffered(bytes);
  }

  after(delayMs: number, run: () => void): Timer {
    return this.inner.after(delayMs, run);
  }

  drained(): Promise<void> {
    return this.inner.drained();
  }

  end(): void {
    this.inner.end();
  }

  close(error?: YodelError): void {
    this.inner.close(error);
  }

  abort(error?: YodelError): void {
    this.inner.abort(error);
  }

  undelivered(error: YodelError, messages?: number): void {
    this.inner.undelivered(error, messages);
  }

  relayed(batch: Batch): void {
    this.inner.relayed(batch);
  }

  startTls(tls: ServerTls): Promise<void> {
    return this.inner.startTls(tls);
  }

  request(message: Sendable<C>, options?: RequestOptions): Promise<Received<C>> {
    return this.inner.request(message, options);
  }

  encode(message: Sendable<C>, to?: Message): Uint8Array {
    return this.inner.encode(message, to);
  }
}
