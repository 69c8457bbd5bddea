import { YodelError } from '../../errors.ts';
import { type Decoder, decodeChunk, type Framing } from '../../framing/framing.ts';
import type { Batch } from '../../framing/message.ts';
import { openConversation, type Protocol } from '../../framing/protocol.ts';
import type { ErrorPattern } from './error-pattern.ts';
import type { ReplyMatcher } from './matcher.ts';
import { show } from './show.ts';

/** Longer replies are counted without being buffered. */
const maxBuffered = 16_777_216;

/** What a {@link CountMatcher} expects. */
export interface CountOptions {
  readonly protocol: Protocol;
  /** The framing of the connection itself, if it has one. */
  readonly own?: Framing | undefined;
  /** The number of messages that the server sends before any request. Default 0. */
  readonly greeting?: number | undefined;
  /** Recognises replies that report an error. Default: none do. */
  readonly errors?: ErrorPattern | undefined;
}

/** Counts each message of the server as a reply, whatever its content; those that it sends first are none. */
export class CountMatcher implements ReplyMatcher {
  readonly #decoder: Decoder;
  readonly #errors: ErrorPattern | undefined;
  /** Must be called with everything that is sent, if it is there. */
  readonly sent: ((bytes: Uint8Array) => void) | undefined;
  greetingLeft: number;
  /** A reply that is too long to be buffered is being received; it counts when it ends. */
  #isLong = false;
  fault: YodelError | undefined;
  readonly failed: number[] = [];
  /** The first reply that reported an error. */
  failedText: string | undefined;

  constructor({ protocol, own, greeting = 0, errors }: CountOptions) {
    const options = { maxMessageLength: maxBuffered, onTooLong: 'discard', encoding: 'binary' } as const;
    const { decoder, sent } = openConversation(protocol, 'client', options, own);
    this.#decoder = decoder;
    this.sent = sent;
    this.greetingLeft = greeting;
    this.#errors = errors;
  }

  match(chunk: Uint8Array): number {
    let count = 0;
    if (this.failed.length > 0) this.failed.length = 0;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      count += this.#endOfLong(batch);
      if (this.#errors && batch.count > 0) this.#findErrors(this.#errors, batch, count);
      count += batch.count;
      if (batch.fault?.code === 'YODEL_MESSAGE_TOO_LONG') this.#isLong = true;
      else if (batch.fault) this.fault = batch.fault;
    }
    count += this.#endOfLong();
    if (this.greetingLeft === 0) return count;
    const greeting = Math.min(this.greetingLeft, count);
    this.greetingLeft -= greeting;
    if (this.failed.length > 0) this.#dropGreeting(greeting);
    return count - greeting;
  }

  #findErrors(errors: ErrorPattern, batch: Batch, before: number): void {
    if (!errors.mayBeIn(batch)) return;
    let index = before;
    for (const message of batch) {
      if (errors.matches(message)) {
        this.failed.push(index);
        if (index < this.greetingLeft) this.fault ??= refused(message.bytes);
        else this.failedText ??= show(message.bytes, 0);
      }
      index++;
    }
  }

  /** The first messages were no replies. */
  #dropGreeting(count: number): void {
    const replies = this.failed.filter((index) => index >= count).map((index) => index - count);
    this.failed.splice(0, this.failed.length, ...replies);
  }

  /** Returns 1 if a long reply has ended: other replies follow it, or nothing is pending. */
  #endOfLong(batch?: Batch): number {
    const hasEnded = this.#isLong && (batch ? batch.count > 0 : this.#decoder.pending === 0);
    if (!hasEnded) return 0;
    this.#isLong = false;
    return 1;
  }
}

function refused(greeting: Uint8Array): YodelError {
  return new YodelError('YODEL_ERROR_REPLY', `the server greeted with an error: ${show(greeting, 0)}`);
}
