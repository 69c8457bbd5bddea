/**
 * Makes a handler's replies late, lost, broken or cut, to test what clients make of it.
 *
 * All that a session sends stands in one line, greetings and replies alike, and leaves it in order: a fault changes when
 * and how a message leaves, or whether it does, but never its place. What a message meets depends on the seed, the
 * session's number and the message's number alone, not on time, nor on what other sessions do.
 */
import { YodelError } from '../errors.ts';
import { Batch, Message } from '../framing/message.ts';
import { checkOption, longestDuration } from '../options.ts';
import {
  type Handler,
  type HandlerObject,
  isPromise,
  type Reply,
  resolveHandler,
  type Session,
} from '../session/handler.ts';
import { type Chance, chanceOf } from './chance.ts';

/** What {@link withFaults} takes. Times are milliseconds, shares are numbers from 0 to 1. All are off by default. */
export interface Faults {
  /** How long each reply waits before it leaves. Replies wait side by side, not one after the other. */
  readonly delay?: number | undefined;
  /** The delay is so much shorter or longer, each time by chance. */
  readonly jitter?: number | undefined;
  /** The share of replies that are not sent. */
  readonly drop?: number | undefined;
  /** The share of replies in which one bit of the message is flipped. Its frame stays whole: where it ends can still be found. */
  readonly corrupt?: number | undefined;
  /** The share of replies in place of which the connection is reset. Those before it have been handed to the operating system. */
  readonly reset?: number | undefined;
  /** Ends the connection in order after so many replies; those that were dropped count too. */
  readonly closeAfter?: number | undefined;
  /** Cuts each reply into writes of so many bytes, with a millisecond between them. A WebSocket's messages stay whole. */
  readonly chunk?: number | undefined;
  /** From 0 to 4294967295. The same seed makes the same faults. Default: another one each time. */
  readonly seed?: number | undefined;
}

/** Above so much that waits to leave, the handler's next messages wait too. */
const mostWaiting = 65_536;
/** What a message costs besides its bytes. */
const eachCosts = 64;
/** Long enough that a peer who waits for bytes gets each piece on its own. */
const betweenChunksMs = 1;

/**
 * The same handler, with faults.
 *
 * @throws YodelError `YODEL_INVALID_OPTION`, `YODEL_INVALID_HANDLER`
 */
export function withFaults(handler: Handler, faults: Faults): HandlerObject {
  const inner = resolveHandler(handler);
  checkFaults(faults);
  const seed = faults.seed ?? randomSeed();
  const sessions = new WeakMap<Session, FaultySession>();
  const of = (session: Session) => sessions.get(session) as FaultySession;
  return {
    open(session) {
      const faulty = new FaultySession(session, faults, chanceOf(seed, session.id));
      sessions.set(session, faulty);
      return faulty.handle(() => inner.open?.(faulty));
    },
    ...(inner.message && {
      message: (message: Message, session: Session) =>
        of(session).handle(() => inner.message?.(message, of(session)), message),
    }),
    ...(inner.batch && {
      batch: (batch: Batch, session: Session) => of(session).handle(() => inner.batch?.(batch, of(session))),
    }),
    async end(session) {
      await of(session).handle(() => inner.end?.(of(session)));
      await of(session).emptied();
    },
    close(session, error) {
      of(session).stop();
      return inner.close?.(of(session), error);
    },
  };
}

/** A seed, where none is given. */
export function randomSeed(): number {
  return Math.floor(Math.random() * 2 ** 32);
}

function checkFaults(faults: Faults): void {
  const { delay, jitter, closeAfter, chunk, seed } = faults;
  for (const [name, value] of Object.entries({ delay, jitter })) {
    if (value !== undefined) checkOption(name, { kind: 'duration', off: 'none', max: longestDuration }, value);
  }
  for (const [name, value] of Object.entries({ closeAfter, chunk })) {
    if (value !== undefined) checkOption(name, { kind: 'count', off: 'never' }, value);
  }
  if (seed !== undefined) checkOption('seed', { kind: 'count', off: '0', max: 2 ** 32 - 1 }, seed);
  for (const name of ['drop', 'corrupt', 'reset'] as const) {
    const share = faults[name] ?? 0;
    if (typeof share === 'number' && share >= 0 && share <= 1) continue;
    throw new YodelError(
      'YODEL_INVALID_OPTION',
      `the option "${name}" takes a share from 0 to 1, not ${String(share)}`,
    );
  }
}

/** What waits to leave. */
interface Waiting {
  /** A message, or bytes that were to be written as they are. */
  readonly content: string | Uint8Array | Message;
  /** Of bytes as they are: how many messages end in them. */
  readonly written: number | undefined;
  readonly to: Message | undefined;
  /** When it may leave. */
  readonly at: number;
  readonly cost: number;
  readonly fate: 'sent' | 'dropped' | 'reset';
}

