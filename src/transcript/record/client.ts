import { type Decoder, decodeChunk } from '../../framing/framing.ts';
import type { Batch, Message } from '../../framing/message.ts';
import { observe, type Protocol } from '../../framing/protocol.ts';
import { type EndingLines, unusualEnding } from '../ending.ts';
import { framingOf, longestMessage } from '../frames.ts';
import { formatMessage } from '../message-line.ts';
import type { Side } from '../transcript.ts';
import { asRead } from '../wire.ts';
import type { TimeLines } from './times.ts';

/** What the clients of a transcript share: its lines. */
export interface SharedLines {
  /** Appends whole lines. */
  readonly write: (text: string) => void;
  readonly times: TimeLines;
  /** `@ending` applies to all clients. */
  readonly endings: EndingLines;
}

const limits = { maxMessageLength: longestMessage, onTooLong: 'discard', encoding: 'binary' } as const;

/** A client in a transcript that is being recorded. */
export class RecordedClient {
  readonly #name: string;
  /** The protocol as the transcript will be read. */
  readonly #protocol: Protocol;
  readonly #shared: SharedLines;
  readonly #decoders: Readonly<Record<Side, Decoder>>;
  #hasEnded: Record<Side, boolean> = { '>': false, '<': false };

  /**
   * @param name empty for the only client
   * @param protocol of its connection
   */
  constructor(name: string, protocol: Protocol, shared: SharedLines) {
    this.#name = name;
    this.#protocol = asRead(protocol);
    this.#shared = shared;
    const { requests, replies } = observe(protocol, limits);
    this.#decoders = { '>': requests, '<': replies };
  }

  /** Adds bytes, in any chunks: `>` from the client, `<` from the server. */
  add(side: Side, bytes: Uint8Array): void {
    for (const batch of decodeChunk(this.#decoders[side], bytes)) this.#add(side, batch);
  }

  /** A side has ended. An unfinished message is recorded where the framing allows one. */
  end(side: Side): void {
    if (this.#finish(side)) this.#event(side === '>' ? 'close' : 'closed');
  }

  /** The client has reset the connection. */
  reset(): void {
    const isOpen = [this.#finish('>'), this.#finish('<')].some(Boolean);
    if (isOpen) this.#event('reset');
  }

  /** The recorder's own server ends both sides, which says nothing of the conversation: no line is written for it. */
  stop(): void {
    const isOpen = [this.#finish('>'), this.#finish('<')].some(Boolean);
    if (isOpen) this.note('the recording ended with the server');
  }

  /** Writes a comment. */
  note(text: string): void {
    const line = text.replace(/\p{C}/gu, '?');
    this.#shared.write(`# ${this.#name === '' ? '' : `${this.#name}: `}${line}\n`);
  }

  /** Records what is left of a side. Returns false if it has ended before. */
  #finish(side: Side): boolean {
    if (this.#hasEnded[side]) return false;
    this.#hasEnded[side] = true;
    this.#add(side, this.#decoders[side].end());
    return true;
  }

  #event(directive: 'close' | 'closed' | 'reset'): void {
    const { write, times } = this.#shared;
    write(`${times.before()}@${directive}${this.#name === '' ? '' : ` ${this.#name}`}\n`);
  }

  #add(side: Side, batch: Batch): void {
    const { write, times } = this.#shared;
    let text = '';
    for (const message of batch) text += this.#lineOf(side, message);
    if (text !== '') write(times.before() + text);
    if (batch.fault) this.note(batch.fault.message);
  }

  /** A message's line, after an `@ending` if it ended in another way than those before it. */
  #lineOf(side: Side, message: Message): string {
    const framing = framingOf(this.#protocol, side);
    const ending = this.#shared.endings.before(framing, unusualEnding(framing, message));
    return `${ending}${this.#name}${side}${formatMessage(message)}\n`;
  }
}
