/** Handlers: the application's code that processes messages. */
import type { Address, SocketAddress } from '../address.ts';
import { YodelError } from '../errors.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { SessionView } from '../telemetry/telemetry.ts';
import type { MemoryKeeper, Security, ServerTls } from '../transport/transport.ts';
import type {
  HistoryOptions,
  JoinOptions,
  Recovery,
  RoomAction,
  RoomReach,
  StoredMessage,
  StoredMessages,
} from './joining.ts';

export type {
  HistoryOptions,
  JoinOptions,
  Recovery,
  RoomAction,
  RoomReach,
  StoredMessage,
  StoredMessages,
} from './joining.ts';

/**
 * A handler's reply to the same session: text, bytes, a message or a batch (whose frames are sent back byte for byte),
 * several of these in order, or nothing.
 */
export type Reply = string | Uint8Array | Message | Batch | readonly Reply[] | null | undefined | void;

/** One connection of the server, as its handler sees it. */
export interface Session extends SessionView {
  /** Counted from 1 over the life of the server. */
  readonly id: number;
  readonly peer: SocketAddress;
  readonly local: SocketAddress;
  /** The result of the TLS handshake, including the client's certificate; undefined without TLS. */
  readonly security: Security | undefined;
  /** For the handler's own data about this session. Initially empty. */
  readonly data: Record<string, unknown>;
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
   *   `YodelError` (`YODEL_UNENCODABLE_MESSAGE`) if this connection's framing cannot express the message, which is then not
   *   sent. Of a batch, the other messages are sent
   */
  send(message: string | Uint8Array | Message | Batch, to?: Message): boolean | YodelError;
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
  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array;
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
  /** The server: its rooms, and its other sessions. */
  readonly server: SessionServer;
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
   * Ends the session. What was sent still arrives; messages not handled yet are dropped.
   *
   * @param error the reason, if it is an error: the peer receives its text as a last reply, `error: …`, and it is logged
   */
  close(error?: YodelError): void;
  /**
   * Disconnects at once; what is unsent is lost.
   *
   * @param error the reason, for the log
   */
  abort(error?: YodelError): void;
}

/** How to send a message to a room. */
export interface RoomSendOptions {
  /** A member that does not receive it, such as the one that it came from. Default: all members receive it. */
  readonly except?: Session | undefined;
  /**
   * Replaces the message of the same key that members which are behind have not received yet: for states, such as positions and
   * prices, of which only the last matters. Default: every message matters.
   */
  readonly key?: string | undefined;
  /** Whether the room's history keeps it. Default: yes. For what is of no interest later, such as who comes and goes. */
  readonly history?: boolean | undefined;
  /** With `roomBehind: 'wait'`: the session that sends it, whose messages wait while the room is full. Default: none waits. */
  readonly from?: Session | undefined;
}

/** A named group of sessions. A room exists while it has members: there is nothing to create or delete. */
export interface Room {
  readonly name: string;
  /** The number of members, in all processes of the server. */
  readonly size: number;
  /** The members in this process, at this moment. */
  readonly members: readonly Session[];
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
   */
  send(message: string | Uint8Array | Message, options?: RoomSendOptions): RoomReach;
  /**
   * Stores a message in the history of the room, and sends it to all members. They receive what is stored in one order, the same in
   * all processes and for those who join later with {@link HistoryOptions}; between that and what is sent with {@link send} no order
   * is promised. The history is kept by the broker of the bus, by the journal, or in memory; see the guide for what that is worth.
   *
   * @returns the position of the message, once the store has taken it
   * @throws YodelError in the promise: `YODEL_BUS_UNAVAILABLE` if the bus is away: nobody receives it; or the message says that it is
   *   not known whether it is stored. `YODEL_STORE_FULL` if more than `busBuffer` waits for the store. `YODEL_NOT_RECORDED` if the disk
   *   of the journal is full: nobody receives it, and later ones may be stored again
   */
  store(message: string | Uint8Array | Message): Promise<string>;
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
  evict(session?: Session): number;
  /** Resolves when the members that are behind need less than half of `roomBuffer`: for senders that can wait. */
  drained(): Promise<void>;
}

