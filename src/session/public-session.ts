/** A session, its server and its rooms, as handlers see them. */
import type { SocketAddress } from '../address.ts';
import type { Timer } from '../clock.ts';
import type { MaybeCodec, Received, Sendable } from '../codec/codec.ts';
import type { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { RequestOptions } from '../requests/request-options.ts';
import type { SessionView } from '../telemetry/telemetry.ts';
import type { MemoryKeeper, Security, ServerTls, UpgradeRequest } from '../transport/transport.ts';
import type { HistoryOptions, JoinOptions, Recovery, RoomReach, StoredMessages } from './joining.ts';

/** One connection of the server, as its handler sees it. */
export interface Session<Data = unknown, C extends MaybeCodec = undefined> extends SessionView {
  /** Counted from 1 over the life of the server. */
  readonly id: number;
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  /** The result of the TLS handshake, including the client's certificate; undefined without TLS. */
  readonly security: Security | undefined;
  /** The request that opened the WebSocket; undefined for other connections. */
  readonly upgrade: UpgradeRequest | undefined;
  /** The handler's own data about this session: what the option `data` or `authorizeUpgrade` returned; without, an object that is empty at first. */
  readonly data: Data;
  /**
   * Aborted when the session is over, or the handler has exceeded `handlerTimeout`: for handlers that await something. The
   * reason is the error that ends the session, if there is one.
   */
  readonly signal: AbortSignal;
  /** Whether the session can no longer send. */
  readonly ended: boolean;
  /**
   * Sends a message or all messages of a batch, at any time. They are sent with the replies of the current batch, or at the
   * end of the current turn of the event loop. They may come from any connection: frames of the same framing are sent as they
   * arrived, others are encoded again from payload and header.
   *
   * @param to the message that this one answers; text and bytes get the same line ending, header or kind
   * @returns true; false if more than highWaterMark is pending (await {@link drained}), or the session has ended; a
   *   `YodelError` (`YODEL_UNENCODABLE_MESSAGE`) if this connection's framing cannot express the message, or the codec the value,
   *   which is then not sent. Of a batch, the other messages are sent
   */
  send(message: Sendable<C> | Batch, to?: Message): boolean | YodelError;
  /**
   * Sends a message to the peer and resolves with its reply. Any number may be in flight. How the reply is found depends on the
   * option `correlate`:
   *
   * - By order, the default: the next message that the handler has not received answers the oldest request, also a request that
   *   timed out. For prompts, and for peers that send nothing else while they owe a reply.
   * - By ids: the message with the id of the request, as soon as it has arrived, whatever waits before it.
   *
   * The handler does not receive replies. It may await them: they do not wait for it, and its `handlerTimeout` stands still
   * meanwhile. Handle the rejection: peers may leave at any time. A callback that lets it through, because the session ended,
   * has not failed: the session ends without an error.
   *
   * @param options.timeoutMs default: the option `requestTimeout`; 0 for no limit
   * @throws YodelError in the promise: `YODEL_REQUEST_TIMEOUT`; `YODEL_UNENCODABLE_MESSAGE`, `YODEL_INVALID_REQUEST_ID` and
   *   `YODEL_TOO_MANY_REQUESTS`: it was not sent; `YODEL_INVALID_OPTION`; `YODEL_CONNECTION_CLOSED` or `YODEL_SHUTTING_DOWN`, or the
   *   error with which the session ended; the signal's reason when it is aborted
   */
  request(message: Sendable<C>, options?: RequestOptions): Promise<Received<C>>;
  /**
   * Sends bytes as they are, for frames that are truncated or invalid on purpose. The caller is responsible for framing.
   *
   * @param messages the number of messages that end in these bytes, for the counters. Default 0
   * @returns as {@link send}
   */
  write(bytes: Uint8Array, messages?: number): boolean;
  /**
   * The frame that {@link send} would send.
   *
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE`
   */
  encode(message: Sendable<C>, to?: Message): Uint8Array;
  /**
   * Reports a message of this session that the handler could not pass on, because its target cannot express it. It is counted,
   * logged as undelivered, and changes nothing else.
   *
   * @param messages if there are several: how many; `error` is that of the first one. Default 1
   */
  undelivered(error: YodelError, messages?: number): void;
  /**
   * Reports messages that the handler received for this session from a server or program behind it, before it passes them on:
   * the log shows them. Without a subscriber it costs nothing.
   */
  relayed(batch: Batch): void;
  /**
   * Says how many bytes the handler itself buffers for this session now, such as in a queue of its own: they count against
   * maxPendingBytes. Nothing buffered: 0. Messages that it was called with count without that until its promise is settled.
   */
  reportBuffered(bytes: number): void;
  /**
   * @internal Counts memory that the handler or its connections keep, once with what the session's own connection keeps of it.
   * {@link reportBuffered} must follow each change.
   */
  readonly keeper: MemoryKeeper;
  /** Resolves when the peer has caught up or the session has ended. */
  drained(): Promise<void>;
  /**
   * Calls a function once, in `delayMs` milliseconds, unless the session has ended before: for what a peer must do in time, such as to
   * log in, and for what the handler does without being asked. It is called after everything that the peer has sent until then was
   * read; time in which the process did not run does not count. What it returns is not sent; if it throws or rejects, the session is
   * closed as if the handler had thrown. In tests the time is that of the fake clock.
   *
   * @returns the timer, which can be cancelled
   * @throws YodelError `YODEL_INVALID_OPTION`
   */
  after(delayMs: number, run: () => void): Timer;
  /** The server: its rooms, and its other sessions. */
  readonly server: SessionServer<Data, C>;
  /** The names of the rooms that it is in, at this moment. */
  readonly rooms: ReadonlySet<string>;
  /**
   * Becomes a member of a room, and receives what was stored in it before: see {@link Room.store}. First comes the history, then what
   * is stored meanwhile and later, each message once, in order. The promise resolves when the history is sent, and the session is a
   * member. Await it before the session's next message is handled. If it is a member already, it leaves the room first.
   *
   * @throws YodelError in the promise: as below; `YODEL_INVALID_POSITION`; `YODEL_INVALID_OPTION`; `YODEL_BUS_UNAVAILABLE` if the history cannot be read:
   *   the session is no member then
   */
  join(room: string, options: HistoryOptions & JoinOptions): Promise<Recovery>;
  /**
   * Becomes a member of a room: it receives what the room is sent from now on, until it leaves or ends. If it is a member
   * already, only its name changes; if it has ended, nothing happens.
   *
   * @throws YodelError `YODEL_INVALID_ROOM` unless the name has 1 to 128 bytes and no control characters;
   *   `YODEL_TOO_MANY_ROOMS` and `YODEL_JOIN_RATE` above the limits; `YODEL_ROOM_TAKEN` if it cannot be alone
   */
  join(room: string, options?: JoinOptions): void;
  /** Leaves a room. What the room was sent before still arrives. Returns whether it was a member. */
  leave(room: string): boolean;
  /**
   * Goes on over TLS: STARTTLS. What was sent before leaves in plain text, such as the reply that grants it; what is sent while
   * the promise is pending follows the handshake. Call it in `message`, and await it there, so that no other message is
   * handled meanwhile. The protocol begins anew, without a greeting. Needs `startsTls` in the handler, and a connection without
   * TLS or WebSocket.
   *
   * @throws YodelError `YODEL_TLS` when the handshake fails, or the client has sent more in plain text after its request, which
   *   anyone may have injected; `YODEL_INVALID_OPTION` when this connection cannot
   */
  startTls(tls: ServerTls): Promise<void>;
  /**
   * Ends the output: FIN follows what was sent. Messages are still received and handled until the peer ends as well.
   * {@link ended} is true from now on.
   */
  end(): void;
  /**
   * Ends the session. What was sent still arrives; messages not handled yet are dropped. With `concurrency`, calls in flight are answered
   * first.
   *
   * @param error the reason, if it is an error: the peer receives its `reply` as a last reply, `error: …`, and it is logged. Its
   *   code may be one of the program's own
   */
  close(error?: YodelError): void;
  /**
   * Disconnects at once; what is unsent is lost.
   *
   * @param error the reason, for the log. Its code may be one of the program's own
   */
  abort(error?: YodelError): void;
}

/** How to send a message to a room. */
export interface RoomSendOptions {
  /** A member that does not receive it, such as the one that it came from. Default: all members receive it. */
  readonly except?: AnySession | undefined;
  /**
   * Replaces the message of the same key that members which are behind have not received yet: for states, such as positions and
   * prices, of which only the last matters. Default: every message matters.
   */
  readonly key?: string | undefined;
  /** Whether the room's history keeps it. Default: yes. For what is of no interest later, such as who comes and goes. */
  readonly history?: boolean | undefined;
  /** With `roomBehind: 'wait'`: the session that sends it, whose messages wait while the room is full. Default: none waits. */
  readonly from?: AnySession | undefined;
}

/** A named group of sessions. A room exists while it has members: there is nothing to create or delete. */
export interface Room<Data = unknown, C extends MaybeCodec = undefined> {
  readonly name: string;
  /** The number of members, in all processes of the server. */
  readonly size: number;
  /** The members in this process, at this moment. */
  readonly members: readonly Session<Data, C>[];
  /**
   * The names of members that have joined with one, in all processes: those first that have been there longest. Answered from
   * memory: each process knows at most 100 names of every other one. New ones are known there within 100 ms.
   *
   * @param limit at most this number. Default: 100
   */
  names(limit?: number): string[];
  /**
   * Sends a message to all members: also to the one that it came from, unless it is excepted. All that a room is sent in one turn
   * of the event loop leaves at its end, in one write for each member.
   *
   * A member that reads too slowly receives what it can, and is told how many messages it has missed; see the option `roomBehind`.
   *
   * @returns `all`; `local` if members in other processes do not receive it, because the bus is away
   * @throws YodelError `YODEL_UNENCODABLE_MESSAGE` if the codec cannot express the value
   */
  send(message: Sendable<C>, options?: RoomSendOptions): RoomReach;
  /**
   * Stores a message in the history of the room, and sends it to all members. They receive what is stored in one order, the same in
   * all processes and for those who join later with {@link HistoryOptions}; between that and what is sent with {@link send} no order
   * is promised. The history is kept by the broker of the bus, by the journal, or in memory; see the guide for what that is worth.
   *
   * @returns the position of the message, once the store has taken it
   * @throws YodelError in the promise: `YODEL_BUS_UNAVAILABLE` if the bus is away: nobody receives it; or the message says that it is
   *   not known whether it is stored. `YODEL_STORE_FULL` if more than `busBuffer` waits for the store. `YODEL_NOT_RECORDED` if the disk
   *   of the journal is full: nobody receives it, and later ones may be stored again. `YODEL_UNENCODABLE_MESSAGE` if the codec cannot
   *   express the value
   */
  store(message: Sendable<C>): Promise<string>;
  /**
   * Reads the history: for programs that are no member.
   *
   * @param options see {@link HistoryOptions}. After a position, at most about 256 KiB at a time: go on with the one that is returned
   * @throws YodelError in the promise: `YODEL_INVALID_POSITION`, `YODEL_INVALID_OPTION`, `YODEL_BUS_UNAVAILABLE`
   */
  read(options: HistoryOptions): Promise<StoredMessages>;
  /** The last messages that the room was sent in this process, at most `roomHistory` of them, the oldest first. */
  history(): readonly Message[];
  /** Ends the membership of a session, or of all members in this process. Returns how many there were. */
  evict(session?: AnySession): number;
  /** Resolves when the members that are behind need less than half of `roomBuffer`: for senders that can wait. */
  drained(): Promise<void>;
}

/** The server of a session, as its handler sees it. */
export interface SessionServer<Data = unknown, C extends MaybeCodec = undefined> {
  /** The open sessions, in this process. */
  readonly sessions: ReadonlySet<Session<Data, C>>;
  /** Whether the server is shutting down: who leaves now does not leave by themselves. */
  readonly closing: boolean;
  /**
   * The room of this name, whether or not it has members.
   *
   * @throws YodelError `YODEL_INVALID_ROOM` unless the name has 1 to 128 bytes and no control characters
   */
  room(name: string): Room<Data, C>;
  /** Sends a message to all sessions of the server, in all its processes. As {@link Room.send}. */
  broadcast(message: Sendable<C>, options?: RoomSendOptions): RoomReach;
}

/** A session with any data and any codec. */
// biome-ignore lint/suspicious/noExplicitAny: sending is contravariant, so only this accepts all sessions
export type AnySession = Session<any, any>;
