/** The framings implemented again, as documented: over the whole input at once, without regard to speed. */
import { type DecoderOptions, tooLong } from '../../src/framing/framing.ts';
import { invalidUtf8, isUtf8 } from '../../src/framing/utf8.ts';
import { show } from './outcome.ts';

/** The result for an input: the events of an `Outcome`. */
export type Reference = (input: Buffer, options: DecoderOptions) => string[];

/** @param endings what may end a message; if two of them end at the same offset, the longer one counts */
export function readDelimited(endings: readonly Buffer[]): Reference {
  return (input, options) => {
    const account = new Account(options);
    let rest = input;
    for (let end = endOfFirst(rest, endings); end !== -1 && !account.closed; end = endOfFirst(rest, endings)) {
      account.message(rest.subarray(0, end - lengthOfEnding(rest.subarray(0, end), endings)));
      rest = rest.subarray(end);
    }
    if (account.closed || rest.length === 0) return account.end();
    // Certainly too long, unless its last bytes begin an ending and the others fit.
    const mayFit = endings
      .flatMap((ending) => Array.from(ending, (_, size) => ending.subarray(0, size)))
      .some((begun) => endsWith(rest, begun) && rest.length - begun.length <= options.maxMessageLength);
    if (mayFit) account.end();
    account.message(rest);
    return mayFit ? account.events : account.end();
  };
}

/** What all framings have in common: message numbers, the limit and the encoding. */
export class Account {
  readonly events: string[] = [];
  readonly #options: DecoderOptions;
  number = 0;
  closed = false;

  constructor(options: DecoderOptions) {
    this.#options = options;
  }

  message(bytes: Uint8Array): void {
    if (bytes.length > this.#options.maxMessageLength) {
      this.tooLong();
      return;
    }
    this.number++;
    if (this.#options.encoding === 'binary' || isUtf8(bytes)) {
      this.events.push(`message: ${show(bytes)}`);
      return;
    }
    const { code, message } = invalidUtf8(this.number, bytes);
    this.fault(`${code}: ${message}`);
  }

  tooLong(): void {
    this.number++;
    const { code, message } = tooLong(this.number, this.#options.maxMessageLength);
    this.events.push(`fault: ${code}: ${message}`);
    this.closed = this.#options.onTooLong === 'close';
  }

  /** After the end of the input. */
  unfinished(size: number): void {
    this.fault(
      `YODEL_UNFINISHED_FRAME: input ended after ${size} ${size === 1 ? 'byte' : 'bytes'} of a frame, in message ${this.number + 1}`,
    );
  }

  fault(text: string): void {
    this.events.push(`fault: ${text}`);
    this.closed = true;
  }

  end(): string[] {
    this.events.push('end');
    return this.events;
  }
}

/** Where the first ending ends; -1 if there is none. */
function endOfFirst(bytes: Buffer, endings: readonly Buffer[]): number {
  for (let end = 0; end <= bytes.length; end++) {
    if (lengthOfEnding(bytes.subarray(0, end), endings) > 0) return end;
  }
  return -1;
}

function lengthOfEnding(bytes: Buffer, endings: readonly Buffer[]): number {
  return Math.max(0, ...endings.filter((ending) => endsWith(bytes, ending)).map((ending) => ending.length));
}

function endsWith(bytes: Buffer, ending: Buffer): boolean {
  return bytes.subarray(Math.max(0, bytes.length - ending.length)).equals(ending);
}
