/** The messages of one commit, as numbers and bytes in a few long arrays that move to the writer thread without copying. */
import type { ByteOutput } from '../framing/frames.ts';
import { asBuffer, type Framing } from '../framing/framing.ts';
import type { Batch, Message } from '../framing/message.ts';
import type { MessageKind } from '../framing/message-parts.ts';
import type { EndedBy } from '../telemetry/telemetry.ts';
import { isSameEnding, unusualEnding } from '../transcript/ending.ts';
import type { HistoryBatch } from './histories/table.ts';
import type { Direction } from './journal.ts';

/** A session whose first message is in this group. */
export interface SessionBegun {
  readonly session: number;
  readonly peer: string;
  readonly local: string;
  readonly framing: string;
  readonly replyFraming: string;
  /** The name of both framings, if they have one. */
  readonly protocol: string | null;
  /** Milliseconds since 1970. */
  readonly began: number;
}

/** A session that has ended. */
export interface SessionEnded {
  readonly session: number;
  readonly ended: number;
  readonly endedBy: EndedBy;
  readonly error: string | null;
}

/** What is unusual about a message besides its header. */
export interface MessageForm {
  /** 0 for none. */
  readonly kind: number;
  /** How it ended, if not as the framing itself ends it. Empty: with the input. */
  readonly ending: Uint8Array | null;
}

/** The kinds of messages as numbers, which are the opcodes of RFC 6455. */
export const kindCodes: Readonly<Record<MessageKind, number>> = { text: 1, binary: 2 };

/** A group as the writer thread receives it. */
export interface GroupData {
  /** The header and payload of each message, one after another. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** {@link runFields} numbers for each batch: session, direction (0 in, 1 out), time, elapsed µs, number of messages, of members. */
  readonly runs: Float64Array<ArrayBuffer>;
  /** {@link placeFields} numbers for each message: size of its header and of its payload, form, whether it is truncated. */
  readonly places: Uint32Array<ArrayBuffer>;
  /** The third number of a place is 0 for a message with nothing unusual, n for form n - 1. */
  readonly forms: readonly MessageForm[];
  readonly begun: readonly SessionBegun[];
  readonly ended: readonly SessionEnded[];
  /** Replies not recorded since the last group. */
  readonly missed: number;
  /** What rooms store. Each has memory of its own. */
  readonly stored: readonly HistoryBatch[];
}

/** The length of an entry in `runs`. */
export const runFields = 6;
/** The length of an entry in `places`. */
export const placeFields = 4;

/** Collects the messages of one commit. */
export class Group implements ByteOutput {
  readonly #maxMessage: number;
  #bytes = Buffer.allocUnsafeSlow(16_384);
  #size = 0;
  #runs = new Float64Array(64 * runFields);
  #runCount = 0;
  #places = new Uint32Array(256 * placeFields);
  #count = 0;
  readonly #forms: MessageForm[] = [];
  readonly begun: SessionBegun[] = [];
  readonly ended: SessionEnded[] = [];
  /** Replies that are not recorded. */
  missed = 0;
  readonly #stored: HistoryBatch[] = [];
  #storedSize = 0;

  /** @param maxMessage the number of bytes of a message to record; 0: all */
  constructor(maxMessage: number) {
    this.#maxMessage = maxMessage;
  }

  /** The number of messages, and of batches that rooms store. */
  get count(): number {
    return this.#count + this.#stored.length;
  }

  /** The size of all of them, in bytes. */
  get size(): number {
    return this.#size + this.#storedSize;
  }

  get isEmpty(): boolean {
    return this.count === 0 && this.ended.length === 0 && this.missed === 0;
  }

  get stored(): readonly HistoryBatch[] {
    return this.#stored;
  }

  /** Adds a batch that a room stores. */
  store(batch: HistoryBatch): void {
    this.#stored.push(batch);
    this.#storedSize += batch.bytes.length;
  }

