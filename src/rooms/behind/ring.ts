/**
 * What a room keeps for members that are behind: the segments that they have not received, up to `roomBuffer` bytes. All of
 * them read from the same ring, each from its own position, so that a slow member costs no queue of its own.
 */
import type { YodelError } from '../../errors.ts';
import { Queue } from '../../queue.ts';
import type { MemoryLimit, MemoryUser } from '../../session/memory-limit.ts';
import type { Wire } from '../../session/wire.ts';
import type { RoomMessage, Segment } from '../segment.ts';

/** What objects cost besides the frames. Counted, because a room may be sent many short messages. */
const segmentCost = 512;
/** The same for a segment all of whose messages were replaced. */
const emptyCost = 32;
/** What a key costs besides its characters. */
const keyCost = 100;

/** A segment in the ring, with the memory that was counted for it. */
interface Kept {
  /** Undefined: newer messages have replaced all of its own. */
  segment: Segment | undefined;
  buffers: readonly Buffer[];
  /** The keys of its messages: some may have newer messages by now. */
  keys: readonly string[];
  size: number;
  /** The part of `size` that objects take. */
  objects: number;
  /** How many members continue with it. Until then it is not needed. */
  readers: number;
  /** What was lost between it and the next one. */
  losses: Loss[] | undefined;
}

/** Messages that were lost on the way from another process. */
export interface Loss {
  readonly messages: number;
  /** When the last of them was sent, in milliseconds since 1970. Later members have not missed any. */
  readonly until: number;
}

/** The room, as its ring sees it. */
export interface RingOwner {
  /** Drops the first segment, which some members have not received. */
  dropFirst(): void;
  /** Newer messages have replaced all of the segment at this position. */
  replaced(segment: Segment, position: number): void;
  /** Whether the member with this session's id is behind. */
  isBehind(id: number): boolean;
}

/** Where the last message of a key is. */
interface Place {
  at: number;
  index: number;
  except: number | undefined;
}

/** The ring of one room. Positions are numbers of segments, counted over its whole life. */
export class Ring implements MemoryUser {
  buffered = 0;
  readonly hasPending = false;
  readonly #memoryLimit: MemoryLimit;
  readonly #owner: RingOwner;
  readonly #segments = new Queue<Kept>();
  #first = 0;
  /** How many members have received everything in the ring, and wait only for their peers. */
  #readersAtEnd = 0;
  /** Where the last message of each key is. */
  readonly #keys = new Map<string, Place>();

  constructor(memoryLimit: MemoryLimit, owner: RingOwner) {
    this.#memoryLimit = memoryLimit;
    this.#owner = owner;
  }

  /** The position of the first segment. */
  get first(): number {
    return this.#first;
  }

  /** The position of the next segment to come. */
  get end(): number {
    return this.#first + this.#segments.length;
  }

  /** The segment at a position; undefined if all of it was replaced, and at the end. */
  at(position: number): Segment | undefined {
    return this.#segments.at(position - this.#first)?.segment;
  }

  /** Keeps a segment. Messages with a key replace older ones. @param wires what the members have that are behind */
  add(segment: Segment, messages: readonly RoomMessage[], wires: ReadonlyMap<Wire, unknown>): void {
    for (const wire of wires.keys()) segment.encode(wire);
    segment.keepOnly(wires);
    const at = this.end;
    const keys = messages.flatMap(({ key }) => (key === undefined ? [] : [key]));
    const kept: Kept = {
      segment,
      buffers: [],
      keys,
      size: 0,
      objects: 0,
      readers: this.#readersAtEnd,
      losses: undefined,
    };
    this.#readersAtEnd = 0;
    this.#segments.push(kept);
    this.#measure(kept);
    for (const [index, { key, except }] of messages.entries())
      if (key !== undefined) this.#replace(key, { at, index, except });
  }

  /** Messages were lost after the last segment. Returns whether members will pass that; see {@link lossesAfter}. */
  lost(loss: Loss): boolean {
    const last = this.#segments.last;
    if (!last) return false;
    last.losses ??= [];
    last.losses.push(loss);
    return true;
  }

  /** What was lost between the segment at a position and the next one. */
  lossesAfter(position: number): readonly Loss[] {
    return this.#segments.at(position - this.#first)?.losses ?? [];
  }

  /** A member falls behind. Returns its position: the end. */
  enter(): number {
    this.#readersAtEnd++;
    return this.end;
  }

  /** A member passes the segment at a position. */
  advance(position: number): void {
    const next = this.#segments.at(position + 1 - this.#first);
    if (next) next.readers++;
    else this.#readersAtEnd++;
    this.leave(position);
  }

  /** A member that is at this position is behind no more. Segments that nobody needs are removed. */
  leave(position: number): void {
    const kept = this.#segments.at(position - this.#first);
    if (kept) kept.readers--;
    else this.#readersAtEnd--;
    while (this.#segments.first?.readers === 0) this.#shift();
  }

  /** The segment at this position is dropped, and nobody continues with it any more. */
  passed(position: number): void {
    if (this.#first === position && this.#segments.length > 0) this.#shift();
  }

  // The memory limit calls these.

  costs(usersOf: (memory: object) => number): number {
    let bytes = 0;
    for (const { buffers, objects } of this.#segments) {
      bytes += objects;
      for (const { buffer } of buffers) bytes += buffer.byteLength / usersOf(buffer);
    }
    return bytes;
  }

  throttle(): void {
    // What it keeps leaves without reading more.
  }

  /** All sessions together need too much memory: members that are behind miss messages. */
  disconnect(_error: YodelError): void {
    while (this.#segments.length > 0) this.#owner.dropFirst();
  }

  #replace(key: string, next: Place): void {
    // The memory limit may have dropped it already.
    if (next.at < this.#first) return;
    const place = this.#keys.get(key);
    if (!place) {
      this.#keys.set(key, next);
      return;
    }
    const old = { ...place };
    Object.assign(place, next);
    // One that does not receive the newer message still needs the older one.
    const { except } = next;
    if (except !== undefined && except !== old.except && this.#owner.isBehind(except)) return;
    const kept = this.#segments.at(old.at - this.#first);
    if (!kept?.segment?.replace(old.index)) return;
    if (kept.segment.isReplaced) {
      this.#owner.replaced(kept.segment, old.at);
      kept.segment = undefined;
      kept.keys = [];
    }
    this.#measure(kept);
  }

  /** Counts what the segment takes now. */
  #measure(kept: Kept): void {
    const { segment, buffers, size, objects } = kept;
    kept.buffers = segment?.buffers ?? [];
    kept.objects = segment ? segmentCost + segment.objectsSize : emptyCost;
    for (const { length } of kept.keys) kept.objects += keyCost + 2 * length;
    kept.size = kept.buffers.reduce((total, { length }) => total + length, kept.objects);
    if (kept.size === size) return;
    for (const { buffer } of kept.buffers) this.#memoryLimit.share(buffer, buffer.byteLength);
    for (const { buffer } of buffers) this.#memoryLimit.unshare(buffer, buffer.byteLength);
    this.#report(kept.size - size, kept.objects - objects);
  }

  #shift(): void {
    const { buffers, keys, size, objects } = this.#segments.shift() as Kept;
    for (const key of keys) if (this.#keys.get(key)?.at === this.#first) this.#keys.delete(key);
    this.#first++;
    for (const { buffer } of buffers) this.#memoryLimit.unshare(buffer, buffer.byteLength);
    this.#report(-size, -objects);
  }

  #report(by: number, byObjects: number): void {
    this.buffered += by;
    this.#memoryLimit.changed(this, byObjects, by > 0);
  }
}
