/**
 * One direction of a session, between a handler and its peer. Messages are delayed, dropped, changed, written in pieces or
 * replaced by the end of the connection: in order, unless a fault reorders them.
 *
 *     add  ->  arrivals  ->  effects  ->  [reorder]  ->  queue  ->  latency  ->  copies  ->  pieces  ->  deliver
 *
 * A message in the queue costs 2 KB, and a chunk may contain thousands. So a chunk of many waits as it came, and its messages are
 * taken out one by one, while the queue is short. They have the time and the faults of its arrival, whenever that is.
 */

import type { Clock } from '../../clock.ts';
import { memoryOf } from '../../framing/batch-memory.ts';
import type { Batch } from '../../framing/message.ts';
import { Queue } from '../../queue.ts';
import { isPromise } from '../../session/handler.ts';
import { type Arrival, Arrivals, isFew } from './arrivals.ts';
import { Displaced } from './displaced.ts';
import { type Effects, effectsOn, firstBoundary, type Stream } from './effects.ts';
import type { CountedFault, Faults } from './fault-set.ts';
import { Shape, type ShapedStream } from './shape.ts';
import { Triggers } from './triggers.ts';
import type { Unit, UnitsOf } from './unit.ts';

/** With more pending bytes than this, no more is read: enough for half a second at 2 MB/s, and little for thousands of sessions. */
const maxPending = 1_048_576;
/** The memory of a message besides its bytes, on the runtime that needs more: two or three buffers, and what happens to it. */
const messageCost = 2048;
/** The messages of a chunk are taken out of it as long as those that wait in the queue cost less. */
const maxQueued = 65_536;
/** After this number of messages, others have their turn. */
const perTurn = 128;
/** Long enough for a session to write what it was given, before it is reset. */
const beforeResetMs = 1;

/** What a link connects. */
export interface LinkEnds {
  /** The size of its frame in bytes. */
  sizeOf(unit: Unit): number;
  /** A copy with bits of its payload flipped, and still a message. */
  corrupted(unit: Unit, positions: readonly number[]): Unit;
  /** The two parts of a chunk without frames. Undefined if the direction has frames. */
  readonly split: ((unit: Unit, at: number) => readonly [Unit, Unit]) | undefined;
  /** Passes on. The promise, if any, resolves when more may be passed on. */
  deliver(unit: Unit, shape: Shape | undefined): Promise<void> | undefined;
  /** Ends the session. */
  finish(how: 'reset' | 'close', by: CountedFault): void;
  /** A fault was applied. */
  report(fault: CountedFault, message: number | undefined): void;
  /** Passing on failed. */
  failed(thrown: unknown): void;
  /** Everything that was added has been passed on. */
  emptied(): void;
  /** More or less is pending. */
  changed(): void;
}

interface Queued {
  readonly unit: Unit;
  readonly effects: Effects;
  readonly size: number;
  cost: number;
  /** The earliest time at which it is passed on, by the clock. */
  readonly dueAt: number;
}

/** One direction of one session. */
export class Link implements ShapedStream {
  /** Nothing more is passed on. */
  isStopped = false;
  passedBytes = 0;
  busyUntil = 0;
  readonly #stream: Stream;
  readonly #faults: Faults;
  readonly #clock: Clock;
  readonly #ends: LinkEnds;
  readonly #triggers: Triggers;
  readonly #displaced: Displaced<Queued>;
  /** What has arrived and is still as it came. */
  #arrivals = new Arrivals();
  #queue = new Queue<Queued>();
  /** Bytes that are in the queue or reordered. */
  #queued = 0;
  /** What {@link LinkEnds.changed} was called for. */
  #reported = 0;
  #number = 0;
  #arrivedBytes = 0;
  #lastDueAt = 0;
  #isSending = false;
  #processed = 0;
  /** Nothing more is added. */
  #isEnding = false;
  /** Ends the current pause. */
  #wake: (() => void) | undefined;
  /** Called when there is room again. */
  #waitForRoom: (() => void)[] = [];
  /** Called when nothing is pending, or nothing is sent any more. */
  #waitForEnd: (() => void)[] = [];