  /**
   * Adds the messages of a batch.
   *
   * @param framing as the name of the recorded session gives it
   * @param time in milliseconds since 1970
   * @param elapsed in milliseconds since the server started
   */
  add(session: number, direction: Direction, framing: Framing, batch: Batch, time: number, elapsed: number): void {
    this.#addRun([session, direction === 'in' ? 0 : 1, time, Math.round(elapsed * 1000), batch.count, 0]);
    for (const message of batch) this.#addMessage(framing, message);
  }

  /** Adds messages that a room was sent. @param members how many members the room has */
  addShared(
    room: number,
    framing: Framing,
    messages: readonly Message[],
    members: number,
    time: number,
    elapsed: number,
  ): void {
    this.#addRun([room, 1, time, Math.round(elapsed * 1000), messages.length, members]);
    for (const message of messages) this.#addMessage(framing, message);
  }

  #addRun(fields: readonly number[]): void {
    if (this.#runs.length < (this.#runCount + 1) * runFields) this.#runs = doubled(this.#runs, Float64Array);
    this.#runs.set(fields, this.#runCount++ * runFields);
  }

  /** The data for the writer thread. The group must not be used afterwards. */
  data(): GroupData {
    return {
      bytes: this.#bytes,
      runs: this.#runs.subarray(0, this.#runCount * runFields),
      places: this.#places.subarray(0, this.#count * placeFields),
      forms: this.#forms,
      begun: this.begun,
      ended: this.ended,
      missed: this.missed,
      stored: this.#stored,
    };
  }

  #addMessage(framing: Framing, message: Message): void {
    const at = this.#count++ * placeFields;
    if (this.#places.length < at + placeFields) this.#places = doubled(this.#places, Uint32Array);
    const { header } = message;
    if (header.length > 0) this.append(header, 0, header.length);
    const start = this.#size;
    message.placePayload(this);
    const isTruncated = this.#maxMessage > 0 && this.#size - start > this.#maxMessage;
    if (isTruncated) this.#size = start + this.#maxMessage;
    this.#places[at] = header.length;
    this.#places[at + 1] = this.#size - start;
    this.#places[at + 2] = this.#formOf(message.kind, unusualEnding(framing, message));
    this.#places[at + 3] = isTruncated ? 1 : 0;
  }

  /** The number of a form. There are few forms, and most are the same as the last one. */
  #formOf(messageKind: MessageKind | undefined, ending: Uint8Array | undefined): number {
    if (messageKind === undefined && ending === undefined) return 0;
    const kind = messageKind ? kindCodes[messageKind] : 0;
    const last = this.#forms.at(-1);
    if (last?.kind === kind && isSameEnding(last.ending ?? undefined, ending)) return this.#forms.length;
    return this.#forms.push({ kind, ending: ending ? Uint8Array.from(ending) : null });
  }

  /** @internal Copies bytes behind those of the messages so far. */
  append(source: Uint8Array, start: number, end: number): void {
    const size = end - start;
    const at = this.#size;
    if (at + size > this.#bytes.length) this.#grow(at + size);
    const target = this.#bytes;
    this.#size = at + size;
    // A call to copy a few bytes costs more than the loop.
    if (size > maxLooped) asBuffer(source).copy(target, at, start, end);
    else for (let index = 0; index < size; index++) target[at + index] = source[start + index] as number;
  }

  #grow(needed: number): void {
    // Without leaving the old memory to the garbage collector.
    this.#bytes = Buffer.from(this.#bytes.buffer.transfer(Math.max(needed, this.#bytes.length * 2)));
  }
}

/** Up to this many bytes are copied one by one. */
const maxLooped = 64;

function doubled<Numbers extends Float64Array<ArrayBuffer> | Uint32Array<ArrayBuffer>>(
  numbers: Numbers,
  Form: new (length: number) => Numbers,
): Numbers {
  const larger = new Form(numbers.length * 2);
  larger.set(numbers);
  return larger;
}
