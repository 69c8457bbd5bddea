/** The session that a handler with faults sees: what it sends passes through a queue. */
import type { YodelError } from '../../errors.ts';
import type { Batch, Message } from '../../framing/message.ts';
import { isPromise, type Reply, type Session } from '../../session/handler.ts';
import { ForwardedSession } from './forwarded-session.ts';
import type { Faults } from './options.ts';
import { FaultQueue } from './queue.ts';
import type { RandomSequence } from './random.ts';

/** A session whose output has faults. */
export class FaultySession extends ForwardedSession implements Session {
  readonly #queue: FaultQueue;
  /** Calls of the handler whose reply is still pending. */
  #pendingCalls = 0;
  /** Called when the queue is empty and no reply is pending. */
  #whenDone: (() => void)[] = [];
  #outputEnded = false;
  #isClosing = false;

  constructor(session: Session, faults: Faults, random: RandomSequence) {
    super(session);
    this.#queue = new FaultQueue(session, faults, random, () => this.#finishIfDone());
  }

  get ended(): boolean {
    return this.inner.ended || this.#outputEnded || this.#isClosing || this.#queue.isStopped;
  }

  send(message: string | Uint8Array | Message | Batch, to?: Message): boolean {
    if (this.ended) return false;
    this.#queue.add(message, to);
    return this.#queue.send();
  }

  write(bytes: Uint8Array, messages = 0): boolean {
    if (this.ended) return false;
    this.#queue.addBytes(bytes, messages);
    return this.#queue.send();
  }

  async drained(): Promise<void> {
    await this.#queue.drained();
    await this.inner.drained();
  }

  end(): void {
    this.#outputEnded = true;
    this.#whenDone.push(() => this.inner.end());
    this.#queue.send();
  }

  close(error?: YodelError): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#whenDone.push(() => this.inner.close(error));
    this.#queue.send();
  }

  abort(error?: YodelError): void {
    this.stop();
    this.inner.abort(error);
  }

  /**
   * Calls the handler and queues its reply. The promise, if any, resolves when the next message may be handled. If the
   * handler fails, it rejects after the queued replies were sent.
   */
  handle(call: () => Reply | Promise<Reply>, to?: Message): Promise<void> | undefined {
    if (this.#isClosing || this.#queue.isStopped) return undefined;
    this.#pendingCalls++;
    try {
      const reply = call();
      if (!isPromise(reply)) return this.#reply(reply, to);
      return reply.then(
        (settled) => this.#reply(settled, to),
        (thrown: unknown) => this.#failed(thrown),
      );
    } catch (thrown) {
      return this.#failed(thrown);
    }
  }

  /** Resolves when everything queued has been sent. */
  emptied(): Promise<void> {
    return this.#queue.emptied();
  }

  /** Sends nothing more. */
  stop(): void {
    this.#queue.stop();
  }

  #reply(reply: Reply, to: Message | undefined): Promise<void> | undefined {
    this.#pendingCalls--;
    if (this.inner.ended || this.#outputEnded || this.#queue.isStopped) return undefined;
    this.#queue.add(reply, to);
    return this.#queue.send() ? undefined : this.#queue.drained();
  }

  async #failed(thrown: unknown): Promise<void> {
    this.#pendingCalls--;
    await this.emptied();
    throw thrown;
  }

  #finishIfDone(): void {
    if (this.#pendingCalls === 0) for (const finish of this.#whenDone.splice(0)) finish();
  }
}