/** The session as the handler sees it. */
class FaultySession implements Session {
  readonly #session: Session;
  readonly #faults: Faults;
  readonly #chance: Chance;
  #line: Waiting[] = [];
  #cost = 0;
  #isLeaving = false;
  /** Wakes what waits for time to pass. */
  #wake: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #whenLower: (() => void)[] = [];
  #lastAt = 0;
  #left = 0;
  /** Calls of the handler whose reply is not known yet. */
  #calls = 0;
  /** What is to be done when the line is empty, and no reply is to come. */
  #last: (() => void)[] = [];
  #outputEnded = false;
  #isClosing = false;
  #isStopped = false;

  constructor(session: Session, faults: Faults, chance: Chance) {
    this.#session = session;
    this.#faults = faults;
    this.#chance = chance;
  }

  get id() {
    return this.#session.id;
  }
  get peer() {
    return this.#session.peer;
  }
  get local() {
    return this.#session.local;
  }
  get security() {
    return this.#session.security;
  }
  get framing() {
    return this.#session.framing;
  }
  get carriesMessages() {
    return this.#session.carriesMessages;
  }
  get data() {
    return this.#session.data;
  }
  get signal() {
    return this.#session.signal;
  }
  get messagesReceived() {
    return this.#session.messagesReceived;
  }
  get messagesSent() {
    return this.#session.messagesSent;
  }
  get bytesReceived() {
    return this.#session.bytesReceived;
  }
  get bytesSent() {
    return this.#session.bytesSent;
  }
  get queued() {
    return this.#session.queued;
  }
  get unsent() {
    return this.#session.unsent;
  }
  get durationMs() {
    return this.#session.durationMs;
  }
  get endedBy() {
    return this.#session.endedBy;
  }
  get ended() {
    return this.#session.ended || this.#outputEnded || this.#isClosing || this.#isStopped;
  }

  send(message: string | Uint8Array | Message | Batch, to?: Message): boolean {
    if (this.ended) return false;
    this.#add(message, to);
    this.#leave();
    return !this.#isFull;
  }

  write(bytes: Uint8Array, messages = 0): boolean {
    if (this.ended) return false;
    this.#put(Buffer.from(bytes), undefined, messages);
    this.#leave();
    return !this.#isFull;
  }

  encode(message: string | Uint8Array | Message, to?: Message): Uint8Array {
    return this.#session.encode(message, to);
  }

  async drained(): Promise<void> {
    await this.#lower();
    await this.#session.drained();
  }

  end(): void {
    this.#outputEnded = true;
    this.#finally(() => this.#session.end());
  }

  close(error?: YodelError): void {
    if (this.#isClosing) return;
    this.#isClosing = true;
    this.#finally(() => this.#session.close(error));
  }

  abort(error?: YodelError): void {
    this.stop();
    this.#session.abort(error);
  }

  /**
   * Calls the handler and puts its reply in line. The promise, if there is one, is for when the next message may be handled;
   * when the handler fails, that is told behind the replies that stand in line.
   */
  handle(call: () => Reply | Promise<Reply>, to?: Message): Promise<void> | undefined {
    if (this.#isClosing || this.#isStopped) return undefined;
    this.#calls++;
    try {
      const reply = call();
      if (!isPromise(reply)) return this.#answer(reply, to);
      return reply.then(
        (settled) => this.#answer(settled, to),
        (thrown: unknown) => this.#failed(thrown),
      );
    } catch (thrown) {
      return this.#failed(thrown);
    }
  }

  #answer(reply: Reply, to: Message | undefined): Promise<void> | undefined {
    this.#calls--;
    if (this.#session.ended || this.#outputEnded || this.#isStopped) return undefined;
    this.#add(reply, to);
    this.#leave();
    return this.#isFull ? this.#lower() : undefined;
  }

  async #failed(thrown: unknown): Promise<void> {
    this.#calls--;
    await this.emptied();
    throw thrown;
  }

  /** Resolves when all has left. */
  async emptied(): Promise<void> {
    while (this.#line.length > 0 || this.#isLeaving)
      await new Promise<void>((resolve) => this.#whenLower.push(resolve));
  }

  /** Nothing leaves any more. */
  stop(): void {
    this.#isStopped = true;
    this.#line = [];
    this.#cost = 0;
    this.#wake?.();
    this.#tellLower();
  }

  get #isFull(): boolean {
    return this.#cost > mostWaiting || this.#session.unsent > mostWaiting;
  }

  async #lower(): Promise<void> {
    while (this.#cost > mostWaiting) await new Promise<void>((resolve) => this.#whenLower.push(resolve));
  }

  #tellLower(): void {
    for (const resolve of this.#whenLower.splice(0)) resolve();
  }

  #finally(last: () => void): void {
    this.#last.push(last);
    this.#leave();
  }

  #add(reply: Reply, to: Message | undefined): void {
    if (reply === undefined || reply === null) return;
    if (Array.isArray(reply)) for (const one of reply as readonly Reply[]) this.#add(one, to);
    else if (reply instanceof Batch) for (const message of reply) this.#put(message.kept(), message, undefined);
    else if (reply instanceof Message) this.#put(reply.kept(), reply, undefined);
    // What is no reply the session itself refuses.
    else this.#put(reply as string | Uint8Array, to, undefined);
  }

