/** The last messages of rooms, for those who join them. */
import { isMessage, Message } from '../framing/message.ts';
import { LinkedMember, LinkedSet } from '../linked-set.ts';
import type { ServerLimits } from '../options.ts';
import { Queue } from '../queue.ts';
import type { Counters } from '../telemetry/telemetry.ts';
import type { RoomMessage } from './segment.ts';

/** What is kept: text as such, for a message with a buffer of its own takes ten times as much memory as a short text. */
export type KeptMessage = string | Message;

/** What they take besides their payloads: measured, and rounded up. */
const textCost = 64;
const messageCost = 1024;

/**
 * The histories of all rooms of a server, at most `maxHistoryBytes` together. When that is exceeded, the largest ones lose their
 * oldest messages: a room that is flooded costs the others nothing.
 */
export class Histories {
  readonly #counters: Counters;
  /** By the number of binary digits of their sizes, so that the largest are found without a search. */
  readonly #bySize: LinkedSet<History>[] = [];

  /** @param counters with what all of them take */
  constructor(counters: Counters) {
    this.#counters = counters;
  }

  /** @internal A history has changed its size. */
  changed(history: History, by: number): void {
    this.#counters.roomHistoryBytes += by;
    const before = history.memberOf as LinkedSet<History> | undefined;
    const after = history.bytes > 0 ? this.#ofSize(history.bytes) : undefined;
    if (before === after) return;
    before?.delete(history);
    after?.add(history);
  }

  /** Makes all of them together smaller than a limit. */
  shrink(limit: number): void {
    while (this.#counters.roomHistoryBytes > limit) {
      const largest = this.#bySize.findLast((histories) => histories.size > 0);
      const history = largest?.first;
      if (!largest || !history) return;
      // The next time it is another one's turn.
      largest.delete(history);
      largest.add(history);
      history.dropFirst();
    }
  }

  #ofSize(bytes: number): LinkedSet<History> {
    const digits = 32 - Math.clz32(bytes);
    while (this.#bySize.length <= digits) this.#bySize.push(new LinkedSet());
    return this.#bySize[digits] as LinkedSet<History>;
  }
}

type HistoryLimits = Pick<ServerLimits, 'roomHistory' | 'roomBuffer' | 'maxHistoryBytes'>;

/** The history of one room: at most `roomHistory` messages, and at most `roomBuffer` bytes. */
export class History extends LinkedMember<History> {
  /** What it takes. */
  bytes = 0;
  readonly #all: Histories;
  readonly #messages = new Queue<KeptMessage>();

  constructor(all: Histories) {
    super();
    this.#all = all;
  }

  /** The oldest first. */
  get messages(): Iterable<KeptMessage> {
    return this.#messages;
  }

  add(messages: readonly RoomMessage[], { roomHistory, roomBuffer, maxHistoryBytes }: HistoryLimits): void {
    let added = 0;
    if (roomHistory > 0) {
      for (const { message } of keptAmong(messages).slice(-roomHistory)) {
        const own = keptOf(message);
        this.#messages.push(own);
        added += costOf(own);
      }
    }
    if (added > 0) this.#changed(added);
    while (this.#messages.length > roomHistory || this.bytes > roomBuffer) this.dropFirst();
    this.#all.shrink(maxHistoryBytes);
  }

  /** Forgets the oldest message. */
  dropFirst(): void {
    const first = this.#messages.shift();
    if (first !== undefined) this.#changed(-costOf(first));
  }

  clear(): void {
    this.#messages.takeAll();
    this.#changed(-this.bytes);
  }

  #changed(by: number): void {
    this.bytes += by;
    this.#all.changed(this, by);
  }
}

/**
 * The last messages of a room, the oldest first.
 *
 * @param pending what is not delivered yet. A session that joins now does not receive it otherwise
 */
export function lastOf(
  kept: Iterable<KeptMessage>,
  pending: readonly RoomMessage[],
  count: number,
): readonly Message[] {
  if (count === 0) return [];
  const last = [...kept, ...keptAmong(pending).map(({ message }) => message)].slice(-count);
  return last.map((message) => (isMessage(message) ? message.copy() : Message.of(message)));
}

/** Those that a history keeps: usually all. */
function keptAmong(messages: readonly RoomMessage[]): readonly RoomMessage[] {
  return messages.some(({ isPassing }) => isPassing) ? messages.filter(({ isPassing }) => !isPassing) : messages;
}

function costOf(kept: KeptMessage): number {
  if (typeof kept === 'string') return 2 * kept.length + textCost;
  return kept.size + kept.header.length + messageCost;
}

/** In memory of its own: it must not keep the chunk that it came in, nor a text or a pool that others share. */
function keptOf(message: RoomMessage['message']): KeptMessage {
  if (typeof message === 'string') return Buffer.from(message).toString();
  return (isMessage(message) ? message : Message.of(message)).copy();
}
