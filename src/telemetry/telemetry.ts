/**
 * What happens in a server, as events and counters. The core tells it here and never logs: the log, the metrics and
 * the dashboard are subscribers. With nobody subscribed an event costs one branch.
 */
import type { Address } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Batch } from '../framing/message.ts';

/**
 * Who was the first to end a session: the peer, the handler (`session.close()` or `abort()`), the server's shutdown, or
 * the limit `maxMessages`.
 */
export type EndedBy = 'peer' | 'handler' | 'shutdown' | 'limit';

/** What a subscriber may know of a session. */
export interface SessionView {
  /** Counted from 1 over the life of the server. */
  readonly id: number;
  readonly peer: Address;
  readonly local: Address;
  readonly messagesReceived: number;
  readonly messagesSent: number;
  readonly bytesReceived: number;
  readonly bytesSent: number;
  /** Bytes of messages that have come and wait for the handler. */
  readonly queued: number;
  /** Bytes of replies that the operating system has not taken yet. */
  readonly unsent: number;
  /** Milliseconds since it began, up to now; in `closed`, all the time that it took. */
  readonly durationMs: number;
  /** Who ended it. It says something once the session is over without an error; until then, and with one, it has no meaning. */
  readonly endedBy: EndedBy;
}

/** What can be subscribed to. Every method is optional, and is called synchronously: it must be quick. If it throws, that goes to the process's warnings. */
export interface Subscriber {
  /** The server listens at an address. */
  listening?(address: Address): void;
  /** The server takes no new connections any more; its sessions are being ended. */
  draining?(sessions: number): void;
  /** A connection was not taken, or accepting failed (then there is no peer). */
  refused?(peer: Address | undefined, error: YodelError): void;
  /** A session begins. */
  opened?(session: SessionView): void;
  /** Messages go to the handler. The batch's bytes are borrowed for the call. */
  received?(session: SessionView, batch: Batch): void;
  /** Bytes go to the peer: whole frames, as they are written. They are borrowed for the call. Asking for it costs a look at each write. */
  sent?(session: SessionView, bytes: Uint8Array): void;
  /** The handler has answered so many messages of a session, after so many milliseconds. Asking for it costs a look at the clock for each call. */
  handled?(session: SessionView, messages: number, durationMs: number): void;
  /** A message was discarded (`onTooLong: 'discard'`); the session goes on. */
  discarded?(session: SessionView, error: YodelError): void;
  /** The handler threw. `error.cause` is what it threw. */
  handlerFailed?(session: SessionView, error: YodelError): void;
  /** A session is over. Without an error it ended as both sides wished. */
  closed?(session: SessionView, error: YodelError | undefined): void;
}

/** Counts since the server began. */
export interface Counters {
  connectionsAccepted: number;
  connectionsRefused: number;
  connectionsOpen: number;
  messagesReceived: number;
  messagesSent: number;
  bytesReceived: number;
  bytesSent: number;
  /** How often each error code was met. */
  readonly errors: Map<string, number>;
}

/** A server's events and counters. */
export class Telemetry {
  readonly counters: Counters = {
    connectionsAccepted: 0,
    connectionsRefused: 0,
    connectionsOpen: 0,
    messagesReceived: 0,
    messagesSent: 0,
    bytesReceived: 0,
    bytesSent: 0,
    errors: new Map(),
  };
  readonly #subscribers: Subscriber[] = [];
  /** Whether anybody is subscribed: look before you emit. */
  watched = false;
  /** Whether anybody wants to know how long handlers take. */
  timed = false;
  /** Whether anybody wants to see what is sent. */
  overheard = false;

  /** Begins to tell `subscriber` what happens. */
  subscribe(subscriber: Subscriber): void {
    this.#subscribers.push(subscriber);
    this.watched = true;
    if (subscriber.handled) this.timed = true;
    if (subscriber.sent) this.overheard = true;
  }

  /** Tells all subscribers. */
  emit<Name extends keyof Subscriber>(name: Name, ...details: Parameters<NonNullable<Subscriber[Name]>>): void {
    for (const subscriber of this.#subscribers) {
      try {
        (subscriber[name] as ((...all: unknown[]) => void) | undefined)?.(...details);
      } catch (thrown) {
        // Whoever watches must not disturb what is watched; but a bug must be seen.
        process.emitWarning(thrown instanceof Error ? thrown : String(thrown));
      }
    }
  }

  /** Tells the subscribers of a handler that failed; with none, it goes to the process's warnings. */
  handlerFailed(session: SessionView, error: YodelError): void {
    if (this.#subscribers.some((subscriber) => subscriber.handlerFailed)) this.emit('handlerFailed', session, error);
    // A bug must not vanish because nobody subscribed to it.
    else process.emitWarning(error.cause instanceof Error ? error.cause : error);
  }

  countError(error: YodelError): void {
    const { errors } = this.counters;
    errors.set(error.code, (errors.get(error.code) ?? 0) + 1);
  }
}

/** One subscriber that tells all of these. */
export function allOf(subscribers: readonly Subscriber[]): Subscriber {
  const namesOf = (one: Subscriber) => (Object.keys(one) as (keyof Subscriber)[]).filter((name) => one[name]);
  // What none of them wants to know must not seem to be wanted.
  const names = new Set(subscribers.flatMap(namesOf));
  const entries = [...names].map((name) => {
    const told = subscribers.filter((one) => one[name]);
    const tell = (...details: unknown[]) => {
      for (const one of told) (one[name] as (...all: unknown[]) => void)(...details);
    };
    return [name, tell] as const;
  });
  return Object.fromEntries(entries);
}
