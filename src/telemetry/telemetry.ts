/**
 * The events and counters of a server. The core emits events and never logs: the log and the metrics are
 * subscribers. Without a subscriber an event costs one branch.
 */
import type { Address } from '../address.ts';
import { isOwnCode, type YodelError } from '../errors.ts';
import type { Framing } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { Protocol } from '../framing/protocol.ts';
import { Warnings } from '../warnings.ts';

/**
 * The first cause of a session's end: the peer, the handler (`session.end()`, `close()` or `abort()`, or because it threw or took
 * too long), the server's shutdown, or the limit `maxMessages`.
 */
export type EndedBy = 'peer' | 'handler' | 'shutdown' | 'limit';

/** A session, as a subscriber sees it. */
export interface SessionView {
  /** Counted from 1 over the life of the server. */
  readonly id: number;
  readonly peer: Address;
  readonly local: Address;
  /** The framing of what this connection receives: the server's, or the connection's own, such as WebSocket. */
  readonly framing: Framing;
  /** The framing of what this connection sends. */
  readonly replyFraming: Framing;
  /** The server's framings, which this connection uses unless it has its own. */
  readonly protocol: Protocol;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  /** Bytes that the operating system has taken. After a reset, the peer may not have got all of them. */
  readonly bytesSent: number;
  /** How many rooms it has joined. */
  readonly roomsJoined: number;
  /** Bytes of received messages that are waiting for the handler. */
  readonly queued: number;
  /** Bytes of replies that the operating system has not taken yet; in `closed`, those that it never took. */
  readonly unsent: number;
  /** Milliseconds since it began; in `closed`, its whole duration. */
  readonly durationMs: number;
  /** The first cause of its end. Meaningful only once the session is over, and ended without an error. */
  readonly endedBy: EndedBy;
}

/** A fault that was applied on purpose. */
export interface FaultReport {
  /** The name of the fault. */
  readonly name: string;
  /** What it does, such as `drop`. */
  readonly kind: string;
  readonly direction: 'request' | 'reply';
  /** The number of the message in its direction, from 1; undefined if it was not caused by a message. */
  readonly message: number | undefined;
}

/**
 * What may happen to the bus between servers. `connected`: for the first time, or again. `disconnected`: rooms reach only the
 * members in this process; again if there is another reason. `refused`: it has refused something, or what came from it could
 * not be read.
 */
export type BusEvent = 'connected' | 'disconnected' | 'refused';

/** The events. Every method is optional. It is called synchronously and must be fast; if it throws, or returns a promise that rejects, the process emits a warning, at most ten a second. */
export interface Subscriber {
  /** The server listens at an address. */
  listening?(address: Address): void;
  /** The server accepts no more connections, and ends its sessions. */
  draining?(sessions: number): void;
  /** A connection was refused, or accepting one failed; `peer` is then undefined. */
  refused?(peer: Address | undefined, error: YodelError): void;
  /** A peer left before its handshakes were complete without having sent a byte, as health checks do; `error` describes it. */
  left?(peer: Address, error: YodelError): void;
  /** A session began. */
  opened?(session: SessionView): void;
  /** Messages were admitted and go to the handler. The batch's bytes are borrowed for the call. */
  received?(session: SessionView, batch: Batch): void;
  /** The handler received messages from a server or program behind it, for this session. The bytes are borrowed for the call. */
  relayed?(session: SessionView, batch: Batch): void;
  /** A fault was applied on purpose, to one of the session's messages or to the session. */
  faulted?(session: SessionView, applied: FaultReport): void;
  /**
   * Whole frames are written to the peer. The bytes are borrowed for the call. Subscribing costs a call per write.
   *
   * @param isShared whether they were sent to a room, and go to all its members; see `published`. Default: no
   */
  sent?(session: SessionView, bytes: Uint8Array, isShared?: boolean): void;
  /** The peer has ended its side, and all of its messages went to the handler. Replies to them may follow. */
  inputEnded?(session: SessionView): void;
  /** The handler took `durationMs` to answer `messages` messages. Subscribing costs two clock readings per call. */
  handled?(session: SessionView, messages: number, durationMs: number): void;
  /** Messages were discarded (`onTooLong: 'discard'`, or the journal could not record them); the session continues. */
  discarded?(session: SessionView, error: YodelError): void;
  /** Messages were not sent to this peer, because its framing cannot express them: `error` says why of the first. The session continues. */
  undelivered?(session: SessionView, error: YodelError, messages: number): void;
  /** A session became a member of a room. */
  roomJoined?(session: SessionView, room: string): void;
  /** A session is no longer a member of a room. */
  roomLeft?(session: SessionView, room: string): void;
  /** A room was sent messages, which go to its members in this process. A broadcast to all sessions has the name "". */
  published?(room: string, messages: readonly PublishedMessage[], members: number): void;
  /** A member of a room has missed messages: it read too slowly, or they were lost on the way from another process. */
  missed?(session: SessionView, room: string, messages: number): void;
  /** Messages that another process sent to a room were lost on the way to this one; `missed` is called for each member, too. */
  roomLost?(room: string, messages: number, members: number): void;
  /** Something has happened to the bus between servers. The reason of `connected` is its name. */
  bus?(event: BusEvent, reason: string): void;
  /**
   * The handler failed. `error.cause` is what it threw; an error of its own that it threw after the session was over is `error`
   * itself. One that ends the session is only in `closed`.
   */
  handlerFailed?(session: SessionView, error: YodelError): void;
  /** The `stop` of the handler failed, or took too long. `error.cause` is what it threw; an error of its own is `error` itself. */
  stopFailed?(error: YodelError): void;
  /** A session is over. Without an error, both sides ended normally. */
  closed?(session: SessionView, error: YodelError | undefined): void;
}