/** The server of a session, as its handler sees it. */
export interface SessionServer {
  /** The open sessions, in this process. */
  readonly sessions: ReadonlySet<Session>;
  /**
   * The room of this name, whether or not it has members.
   *
   * @throws YodelError `YODEL_INVALID_ROOM` unless the name has 1 to 128 bytes and no control characters
   */
  room(name: string): Room;
  /** Sends a message to all sessions of the server, in all its processes. As {@link Room.send}. */
  broadcast(message: string | Uint8Array | Message, options?: RoomSendOptions): RoomReach;
}

/**
 * Called for each message, in order, while the connection is open. The return value is sent as the reply; a promise is
 * awaited first, and the session's next message waits for it. If it throws, the session is closed with an error reply.
 *
 * A handler may keep the message, but a stored message, or its `bytes`, keeps its whole chunk of up to 64 KiB in memory: store
 * `message.copy()` or `message.text`.
 */
export type MessageHandler = (message: Message, session: Session) => Reply | Promise<Reply>;

/** A handler with several callbacks. All are optional; `message` and `batch` exclude each other. */
export interface HandlerObject {
  /**
   * For handlers that pass messages on, such as to another server: their messages are binary unless the server's options say
   * otherwise, and frames of the connection's framing are sent exactly as they are, even with a line ending that the peer does
   * not use. With `transparent` the peer receives nothing but what the handler sends: instead of an error reply, its connection
   * is closed. Default: neither.
   */
  readonly forwarding?: 'frames' | 'transparent' | undefined;
  /**
   * How many descriptors (open files and sockets) a session takes at most besides its connection, such as 1 for a connection
   * to another server. The number of connections that fit into the process's limit depends on it. Default: 0.
   */
  readonly descriptors?: number | undefined;
  /** Whether sessions may go on over TLS later, with {@link Session.startTls}. Default: no. */
  readonly startsTls?: boolean | undefined;
  /**
   * Whether the promise that `close` returns is awaited: until it settles, the connection keeps its place among maxConnections
   * and maxConnectionsPerAddress, and a server that shuts down waits for it. For handlers whose programs or connections outlive
   * a session for a moment. Default: no.
   */
  readonly awaitsClose?: boolean | undefined;
  /** The address that the handler connects to for each session. A server that listens there itself does not start. */
  readonly upstream?: Address | undefined;
  /**
   * Whether the handler limits its own time, so that `handlerTimeout` does not apply to it: a proxy waits for its server for as
   * long as its own time-outs say. Default: no.
   */
  readonly limitsItself?: boolean | undefined;
  /**
   * Called once when the session begins, before any message. The connection is open. The return value is sent as a greeting;
   * a promise is awaited first, and messages wait for it.
   */
  open?(session: Session): Reply | Promise<Reply>;
  /** See {@link MessageHandler}. */
  message?(message: Message, session: Session): Reply | Promise<Reply>;
  /**
   * Called with all messages that one chunk completed, instead of `message`. This is the fastest form, because it does no work per
   * message. The connection is open. The return value is sent; a promise is awaited first. The batch's bytes are borrowed
   * until the handler returns, or until its promise settles: copy what you keep longer. Sending them, to any session, is
   * always safe. See {@link Batch.slices}.
   */
  batch?(batch: Batch, session: Session): Reply | Promise<Reply>;
  /**
   * Called once when all messages have been handled and no more will come: the peer has ended its side, the server shuts
   * down, or maxMessages was reached. `session.endedBy` says which, or `handler` if `session.end()` came first. The connection
   * is open. The return value is sent; a promise is awaited first, and more can be sent until it settles; then the session
   * ends. Not called after an error, nor after `session.close()` or `abort()`.
   */
  end?(session: Session): Reply | Promise<Reply>;
  /**
   * Called when the session has read too slowly and has missed messages of a room: as many as it was not sent, just before it
   * receives the next one. The return value is sent, such as a line that says so. Without this callback the session is closed
   * instead. `room` is `''` if they were broadcasts.
   */
  missed?(session: Session, room: string, messages: number): Reply;
  /**
   * Called for each message that was stored in a room, in each process that has members there, before they receive it, and for each
   * one that a session receives as history. What it returns is sent instead, such as the message with its position, from which
   * clients continue later. Without this callback, or if it returns nothing, the message is sent as it is.
   */
  stored?(message: StoredMessage, room: string): string | Uint8Array | Message | undefined;
  /**
   * Called when the session has lost a room that it had joined alone, because a session in another process was first. It is no
   * member any more. The return value is sent. Without this callback the session is closed instead.
   */
  taken?(session: Session, room: string): Reply;
  /**
   * Whether a client may do what it asks a built-in handler for: join a room, send to it, or receive its history. Handlers such as
   * `chat` ask this of the handler that they were made with. Absent: it may not.
   */
  authorize?(room: string, action: RoomAction, session: Session): boolean | Promise<boolean>;
  /**
   * Called once when the session is over. The connection is closed, and nothing can be sent. `error` is the reason; undefined
   * if both sides ended normally. A promise is awaited only with `awaitsClose`; its failure is reported in any case.
   */
  close?(session: Session, error: YodelError | undefined): void | Promise<void>;
}

