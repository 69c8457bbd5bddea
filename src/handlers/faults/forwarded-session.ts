/** A session that forwards its properties to another session. */
import type { YodelError } from '../../errors.ts';
import type { Batch, Message } from '../../framing/message.ts';
import type { HistoryOptions, JoinOptions, Recovery } from '../../session/joining.ts';
import type { Session } from '../../session/public-session.ts';
import type { ServerTls } from '../../transport/transport.ts';

/** The read-only part of a session, forwarded to another session. */
export class ForwardedSession {
  protected readonly inner: Session;

  constructor(inner: Session) {
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

  undelivered(error: YodelError, messages?: number): void {
    this.inner.undelivered(error, messages);
  }

  relayed(batch: Batch): void {
    this.inner.relayed(batch);
  }

  startTls(tls: ServerTls): Promise<void> {
    return this.inner.startTls(tls);
  }

  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array {
    return this.inner.encode(message, to);
  }
}
