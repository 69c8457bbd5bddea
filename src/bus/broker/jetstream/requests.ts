/**
 * Requests to NATS over a connection that is made once, such as those of JetStream.
 *
 * Replies arrive below the prefix of the bus, so that nodes need no further permission to subscribe. Whatever happens to the
 * connection, each request ends.
 */
import { randomUUID } from 'node:crypto';
import type { Msg, MsgHdrs, NatsConnection } from '@nats-io/transport-node';
import { realClock, type Timer } from '../../../clock.ts';

/** Nobody is there who would answer: JetStream is off, or there is no such stream. */
export class NoReplyError extends Error {}

/** There was no answer in time: it is not known what the server has done. */
export class SilentError extends Error {}

const defaultSilentMs = 5000;
/** After this, there are no more answers. */
const idleMs = 500;

/** What else a request has. */
export interface NatsRequestOptions {
  readonly header?: readonly [string, string];
  /** The time-out. Default: 5 s. */
  readonly silentMs?: number;
}

type Library = typeof import('@nats-io/transport-node');

interface Pending {
  readonly subject: string;
  readonly timer: Timer;
  readonly resolve: (message: Msg) => void;
  readonly reject: (error: Error) => void;
}

/** See the top of the file. */
export class NatsRequests {
  readonly #connection: NatsConnection;
  readonly #headers: Library['headers'];
  readonly #inbox: string;
  readonly #pending = new Map<string, Pending>();
  #requests = 0;
  #closed: Error | undefined;

  constructor(connection: NatsConnection, { headers }: Pick<Library, 'headers'>, prefix: string) {
    this.#connection = connection;
    this.#headers = headers;
    this.#inbox = `${prefix}.inbox.${randomUUID()}.`;
    connection.subscribe(`${this.#inbox}*`, {
      callback: (error, message) => {
        if (error) this.close(error.message);
        else this.#received(message.subject.slice(this.#inbox.length), message);
      },
    });
  }

  /** @throws Error if the connection is lost; {@link SilentError}, {@link NoReplyError} */
  async request(
    subject: string,
    payload: string | Uint8Array,
    { header, silentMs = defaultSilentMs }: NatsRequestOptions = {},
  ): Promise<Msg> {
    return await new Promise<Msg>((resolve, reject) => {
      const token = this.#wait({ subject, resolve, reject }, silentMs);
      const headers = this.#headers();
      if (header) headers.set(...header);
      this.#publish(token, subject, payload, { reply: this.#inbox + token, ...(header ? { headers } : {}) });
    });
  }

  /**
   * Makes a request with several answers. It also ends when no more come for a while: where the size of what is asked for is
   * limited, JetStream does not say so if it is just reached.
   *
   * @param take called with each; returns whether it was the last one
   * @throws as {@link request}, if there is no answer at all
   */
  async collect(subject: string, payload: string, take: (message: Msg) => boolean): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<Msg>();
    const token = this.#wait({ subject, resolve, reject }, defaultSilentMs);
    // Not below the other inbox: JetStream delivers what a stream has with the subject that it has there.
    const reply = `${this.#inbox}${token}.all`;
    let [last, seen]: (Msg | undefined)[] = [];
    const subscription = this.#connection.subscribe(reply, {
      callback: (error, message) => {
        last = message;
        if (error) this.#take(token)?.reject(error);
        else if (take(message)) this.#received(token, message);
      },
    });
    const look = () => {
      if (last && last === seen) return void this.#received(token, last);
      seen = last;
      timer = realClock.after(idleMs, look);
    };
    let timer = realClock.after(idleMs, look);
    this.#publish(token, subject, payload, { reply });
    try {
      await promise;
    } finally {
      timer.cancel();
      subscription.unsubscribe();
    }
  }

  /** The server has refused what was published on the subject. @returns whether that was a request */
  refused(subject: string, error: Error): boolean {
    const tokens = [...this.#pending].filter(([, pending]) => pending.subject === subject).map(([token]) => token);
    for (const token of tokens) this.#take(token)?.reject(error);
    return tokens.length > 0;
  }

  /** All requests end, now and later. */
  close(reason: string): void {
    this.#closed ??= new Error(reason);
    for (const token of [...this.#pending.keys()]) this.#take(token)?.reject(this.#closed);
  }

  #wait({ subject, resolve, reject }: Omit<Pending, 'timer'>, silentMs: number): string {
    if (this.#closed) throw this.#closed;
    const token = (++this.#requests).toString(36);
    const timer = realClock.deadline(silentMs, () => {
      this.#take(token)?.reject(new SilentError(`no answer on ${subject} for ${silentMs / 1000} s`));
    });
    this.#pending.set(token, { subject, timer, resolve, reject });
    return token;
  }

  #publish(
    token: string,
    subject: string,
    payload: string | Uint8Array,
    options: { readonly reply: string; readonly headers?: MsgHdrs },
  ): void {
    try {
      this.#connection.publish(subject, payload, options);
    } catch (error) {
      this.#take(token)?.reject(error as Error);
    }
  }

  #received(token: string, message: Msg): void {
    const pending = this.#take(token);
    if (!pending) return;
    if (message.data.length === 0 && message.headers?.code === 503) {
      pending.reject(new NoReplyError(`there is no responder on ${pending.subject}`));
    } else pending.resolve(message);
  }

  #take(token: string): Pending | undefined {
    const pending = this.#pending.get(token);
    this.#pending.delete(token);
    pending?.timer.cancel();
    return pending;
  }
}