/** A handler: a function that is called for each message, or an object with callbacks. */
export type Handler = MessageHandler | HandlerObject;

/**
 * The object form of a handler.
 *
 * @throws YodelError `YODEL_INVALID_HANDLER`
 */
export function resolveHandler(handler: unknown): HandlerObject {
  if (typeof handler === 'function') return nameHandler({ message: handler as MessageHandler }, handler.name);
  const invalid = (reason: string) => new YodelError('YODEL_INVALID_HANDLER', `${reason}. ${expectedForm}`);
  if (typeof handler !== 'object' || handler === null) throw invalid('this is not a handler');
  const callbacks = handler as Record<string, unknown>;
  const { forwarding } = callbacks;
  if (forwarding !== undefined && forwarding !== 'frames' && forwarding !== 'transparent')
    throw invalid('the handler\'s "forwarding" is neither "frames" nor "transparent"');
  if (callbacks.descriptors !== undefined && !isCount(callbacks.descriptors))
    throw invalid('the handler\'s "descriptors" is not a whole number from 0');
  const given = callbackNames.filter((name) => callbacks[name] !== undefined);
  if (given.length === 0) throw invalid('the handler has no callback');
  const wrong = given.find((name) => typeof callbacks[name] !== 'function');
  if (wrong !== undefined) throw invalid(`the handler's "${wrong}" is not a function`);
  if (callbacks.message && callbacks.batch) throw invalid('the handler has both "message" and "batch"');
  return handler as HandlerObject;
}

const names = new WeakMap<HandlerObject, string>();

/** @internal Says what the log calls a handler: its name on the command line, or its function's. Returns the handler. */
export function nameHandler(handler: HandlerObject, name: string): HandlerObject {
  names.set(handler, name);
  return handler;
}

/** @internal What the log calls a handler; undefined if it has no name. */
export function nameOfHandler(handler: HandlerObject): string | undefined {
  return names.get(handler);
}

/** @internal Whether a callback returned a promise: any object with a `then` method, as for `await`. */
export function isPromise<Value>(value: Value | Promise<Value>): value is Promise<Value> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

function isCount(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

const callbackNames = ['open', 'message', 'batch', 'end', 'close', 'missed', 'taken', 'authorize'];
const expectedForm =
  'A handler is a function (message, session) => reply, or an object with open, message or batch, end, and close';