/** A message that a room was sent. */
export interface PublishedMessage {
  readonly message: string | Uint8Array | Message;
}

/** Counts since the server began. */
export interface Counters {
  connectionsAccepted: number;
  connectionsRefused: number;
  connectionsOpen: number;
  messagesReceived: number;
  messagesSent: number;
  /** Messages that were not sent to a peer, because its framing cannot express them. */
  messagesUndelivered: number;
  /** Rooms that exist now. */
  rooms: number;
  /** Memberships that exist now. */
  roomMembers: number;
  /** Bytes that the histories of rooms take now. */
  roomHistoryBytes: number;
  /** Bytes that what rooms have stored takes now, in memory or in the journal. 0 if a broker keeps it. */
  roomStoredBytes: number;
  /** Messages that rooms were sent. */
  roomMessages: number;
  /** Messages of this process that were stored in rooms. */
  roomMessagesStored: number;
  /** Messages that members of rooms have missed: because they read too slowly, or because of `roomMessagesLost`. */
  roomMessagesMissed: number;
  /** Messages that other processes sent to rooms with members here, and that were lost on the way. */
  roomMessagesLost: number;
  /** Messages that members which were behind did not receive because newer ones with the same key replaced them. */
  roomMessagesReplaced: number;
  bytesReceived: number;
  bytesSent: number;
  /** The number of errors per code. Of the program's own codes, the first 100 count by themselves, others as `other`. */
  readonly errors: Map<string, number>;
  /** Of the bus between servers; undefined without one. */
  bus: BusCounters | undefined;
}

/** Counts of the bus between servers since this one began. */
export interface BusCounters {
  /** Whether there is a connection to it now. */
  isConnected: boolean;
  /** Connections after the first one. */
  reconnects: number;
  /** What this server has sent. A packet has messages of one room, or tells about this server. */
  packetsSent: number;
  /** The bytes of these packets, without what the protocol of the bus adds. */
  bytesSent: number;
  /** What came from the bus. Redis also returns what this server has sent itself. */
  packetsReceived: number;
  bytesReceived: number;
  /** Bytes that the bus has not taken yet: what `busBuffer` limits. */
  bytesWaiting: number;
  /** Messages that rooms were sent here and that were not sent to other servers, because the bus was away or too slow. */
  messagesUnsent: number;
  /** What the bus has refused, such as a subject without permission, and packets from it that could not be read. */
  refused: number;
}

/** A program that makes codes of what peers send must not fill the memory, nor the metrics. */
const maxOwnCodes = 100;
const otherCodes = 'other';

/**
 * Where events are published for whoever subscribes to them by name: the channels of the runtime. They know at any time whether
 * somebody does.
 */
export interface EventChannels {
  readonly channels: Readonly<Record<keyof Subscriber, { readonly hasSubscribers: boolean }>>;
  publish(event: keyof Subscriber, details: readonly unknown[]): void;
}

/** A server's events and counters. */
export class Telemetry {
  readonly counters: Counters = {
    connectionsAccepted: 0,
    connectionsRefused: 0,
    connectionsOpen: 0,
    messagesReceived: 0,
    messagesSent: 0,
    messagesUndelivered: 0,
    rooms: 0,
    roomMembers: 0,
    roomHistoryBytes: 0,
    roomStoredBytes: 0,
    roomMessages: 0,
    roomMessagesStored: 0,
    roomMessagesMissed: 0,
    roomMessagesLost: 0,
    roomMessagesReplaced: 0,
    bytesReceived: 0,
    bytesSent: 0,
    errors: new Map(),
    bus: undefined,
  };
  /** Replaced when it changes, because it may change while it is iterated over. */
  #subscribers: readonly Subscriber[] = [];
  readonly #channels: EventChannels | undefined;
  readonly #warnings = new Warnings();
  /** How many codes of the program's own errors were counted by themselves. */
  #ownCodes = 0;
  #isWatched = false;
  #isReceivedWatched = false;
  #isTimed = false;
  #isSentWatched = false;

