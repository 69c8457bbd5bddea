/**
 * One direction of a session, between a handler and its peer. Messages are delayed, dropped, changed, written in pieces or
 * replaced by the end of the connection: in order, unless a fault reorders them.
 *
 *     add  ->  effects  ->  [reorder]  ->  queue  ->  latency  ->  copies  ->  pieces  ->  deliver
 */

import type { Clock } from '../../clock.ts';
import { Queue } from '../../queue.ts';
import { isPromise } from '../../session/handler.ts';
import { Displaced } from './displaced.ts';
import { type Effects, effectsOn, firstBoundary, type Stream } from './effects.ts';
import type { CountedFault, Faults } from './fault-set.ts';
import { Shape, type ShapedStream } from './shape.ts';
import { Triggers } from './triggers.ts';
import type { Unit } from './unit.ts';

/** With more pending bytes than this, no more is read: enough for half a second at 2 MB/s, and little for thousands of sessions. */
const maxPending = 1_048_576;
/** What a message adds to these besides its bytes, so that there is a limit for empty ones. */
const messageOverhead = 64;
/** The approximate memory that a message takes besides its bytes: objects for itself, what it answers and its effects. */
const messageMemory = 1024;
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
  readonly cost: number;
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
  #queue = new Queue<Queued>();
  #pending = 0;
  #pendingMessages = 0;
  #number = 0;
  #arrivedBytes = 0;
  #lastDueAt = 0;
  #isSending = false;
  #processed = 0;
  /** Ends the current pause. */
  #wake: (() => void) | undefined;
  /** Called whenever less is pending. */
  #waiters: (() => void)[] = [];

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
    return this.#pending;
  }

  /** The approximate memory that they take. */
  get memory(): number {
    return this.#pending + this.#pendingMessages * (messageMemory - messageOverhead);
  }

  /** Whether too much is waiting. */
  get isFull(): boolean {
    return this.#pending > maxPending;
  }

  /** Whether what comes next can go past the link: it has no faults now, and nothing waits in it. */
  get isPassive(): boolean {
    return this.#pending === 0 && !this.#isSending && !this.#triggers.hasHole && !this.#triggers.concernsAny;
  }

  /** Counts what went past the link, so that conditions on numbers and bytes still hold when there are faults again. */
  skip(messages: number, bytes: number): void {
    this.#number += messages;
    this.#processed += messages;
    this.#arrivedBytes += bytes;
    this.passedBytes += bytes;
  }

  /** Adds a message, or a write of raw bytes. */
  add(unit: Unit): void {
    if (this.isStopped) return;
    const { split } = this.#ends;
    const { counted } = this.#faults;
    const boundary = split && firstBoundary({ content: unit.content, bytesBefore: this.#arrivedBytes }, counted);
    if (!split || boundary === undefined) return this.#add(unit);
    const [first, rest] = split(unit, boundary);
    this.#add(first);
    this.add(rest);
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
    while (this.isFull) await this.#shortened();
  }

  /** Resolves when everything has been passed on. */
  async emptied(): Promise<void> {
    while (this.#pending > 0 || this.#isSending) await this.#shortened();
  }

  /**
   * Resolves when the end of this direction may be passed on, after everything else.
   *
   * @param isLast whether the server shuts down: then a black hole is over, because nothing waits in it
   */
  async ended(isLast: boolean): Promise<void> {
    this.#displaced.releaseAll();
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
    this.#displaced.drop();
    this.#triggers.stop();
    this.#account(-this.#pending, -this.#pendingMessages);
    this.#wake?.();
    this.#notifyWaiters();
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

  #add(unit: Unit): void {
    const size = this.#ends.sizeOf(unit);
    const bytesBefore = this.#arrivedBytes;
    this.#arrivedBytes += size;
    const number = ++this.#number;
    if (this.#triggers.hasHole) return;
    const { elapsed } = this.#triggers;
    const effects = effectsOn(
      { content: unit.content, number, bytesBefore, elapsed },
      this.#faults.counted,
      this.#stream,
    );
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
      cost: size + messageOverhead,
      dueAt: wait === 0 ? 0 : this.#clock.now() + wait,
    };
    this.#account(entry.cost, 1);
    // All sessions together may have buffered too much.
    if (this.isStopped) return;
    if (reorder) return this.#displaced.add(entry, reorder);
    this.#enqueue(entry);
    if (effects.fate === undefined) this.#displaced.passed();
  }

  #enqueue(entry: Queued): void {
    this.#lastDueAt = Math.max(this.#lastDueAt, entry.dueAt);
    this.#queue.push(this.#lastDueAt === entry.dueAt ? entry : { ...entry, dueAt: this.#lastDueAt });
  }

  async #sendAll(): Promise<void> {
    for (let next = this.#queue.first; next && !this.isStopped; next = this.#queue.first) {
      const wait = next.dueAt - this.#clock.now();
      if (wait > 0) await this.pause(wait);
      if (this.isStopped) break;
      const processed = this.#process(next);
      // Most are passed on at once: a promise for each would cost more than all the rest.
      const isOver = isPromise(processed) ? await processed : processed;
      if (isOver || this.isStopped) break;
      this.#queue.shift();
      this.#account(-next.cost, -1);
      this.#notifyWaiters();
    }
    this.#isSending = false;
    this.#notifyWaiters();
    this.#ends.emptied();
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

  #account(bytes: number, messages: number): void {
    this.#pending += bytes;
    this.#pendingMessages += messages;
    if (bytes !== 0) this.#ends.changed();
  }

  #shortened(): Promise<void> {
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  #notifyWaiters(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