  #put(content: string | Uint8Array | Message, to: Message | undefined, written: number | undefined): void {
    const { delay = 0, jitter = 0, drop = 0, corrupt = 0, reset = 0 } = this.#faults;
    // All are drawn for each message, so that one fault more does not change what the others do.
    const [reseting, dropping, corrupting, delaying, where] = [1, 2, 3, 4, 5].map(() => this.#chance()) as Draws;
    const wait = Math.max(0, delay + (2 * delaying - 1) * jitter);
    this.#lastAt = Math.max(this.#lastAt, wait === 0 ? 0 : performance.now() + wait);
    const kept = to?.kept();
    const isCorrupt = corrupting < corrupt && written === undefined;
    const cost = sizeOf(content) + eachCosts;
    this.#cost += cost;
    this.#line.push({
      content: isCorrupt ? this.#corrupted(content, kept, where) : content,
      written,
      to: kept,
      at: this.#lastAt,
      cost,
      fate: reseting < reset ? 'reset' : dropping < drop ? 'dropped' : 'sent',
    });
  }

  /** The message with one bit flipped; another one where that would break the frame. As it is, when any would, or there is none. */
  #corrupted(
    content: string | Uint8Array | Message,
    to: Message | undefined,
    where: number,
  ): string | Uint8Array | Message {
    const bytes = Buffer.from(content instanceof Message ? content.bytes : (content as Uint8Array));
    const bits = bytes.length * 8;
    const first = Math.floor(where * bits);
    for (let tries = 0; tries < Math.min(bits, 64); tries++) {
      const bit = (first + tries) % bits;
      const at = bit >> 3;
      bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
      if (this.#canBeSent(bytes, to)) return bytes;
      bytes[at] = (bytes[at] as number) ^ (1 << (bit & 7));
    }
    return content;
  }

  #canBeSent(bytes: Uint8Array, to: Message | undefined): boolean {
    try {
      this.#session.encode(bytes, to);
      return true;
    } catch (error) {
      if (error instanceof YodelError && error.code === 'YODEL_UNENCODABLE_MESSAGE') return false;
      throw error;
    }
  }

  #leave(): void {
    if (this.#isLeaving) return;
    this.#isLeaving = true;
    this.#leaveInOrder().catch((error: unknown) => {
      // A reply that cannot be sent, which only now was tried.
      this.stop();
      this.#session.close(new YodelError('YODEL_HANDLER_FAILED', 'the handler failed on the server', { cause: error }));
    });
  }

  async #leaveInOrder(): Promise<void> {
    for (let next = this.#line[0]; next && !this.#session.ended; next = this.#line[0]) {
      const wait = next.at - performance.now();
      if (wait > 0) await this.#pause(wait);
      if (this.#isStopped) break;
      this.#line.shift();
      this.#cost -= next.cost;
      if (next.fate === 'reset') return this.#reset();
      if (next.fate === 'sent' && !(await this.#send(next))) await this.#session.drained();
      this.#left++;
      if (this.#left === this.#faults.closeAfter) {
        this.stop();
        this.#session.close();
      }
      if (this.#whenLower.length > 0) this.#tellLower();
    }
    this.#isLeaving = false;
    if (this.#session.ended) this.stop();
    this.#tellLower();
    if (this.#calls === 0) for (const last of this.#last.splice(0)) last();
  }

  async #send({ content, to, written }: Waiting): Promise<boolean> {
    const { chunk = 0 } = this.#faults;
    const session = this.#session;
    if (chunk === 0 || session.carriesMessages) {
      return written === undefined ? session.send(content, to) : session.write(content as Uint8Array, written);
    }
    const frame = written === undefined ? session.encode(content, to) : (content as Uint8Array);
    let goesOn = true;
    for (let at = 0; at < frame.length && !this.#isStopped; at += chunk) {
      if (!goesOn) await session.drained();
      if (this.#left > 0 || at > 0) await this.#pause(betweenChunksMs);
      const isLast = at + chunk >= frame.length;
      goesOn = session.write(frame.subarray(at, at + chunk), isLast ? (written ?? 1) : 0);
    }
    return goesOn;
  }

  /** What left before is on its way: the session hands it on at the end of this turn. */
  async #reset(): Promise<void> {
    await this.#pause(betweenChunksMs);
    this.stop();
    this.#session.abort(new YodelError('YODEL_FAULT', 'reset on purpose'));
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

type Draws = [number, number, number, number, number];

function sizeOf(content: string | Uint8Array | Message): number {
  return content instanceof Message ? content.size : (content as { length: number }).length;
}
