/** The output queue of a session with faults. Messages are delayed, dropped, split or replaced by a reset, but in order. */
import { YodelError } from '../../errors.ts';
import { Batch, Message } from '../../framing/message.ts';
import type { Reply, Session } from '../../session/handler.ts';
import { type Content, flipBit } from './corruption.ts';
import type { Faults } from './options.ts';
import type { RandomSequence } from './random.ts';

/** With more pending bytes than this, the handler's next messages wait. */
const maxPending = 65_536;
/** The approximate memory cost of a message besides its bytes. */
const messageOverhead = 64;
/** Long enough for a waiting peer to receive each piece separately. */
const chunkIntervalMs = 1;

/** A queued message. */
interface Queued {
  readonly content: Content;
  /** For raw bytes: the number of messages that end in them. Undefined for messages. */
  readonly written: number | undefined;
  /** The message that it answers. */
  readonly to: Message | undefined;
  /** The earliest time at which it is sent, by `performance.now()`. */
  readonly sendAt: number;
  readonly cost: number;
  readonly fate: 'sent' | 'dropped' | 'reset';
}

/** One random number for each kind of fault. */
type Draws = [reset: number, drop: number, corrupt: number, jitter: number, position: number];

/** The queue of one session. */
export class FaultQueue {
  /** Nothing more is sent. */
  isStopped = false;
  readonly #session: Session;
  readonly #faults: Faults;
  readonly #random: RandomSequence;
  readonly #onEmpty: () => void;
  #queue: Queued[] = [];
  #cost = 0;
  #lastSendAt = 0;
  #isSending = false;
  /** Messages that have left the queue. */
  #processed = 0;
  /** Ends the current pause. */
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** Called whenever the queue gets shorter. */
  #waiters: (() => void)[] = [];

  /** @param onEmpty called when everything queued has been processed */
  constructor(session: Session, faults: Faults, random: RandomSequence, onEmpty: () => void) {
    this.#session = session;
    this.#faults = faults;
    this.#random = random;
    this.#onEmpty = onEmpty;
  }

  /** Queues a reply. */
  add(reply: Reply, to: Message | undefined): void {
    if (reply === undefined || reply === null) return;
    if (Array.isArray(reply)) for (const one of reply as readonly Reply[]) this.add(one, to);
    else if (reply instanceof Batch) for (const message of reply) this.#push(message.kept(), message, undefined);
    else if (reply instanceof Message) this.#push(reply.kept(), reply, undefined);
    // The session itself rejects what is not a reply.
    else this.#push(reply as string | Uint8Array, to, undefined);
  }

  /** Queues bytes that are written as they are, in which `messages` messages end. */
  addBytes(bytes: Uint8Array, messages: number): void {
    this.#push(Buffer.from(bytes), undefined, messages);
  }

  /** Starts to send what is queued. Returns false if too much is pending. */
  send(): boolean {
    if (!this.#isSending) {
      this.#isSending = true;
      this.#sendAll().catch((error: unknown) => this.#failed(error));
    }
    return this.#cost <= maxPending && this.#session.unsent <= maxPending;
  }

  /** Resolves when the pending bytes are below the limit. */
  async drained(): Promise<void> {
    while (this.#cost > maxPending) await this.#shortened();
  }

  /** Resolves when everything queued has been sent. */
  async emptied(): Promise<void> {
    while (this.#queue.length > 0 || this.#isSending) await this.#shortened();
  }

  /** Sends nothing more. */
  stop(): void {
    this.isStopped = true;
    this.#queue = [];
    this.#cost = 0;
    this.#wake?.();
    this.#notifyWaiters();
  }

  #shortened(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #notifyWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }

  #push(content: Content, to: Message | undefined, written: number | undefined): void {
    const { delay = 0, jitter = 0, drop = 0, corrupt = 0, reset = 0 } = this.#faults;
    // All numbers are drawn for each message, so that adding a fault does not change the others.
    const [resets, drops, corrupts, jitters, position] = [1, 2, 3, 4, 5].map(() => this.#random()) as Draws;
    const wait = Math.max(0, delay + (2 * jitters - 1) * jitter);
    this.#lastSendAt = Math.max(this.#lastSendAt, wait === 0 ? 0 : performance.now() + wait);
    const answered = to?.kept();
    const isCorrupt = corrupts < corrupt && written === undefined;
    const cost = sizeOf(content) + messageOverhead;
    this.#cost += cost;
    this.#queue.push({
      content: isCorrupt ? flipBit(content, position, (bytes) => this.#canEncode(bytes, answered)) : content,
      written,
      to: answered,
      sendAt: this.#lastSendAt,
      cost,
      fate: resets < reset ? 'reset' : drops < drop ? 'dropped' : 'sent',
    });
  }

  #canEncode(bytes: Uint8Array, to: Message | undefined): boolean {
    try {
      this.#session.encode(bytes, to);
      return true;
    } catch (error) {
      if (error instanceof YodelError && error.code === 'YODEL_UNENCODABLE_MESSAGE') return false;
      throw error;
    }
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#queue[0]; next && !this.#session.ended; next = this.#queue[0]) {
      const wait = next.sendAt - performance.now();
      if (wait > 0) await this.#pause(wait);
      if (this.isStopped) break;
      this.#queue.shift();
      this.#cost -= next.cost;
      if (next.fate === 'reset') return this.#reset();
      if (next.fate === 'sent' && !(await this.#sendOne(next))) await this.#session.drained();
      this.#processed++;
      if (this.#processed === this.#faults.closeAfter) {
        this.stop();
        this.#session.close();
      }
      if (this.#waiters.length > 0) this.#notifyWaiters();
    }
    this.#isSending = false;
    if (this.#session.ended) this.stop();
    this.#notifyWaiters();
    this.#onEmpty();
  }

  /** Returns false if the peer is behind. */
  async #sendOne({ content, to, written }: Queued): Promise<boolean> {
    const { chunk = 0 } = this.#faults;
    const session = this.#session;
    if (chunk === 0) {
      return written === undefined
        ? session.send(content, to) !== false
        : session.write(content as Uint8Array, written);
    }
    const frame = written === undefined ? session.encode(content, to) : (content as Uint8Array);
    return await this.#sendChunks(frame, chunk, written ?? 1);
  }

  async #sendChunks(frame: Uint8Array, chunkSize: number, messages: number): Promise<boolean> {
    let keepsUp = true;
    for (let at = 0; at < frame.length && !this.isStopped; at += chunkSize) {
      if (!keepsUp) await this.#session.drained();
      if (this.#processed > 0 || at > 0) await this.#pause(chunkIntervalMs);
      const isLast = at + chunkSize >= frame.length;
      keepsUp = this.#session.write(frame.subarray(at, at + chunkSize), isLast ? messages : 0);
    }
    return keepsUp;
  }

  /** Earlier messages are sent first: the session writes them at the end of this turn of the event loop. */
  async #reset(): Promise<void> {
    await this.#pause(chunkIntervalMs);
    this.stop();
    this.#session.abort(new YodelError('YODEL_FAULT', 'reset on purpose'));
  }

  /** A reply could not be sent. */
  #failed(cause: unknown): void {
    this.stop();
    this.#session.close(new YodelError('YODEL_HANDLER_FAILED', 'the handler failed on the server', { cause }));
  }

  #pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = () => {
        clearTimeout(this.#timer);
        resolve();
      };
      this.#timer = setTimeout(resolve, milliseconds);
    });
  }
}

function sizeOf(content: Content): number {
  return content instanceof Message ? content.size : (content as { length: number }).length;
}
