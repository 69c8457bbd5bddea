/**
 * Requests to NATS over a connection that is made once, such as those of JetStream.
 *
 * Replies arrive below the prefix of the bus, so that nodes need no further permission to subscribe. Whatever happens to the
 * connection, each request ends.
 */
import { randomUUID } from 'node:crypto';
import type { Msg, MsgHdrs, NatsConnection, Subscription } from '@nats-io/transport-node';
import { realClock, type Timer } from '../../clock.ts';

/** Nobody is there who would answer: JetStream is off, or there is no such stream. */
export class NoReplyError extends Error {}

/** A server that takes longer has not answered: it is not known what it has done. */
const silentMs = 5000;

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

  /** @throws Error if there is no answer; {@link NoReplyError} if there will never be one */
  async request(subject: string, payload: string | Uint8Array, header?: readonly [string, string]): Promise<Msg> {
    return await new Promise<Msg>((resolve, reject) => {
      const token = this.#wait({ subject, resolve, reject });
      const headers = this.#headers();
      if (header) headers.set(...header);
      this.#publish(token, subject, payload, { reply: this.#inbox + token, ...(header ? { headers } : {}) });
    });
  }

  /**
   * Makes a request with several answers.
   *
   * @param take called with each; returns whether it was the last one
   */
  async collect(subject: string, payload: string, take: (message: Msg) => boolean): Promise<void> {
    let subscription: Subscription | undefined;
    const replies = new Promise<Msg>((resolve, reject) => {
      const token = this.#wait({ subject, resolve, reject });
      // Not below the other inbox: JetStream delivers what a stream has with the subject that it has there.
      const reply = `${this.#inbox}${token}.all`;
      subscription = this.#connection.subscribe(reply, {
        callback: (error, message) => {
          if (error) this.#take(token)?.reject(error);
          else if (take(message)) this.#received(token, message);
        },
      });
      this.#publish(token, subject, payload, { reply });
    });
    try {
      await replies;
    } finally {
      subscription?.unsubscribe();
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

  #wait({ subject, resolve, reject }: Omit<Pending, 'timer'>): string {
    if (this.#closed) throw this.#closed;
    const token = (++this.#requests).toString(36);
    const timer = realClock.deadline(silentMs, () => {
      this.#take(token)?.reject(new Error(`no answer on ${subject} for ${silentMs / 1000} s`));
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
      pending.reject(new NoReplyError(`nobody answers on ${pending.subject}`));
    } else pending.resolve(message);
  }

  #take(token: string): Pending | undefined {
    const pending = this.#pending.get(token);
    this.#pending.delete(token);
    pending?.timer.cancel();
    return pending;
  }
}