  constructor(stream: Stream, faults: Faults, clock: Clock, ends: LinkEnds) {
    this.#stream = stream;
    this.#faults = faults;
    this.#clock = clock;
    this.#ends = ends;
    this.#displaced = new Displaced(clock, (entry) => {
      this.#enqueue(entry);
      clock.soon(() => this.send());
    });
    this.#triggers = new Triggers(stream, faults, clock, {
      report: (fault) => ends.report(fault, undefined),
      finish: (how, by) => this.#finish(how, by),
    });
  }

  /** Bytes that are waiting here. */
  get pending(): number {
    return this.#arrivals.memory + this.#queued;
  }

  /** Whether too much is waiting. */
  get isFull(): boolean {
    return this.pending > maxPending;
  }

  /** Whether what comes next can go past the link: it has no faults now, and nothing waits in it. */
  get isPassive(): boolean {
    return this.pending === 0 && !this.#isSending && !this.#triggers.hasHole && !this.#triggers.concernsAny;
  }

  /** Counts what went past the link, so that conditions on numbers and bytes still hold when there are faults again. */
  skip(messages: number, bytes: number): void {
    this.#number += messages;
    this.#processed += messages;
    this.#arrivedBytes += bytes;
    this.passedBytes += bytes;
  }

  /** Adds a message, or a write of raw bytes. It must have memory of its own. */
  add(unit: Unit): void {
    if (this.isStopped) return;
    if (this.#arrivals.isEmpty) this.#take(unit, this.#arrival([unit]));
    else this.#arrivals.add(this.#arrival([unit], this.#ends.sizeOf(unit) + messageCost));
    this.#report();
  }

  /**
   * Adds the messages of a batch, whose bytes may be borrowed.
   *
   * @param unitsOf makes each of them a unit, when it is asked for
   */
  addAll(batch: Batch, unitsOf: UnitsOf): void {
    if (this.isStopped) return;
    if (this.#arrivals.isEmpty && isFew(batch)) {
      const arrival = this.#arrival(unitsOf(batch, false));
      while (this.#takeFrom(arrival));
    } else {
      const copy = batch.copied();
      copy.isBorrowed = false;
      const memory = memoryOf(copy);
      this.#arrivals.add(this.#arrival(unitsOf(copy, true), memory));
      this.#takeNext();
    }
    this.#report();
  }

  /** Starts to pass on what was added. */
  send(): void {
    if (this.#isSending) return;
    this.#isSending = true;
    this.#sendAll().catch((thrown: unknown) => {
      this.#isSending = false;
      this.stop();
      this.#ends.failed(thrown);
    });
  }

  /** Resolves when less is waiting than the limit. */
  async room(): Promise<void> {
    if (this.isFull) await new Promise<void>((resolve) => this.#waitForRoom.push(resolve));
  }

  /** Resolves when everything has been passed on. */
  async emptied(): Promise<void> {
    while (this.pending > 0 || this.#isSending) await new Promise<void>((resolve) => this.#waitForEnd.push(resolve));
  }

  /**
   * Resolves when the end of this direction may be passed on, after everything else.
   *
   * @param isLast whether the server shuts down: then a black hole is over, because nothing waits in it
   */
  async ended(isLast: boolean): Promise<void> {
    this.#isEnding = true;
    this.#releaseLast();
    this.send();
    await this.emptied();
    const wait = this.#triggers.endDelay();
    if (wait > 0 && !this.isStopped) await this.pause(wait);
    if (!isLast) await this.#triggers.holeClosed();
  }

  /** Passes on nothing more. */
  stop(): void {
    this.isStopped = true;
    this.#queue = new Queue();
    this.#arrivals = new Arrivals();
    this.#displaced.drop();
    this.#triggers.stop();
    this.#queued = 0;
    this.#report();
    this.#wake?.();
    this.#notify();
  }

  now(): number {
    return this.#clock.now();
  }

  pause(milliseconds: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.after(milliseconds, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  #arrival(units: Iterable<Unit>, memory = 0): Arrival {
    const { elapsed } = this.#triggers;
    return { units: units[Symbol.iterator](), memory, faults: this.#faults.counted, at: this.#clock.now(), elapsed };
  }

  /** Takes messages out of what has arrived, until enough are in the queue. */
  #takeNext(): void {
    while (!this.isStopped && (this.#queued < maxQueued || this.#queue.length === 0)) {
      const { first } = this.#arrivals;
      if (!first) break;
      if (!this.#takeFrom(first)) this.#forget(first);
    }
    this.#releaseLast();
  }

  /** All its messages were taken. The last one stands for the memory that they share. */
  #forget({ memory }: Arrival): void {
    this.#arrivals.shift();
    const { last } = this.#queue;
    if (!last) return;
    last.cost += memory;
    this.#queued += memory;
  }

  /** Takes one message. Returns false if there is none. */
  #takeFrom(arrival: Arrival): boolean {
    const next = arrival.units.next();
    if (!next.done) this.#take(next.value, arrival);
    return !next.done;
  }

  /** At the end, what was reordered waits for no others: there are none. */
  #releaseLast(): void {
    if (this.#isEnding && this.#arrivals.isEmpty) this.#displaced.releaseAll();
  }

  #take(unit: Unit, arrival: Arrival): void {
    const { split } = this.#ends;
    const bytes = { content: unit.content, bytesBefore: this.#arrivedBytes };
    const boundary = split && firstBoundary(bytes, arrival.faults);
    if (!split || boundary === undefined) return this.#affect(unit, arrival);
    const [first, rest] = split(unit, boundary);
    this.#affect(first, arrival);
    this.#take(rest, arrival);
  }

  #affect(unit: Unit, { faults, at, elapsed }: Arrival): void {
    if (this.isStopped) return;
    const size = this.#ends.sizeOf(unit);
    const bytesBefore = this.#arrivedBytes;
    this.#arrivedBytes += size;
    const number = ++this.#number;
    if (this.#triggers.hasHole) return;
    const effects = effectsOn({ content: unit.content, number, bytesBefore, elapsed }, faults, this.#stream);
    // One waits at a time: if all waited for the next, none would pass another.
    const reorder = this.#displaced.isEmpty && effects.fate === undefined ? effects.reorder : undefined;
    for (const fault of effects.applied) {
      if (fault.fault.action.kind !== 'reorder' || reorder) this.#ends.report(fault, number);
    }
    if (effects.fate === 'blackhole') return this.#triggers.openHole(effects.by as CountedFault);
    const { payloadFlips, wait } = effects;
    const entry = {
      unit: payloadFlips.length > 0 ? this.#ends.corrupted(unit, payloadFlips) : unit,
      effects,
      size,
      cost: size + messageCost,
      dueAt: wait === 0 ? 0 : at + wait,
    };
    this.#queued += entry.cost;
    if (reorder) return this.#displaced.add(entry, reorder);
    this.#enqueue(entry);
    if (effects.fate === undefined) this.#displaced.passed();
  }

  #enqueue(entry: Queued): void {
    this.#lastDueAt = Math.max(this.#lastDueAt, entry.dueAt);
    this.#queue.push(this.#lastDueAt === entry.dueAt ? entry : { ...entry, dueAt: this.#lastDueAt });
  }

  async #sendAll(): Promise<void> {
    let left = perTurn;
    for (let next = this.#queue.first; next && !this.isStopped; next = this.#queue.first) {
      const wait = next.dueAt - this.#clock.now();
      if (wait > 0 || left === 0) {
        this.#report();
        if (this.isStopped) break;
        if (wait > 0) await this.pause(wait);
        else await new Promise<void>((resolve) => this.#clock.soon(resolve));
        left = perTurn;
        continue;
      }
      const processed = this.#process(next);
      // Most are passed on at once: a promise for each would cost more than all the rest.
      const isOver = isPromise(processed) ? await processed : processed;
      if (isOver || this.isStopped) break;
      left--;
      this.#shift(next);
    }
    this.#isSending = false;
    this.#report();
    this.#notify();
    this.#ends.emptied();
  }

  #shift({ cost }: Queued): void {
    this.#queue.shift();
    this.#queued -= cost;
    this.#takeNext();
    if (this.#waitForRoom.length > 0 && this.pending <= maxPending / 2) this.#notifyOfRoom();
  }

  /** Returns whether the session is over. */
  #process(next: Queued): boolean | Promise<boolean> {
    const { fate, copies } = next.effects;
    if (fate === 'reset' || fate === 'close') return this.#end(fate, next);
    if (fate === 'drop') return this.#passed(next);
    const taken = copies > 0 ? this.#deliverAll(next) : this.#deliver(next);
    return taken ? taken.then(() => this.#passed(next)) : this.#passed(next);
  }

  async #end(fate: 'reset' | 'close', { effects }: Queued): Promise<boolean> {
    if (fate === 'reset') await this.pause(beforeResetMs);
    this.#finish(fate, effects.by as CountedFault);
    return true;
  }

  #passed({ effects }: Queued): boolean {
    const { maxMessages = Number.POSITIVE_INFINITY, maxBytes = Number.POSITIVE_INFINITY } = effects;
    this.#processed++;
    const isOver = this.#processed >= maxMessages || this.passedBytes >= maxBytes;
    if (!isOver) return false;
    const limitedBy = effects.limitedBy as CountedFault;
    this.#ends.report(limitedBy, this.#processed);
    this.#finish('close', limitedBy);
    return true;
  }

  async #deliverAll(next: Queued): Promise<void> {
    for (let copy = 0; copy <= next.effects.copies && !this.isStopped; copy++) await this.#deliver(next);
  }

  #deliver({ unit, effects, size }: Queued): Promise<void> | undefined {
    const { shape, frameFlips, maxBytes } = effects;
    const isFirst = this.#processed === 0;
    const isShaped = shape !== undefined || frameFlips.length > 0 || maxBytes !== undefined;
    if (!isShaped) this.passedBytes += size;
    const shaped = isShaped ? new Shape(this, { shaping: shape, flips: frameFlips, maxBytes, isFirst }) : undefined;
    return this.#ends.deliver(unit, shaped);
  }

  #finish(how: 'reset' | 'close', by: CountedFault): void {
    if (this.isStopped) return;
    this.stop();
    this.#ends.finish(how, by);
  }

  /** Reports what is pending. All sessions together may have buffered too much: then the link may be stopped afterwards. */
  #report(): void {
    if (this.#reported === this.pending) return;
    this.#reported = this.pending;
    this.#ends.changed();
  }

  #notify(): void {
    if (!this.isFull) this.#notifyOfRoom();
    for (const resolve of this.#waitForEnd.splice(0)) resolve();
  }

  #notifyOfRoom(): void {
    for (const resolve of this.#waitForRoom.splice(0)) resolve();
  }
}