  /** @param channels where events are published besides. Default: nowhere */
  constructor(channels?: EventChannels) {
    this.#channels = channels;
  }

  /** Whether there are subscribers to any event. Check it before emitting. For `received`, which is frequent, there is one of its own. */
  get watched(): boolean {
    return this.#isWatched || (this.#channels !== undefined && hasSubscribers(this.#channels));
  }

  /** Whether a subscriber observes what is received. */
  get observesReceived(): boolean {
    return this.#isReceivedWatched || this.#channels?.channels.received.hasSubscribers === true;
  }

  /** Whether a subscriber measures handlers. */
  get timed(): boolean {
    return this.#isTimed || this.#channels?.channels.handled.hasSubscribers === true;
  }

  /** Whether a subscriber observes what is sent. */
  get observesSent(): boolean {
    return this.#isSentWatched || this.#channels?.channels.sent.hasSubscribers === true;
  }

  /** Adds a subscriber. Returns a function that removes it. */
  subscribe(subscriber: Subscriber): () => void {
    this.#setSubscribers([...this.#subscribers, subscriber]);
    let isSubscribed = true;
    return () => {
      const index = isSubscribed ? this.#subscribers.indexOf(subscriber) : -1;
      isSubscribed = false;
      if (index !== -1) this.#setSubscribers(this.#subscribers.toSpliced(index, 1));
    };
  }

  #setSubscribers(subscribers: readonly Subscriber[]): void {
    this.#subscribers = subscribers;
    this.#isWatched = subscribers.length > 0;
    this.#isReceivedWatched = subscribers.some(({ received }) => received);
    this.#isTimed = subscribers.some(({ handled }) => handled);
    this.#isSentWatched = subscribers.some(({ sent }) => sent);
  }

  /** Calls all subscribers, in the order in which they have subscribed, and publishes the event. */
  emit<Name extends keyof Subscriber>(name: Name, ...details: Parameters<NonNullable<Subscriber[Name]>>): void {
    for (const subscriber of this.#subscribers) {
      try {
        const returned = (subscriber[name] as ((...all: unknown[]) => unknown) | undefined)?.(...details);
        // A method may be async. It is not awaited.
        if (returned instanceof Promise) returned.catch((thrown: unknown) => this.#warnings.emit(thrown));
      } catch (thrown) {
        // A failing subscriber must not disturb the server or other subscribers, but its bug must be visible.
        this.#warnings.emit(thrown);
      }
    }
    if (this.#channels?.channels[name].hasSubscribers) this.#channels.publish(name, details);
  }

  /** Whether anybody learns of this event. */
  #isObserved(name: keyof Subscriber): boolean {
    return (
      this.#subscribers.some((subscriber) => subscriber[name]) || this.#channels?.channels[name].hasSubscribers === true
    );
  }

  /** Reports a failed handler to the subscribers. Without any, the process emits a warning, at most ten a second. */
  handlerFailed(session: SessionView, error: YodelError): void {
    if (this.#isObserved('handlerFailed')) this.emit('handlerFailed', session, error);
    else this.#warn(error);
  }

  /** Counts and reports a failure of a handler's `stop`, as {@link handlerFailed}. */
  stopFailed(error: YodelError): void {
    this.countError(error);
    if (this.#isObserved('stopFailed')) this.emit('stopFailed', error);
    else this.#warn(error);
  }

  /** The program's own error, or what the handler threw. */
  #warn(error: YodelError): void {
    this.#warnings.emit(!isOwnCode(error.code) && error.cause instanceof Error ? error.cause : error);
  }

  /** Counts and reports messages that could not be sent to a peer. @param error of the first one */
  undelivered(session: SessionView, error: YodelError, messages: number): void {
    this.counters.messagesUndelivered += messages;
    this.countError(error, messages);
    if (this.watched) this.emit('undelivered', session, error, messages);
  }

  countError(error: YodelError, times = 1): void {
    const { errors } = this.counters;
    const isOneTooMany = isOwnCode(error.code) && !errors.has(error.code) && ++this.#ownCodes > maxOwnCodes;
    const code = isOneTooMany ? otherCodes : error.code;
    errors.set(code, (errors.get(code) ?? 0) + times);
  }
}

/** Asked only for events that are rare. */
function hasSubscribers({ channels }: EventChannels): boolean {
  for (const name in channels) if (channels[name as keyof Subscriber].hasSubscribers) return true;
  return false;
}
