import { YodelError } from '../../errors.ts';
import { type Decoder, decodeChunk, type Framing } from '../../framing/framing.ts';
import { noReplies, type ReplyMatcher } from './matcher.ts';
import { show } from './show.ts';

/** A greeting is not compared with anything, so it may be as long as it likes. */
const longest = 1_073_741_824;

/** Skips the messages that the server sends before any request, and leaves what follows them to another matcher. */
export class AfterGreeting implements ReplyMatcher {
  readonly #decoder: Decoder;
  readonly #matcher: ReplyMatcher | undefined;
  readonly failed = noReplies;
  greetingLeft: number;
  #fault: YodelError | undefined;

  /** @param matcher of the replies; undefined if none are expected */
  constructor(framing: Framing, greeting: number, matcher: ReplyMatcher | undefined) {
    this.#decoder = framing.createDecoder({ maxMessageLength: longest, onTooLong: 'close', encoding: 'binary' });
    this.#matcher = matcher;
    this.greetingLeft = greeting;
  }

  get fault(): YodelError | undefined {
    return this.#fault ?? this.#matcher?.fault;
  }

  match(chunk: Uint8Array): number {
    if (this.greetingLeft === 0) return this.#matcher?.match(chunk) ?? 0;
    for (const batch of decodeChunk(this.#decoder, chunk)) {
      if (batch.count < this.greetingLeft || batch.count === 0) {
        this.greetingLeft -= batch.count;
        this.#fault ??= batch.fault;
        continue;
      }
      batch.take(this.greetingLeft);
      this.greetingLeft = 0;
      const left = batch.byteLength + (batch.rest?.length ?? 0) + this.#decoder.pending;
      if (left > 0) this.#fault = unasked(chunk.subarray(chunk.length - left));
      break;
    }
    return 0;
  }
}

function unasked(bytes: Uint8Array): YodelError {
  const text = `the server sent more than its greeting before any request: ${show(bytes, 0)}`;
  return new YodelError('YODEL_UNEXPECTED_REPLY', text);
}
