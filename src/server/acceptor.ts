/** Serves or refuses each new connection. */
import type { Address } from '../address.ts';
import type { Timer } from '../clock.ts';
import { systemError, YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import { LinkedSet } from '../linked-set.ts';
import type { ServerLimits } from '../options.ts';
import { concurrencyOf } from '../session/calls/concurrency.ts';
import type { CloseHandler } from '../session/lifecycle.ts';
import { ServerSession } from '../session/session.ts';
import type { SessionSettings } from '../session/settings.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import { PeerLeft } from '../transport/listen-errors.ts';
import type { Connection, PendingConnection } from '../transport/transport.ts';
import { UpgradableConnection } from '../transport/upgradable.ts';
import { Admission, type AdmissionRules } from './admission.ts';
import { type Capacity, capacityFor, type Descriptors, descriptorsNow } from './capacity.ts';
import { HandshakeMemory } from './handshake-memory.ts';
import { Refusals } from './refusals.ts';
import type { StartedHandler } from './started-handlers.ts';

/** The settings that can change while a server runs. */
export interface AcceptorSettings {
  /** For new sessions. */
  readonly session: SessionSettings;
  readonly limits: ServerLimits;
  readonly rules: AdmissionRules;
}

/** The time from the connection to the first message, of a client that a shutdown must not cut off. Covers a round trip anywhere. */
const firstMessageMs = 1000;

/** Accepts connections and keeps their sessions. */
export class Acceptor {
  readonly sessions = new LinkedSet<ServerSession>();
  /** The handler of new sessions, if it must know when the last one ends. */
  started: StartedHandler | undefined;
  readonly #telemetry: Telemetry;
  readonly #admission: Admission;
  readonly #refusals: Refusals;
  #session: SessionSettings;
  /** Those of the process when the server was created. */
  readonly #descriptors: Descriptors;
  #capacity: Capacity;
  /** Connections whose handshakes (TLS, WebSocket, PROXY header) are not complete. */
  #pending = 0;
  /** Sessions that are over, and whose handlers have not ended yet what they started for them. */
  #leaving = 0;
  /** Whether those are no longer waited for. */
  #isAbandoned = false;
  #lastId = 0;
  /** While draining: how long a session is read. Undefined: open. */
  #drainMs: number | undefined;
  /** Sessions that still wait for their first message before they drain. */
  readonly #graces = new Map<ServerSession, Timer>();
  #onEmpty: (() => void) | undefined;

  constructor({ session, limits, rules }: AcceptorSettings) {
    this.#telemetry = session.telemetry;
    this.#session = session;
    this.#descriptors = descriptorsNow();
    this.#capacity = this.#capacityFor(limits, session);
    this.#admission = new Admission(rules);
    const { lingerTimeout } = session.limits;
    this.#refusals = new Refusals(session.clock, framingOf(session), lingerTimeout, this.#capacity.refusals);
    this.#refusals.form = session;
  }

  /** The maximum number of concurrent sessions. */
  get maxConnections(): number {
    return this.#capacity.connections;
  }

  /** Uses other settings for new connections. */
  reload({ session, limits, rules }: AcceptorSettings): void {
    this.#session = session;
    this.#capacity = this.#capacityFor(limits, session);
    this.#admission.reload(rules);
    this.#refusals.framing = framingOf(session);
    this.#refusals.form = session;
  }

  #capacityFor({ maxConnections }: ServerLimits, session: SessionSettings): Capacity {
    const { descriptors = 0, descriptorsPerCall = 0 } = session.handler;
    return capacityFor(maxConnections, this.#descriptors, descriptors + descriptorsPerCall * concurrencyOf(session));
  }

  /** Serves a new connection, or refuses it. */
  accept(connection: Connection): void {
    const refusal = this.#closedError() ?? this.#admit(connection.peer);
    if (refusal) this.#refuse(connection, refusal);
    else this.#serve(connection);
  }

  /**
   * Decides about a connection that still has a handshake to complete. Undefined: it is refused. The rules about peers apply
   * to the client that a load balancer names, but from the first byte on its connection takes a place.
   */
  admit(peer: Address, isBalancer = false, refused?: (error: YodelError) => void): PendingConnection | undefined {
    const refusal = this.#pendingRefusal() ?? (isBalancer ? undefined : this.#admit(peer));
    if (refusal) {
      this.#reportRefused(peer, refusal);
      refused?.(refusal);
      return undefined;
    }
    this.#pending++;
    let admitted = isBalancer ? undefined : peer;
    let memory: HandshakeMemory | undefined;
    return {
      buffers: (bytes, drop) => {
        memory ??= new HandshakeMemory(this.#session.memoryLimit);
        memory.report(bytes, drop);
      },
      identify: (client) => {
        const reason = this.#admit(client);
        if (reason) this.#pendingFailed(client, reason);
        else admitted = client;
        return reason === undefined;
      },
      accepted: (connection) => {
        memory?.report(0);
        this.#pending--;
        const reason = admitted ? undefined : this.#admit(connection.peer);
        if (!reason) return this.#serve(connection);
        this.#refuse(connection, reason);
        this.#checkEmpty();
      },
      failed: (error) => {
        memory?.report(0);
        if (admitted) this.#release(admitted);
        if (!(error instanceof PeerLeft))
          return this.#pendingFailed(admitted ?? peer, systemError('not accepted', error));
        this.#reportLeft(admitted ?? peer, error);
        this.#pending--;
        this.#checkEmpty();
      },
    };
  }

  #pendingFailed(peer: Address, error: YodelError): void {
    this.#pending--;
    this.#reportRefused(peer, error);
    this.#checkEmpty();
  }

  /** Reports that accepting failed. */
  failed(cause: Error): void {
    this.#reportRefused(undefined, systemError('cannot accept a connection', cause));
  }

  /**
   * Refuses connections from now on, and drains all sessions. Those whose handshakes have begun are still served.
   *
   * @param withinMs how long a session is read
   */
  drain(withinMs: number): void {
    this.#drainMs = withinMs;
    for (const session of this.sessions) this.#drainSession(session, withinMs);
  }

  /** Resolves when no place is occupied and no handshake in progress, and closes the connections that are being refused. */
  async emptied(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
      this.#checkEmpty();
    });
    this.#refusals.stop();
  }

  #checkEmpty(): void {
    const leaving = this.#isAbandoned ? 0 : this.#leaving;
    if (this.sessions.size + this.#pending + leaving === 0) this.#onEmpty?.();
  }

  /** No longer waits for handlers that have not ended what they started. */
  abandon(): void {
    this.#isAbandoned = true;
    this.#checkEmpty();
  }

  /** A client that has just connected gets the time to send its first message. */
  #drainSession(session: ServerSession, withinMs: number): void {
    const graceMs = session.bytesReceived > 0 ? 0 : Math.min(withinMs, firstMessageMs - session.durationMs);
    if (graceMs <= 0) return session.drain(withinMs);
    this.#graces.set(
      session,
      this.#session.clock.after(graceMs, () => session.drain(withinMs - graceMs)),
    );
  }

  /** Serves an admitted connection, unless the server is full. */
  #serve(connection: Connection): void {
    const isFull = this.#occupied >= this.maxConnections || !this.#hasSpace;
    const refusal = isFull ? this.#fullError() : this.#scarceError(connection);
    if (refusal) {
      this.#release(connection.peer);
      this.#refuse(connection, refusal);
      return this.#checkEmpty();
    }
    const { started } = this;
    started?.sessionBegan();
    const closed = started
      ? (session: ServerSession, close: CloseHandler) => this.#sessionClosed(session, close, started)
      : this.#sessionClosed;
    const session = new ServerSession(++this.#lastId, this.#prepared(connection), this.#session, closed);
    this.sessions.add(session);
    session.start();
    if (this.#drainMs !== undefined) this.#drainSession(session, this.#drainMs);
  }

  /** The connection, which can go on over TLS later if the handler wants that. */
  #prepared(connection: Connection): Connection {
    const isPlain = !connection.security && !connection.framing;
    return isPlain && this.#session.handler.startsTls ? new UpgradableConnection(connection) : connection;
  }

  readonly #sessionClosed = (session: ServerSession, close: CloseHandler, started?: StartedHandler): void => {
    this.sessions.delete(session);
    const closed = close();
    if (closed) void this.#freeLater(session.peer, closed, started);
    else {
      this.#release(session.peer);
      started?.sessionEnded();
    }
    if (this.#drainMs !== undefined) {
      this.#graces.get(session)?.cancel();
      this.#graces.delete(session);
    }
    this.#checkEmpty();
  };

  /** Frees the place of a session that is over once its handler has ended what it started for it. */
  async #freeLater(peer: Address, closed: Promise<void>, started: StartedHandler | undefined): Promise<void> {
    this.#leaving++;
    await closed;
    this.#leaving--;
    this.#release(peer);
    started?.sessionEnded();
    this.#checkEmpty();
  }

  /** Places that sessions occupy. */
  get #occupied(): number {
    return this.sessions.size + this.#leaving;
  }

  /** The reason not to accept any connection now. */
  #closedError(): YodelError | undefined {
    if (this.#drainMs === undefined) return undefined;
    return new YodelError('YODEL_SHUTTING_DOWN', 'the server is shutting down');
  }

  #fullError(): YodelError {
    const text = `the server has reached its limit of ${this.maxConnections} connections; try again later`;
    // Nothing tells a ring of proxies from many clients. Only the log has this text: such a handler tells its clients nothing.
    const hint = isSilent(this.#session) ? ' (with few clients, the upstream may lead back here)' : '';
    return new YodelError('YODEL_TOO_MANY_CONNECTIONS', `${text}${hint}`);
  }

  /** Something else in the process has taken the descriptors that were left for connections. */
  #scarceError({ descriptor = -1 }: Connection): YodelError | undefined {
    if (descriptor < this.#capacity.refusedFrom) return undefined;
    const text = 'the server has no descriptors left for more connections (ulimit -n); try again later';
    return new YodelError('YODEL_TOO_MANY_CONNECTIONS', text);
  }

  /** Admits a few more than can be served: these are refused after their handshakes, with a reason. */
  #pendingRefusal(): YodelError | undefined {
    return this.#closedError() ?? (this.#hasSpace ? undefined : this.#fullError());
  }

  /** Whether there is a descriptor for one more, be it to refuse it. */
  get #hasSpace(): boolean {
    const { connections, refusals } = this.#capacity;
    return this.#occupied + this.#pending + this.#refusals.size < connections + refusals;
  }

  #refuse(connection: Connection, error: YodelError): void {
    this.#reportRefused(connection.peer, error);
    this.#refusals.refuse(connection, error, (connection.descriptor ?? -1) >= this.#capacity.resetFrom);
  }

  #reportRefused(peer: Address | undefined, error: YodelError): void {
    this.#telemetry.counters.connectionsRefused++;
    this.#telemetry.countError(error);
    if (this.#telemetry.watched) this.#telemetry.emit('refused', peer, error);
  }

  #reportLeft(peer: Address, error: PeerLeft): void {
    if (this.#telemetry.watched) this.#telemetry.emit('left', peer, error);
  }

  // Without rules, neither method reads the clock, which costs Node 50 ns each time.

  #admit(peer: Address): YodelError | undefined {
    const { clock } = this.#session;
    return this.#admission.hasRules ? this.#admission.admit(peer, clock.now(), clock.stalled()) : undefined;
  }

  #release(peer: Address): void {
    if (this.#admission.known > 0) this.#admission.release(peer, this.#session.clock.now());
  }
}

/** Whether the handler is one that tells its clients nothing, such as a proxy. */
function isSilent({ handler }: SessionSettings): boolean {
  return handler.forwarding === 'transparent';
}

/** How refused clients get the reason. */
function framingOf(session: SessionSettings): Framing | undefined {
  return isSilent(session) ? undefined : session.protocol.replyFraming;
}
