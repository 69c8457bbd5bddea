/** Which faults apply to a message, and what they do to it together. */
import { isUtf8 } from 'node:buffer';
import { type Content, frameSizeOf, headerOf, payloadOf } from './content.ts';
import type { FaultAction, FaultCondition } from './fault.ts';
import type { CountedFault } from './fault-set.ts';
import { randomNumber } from './random.ts';

/** A message, or a write of raw bytes, as conditions see it. */
export interface Candidate {
  readonly content: Content;
  /** Its number, from 1. */
  readonly number: number;
  /** Bytes before it in this direction. */
  readonly bytesBefore: number;
  /** Milliseconds since the session began. */
  readonly elapsed: number;
}

/** The stream of messages that it belongs to. */
export interface Stream {
  readonly direction: 'request' | 'reply';
  readonly session: number;
  readonly seed: number;
}

/** An action that takes the place of passing on the message. */
export type Fate = 'drop' | 'reset' | 'close' | 'blackhole';

/** What happens to a message. */
export interface Effects {
  fate: Fate | undefined;
  /** The fault that decided {@link fate}. */
  by: CountedFault | undefined;
  /** Milliseconds. */
  wait: number;
  /** Positions of bits to flip, as shares of the payload's or the frame's length. */
  payloadFlips: readonly number[];
  frameFlips: readonly number[];
  copies: number;
  reorder: { readonly distance: number; readonly within: number } | undefined;
  shape: Shaping | undefined;
  /** The lowest limits: bytes or messages of this direction after which the connection is closed. */
  maxBytes: number | undefined;
  maxMessages: number | undefined;
  limitedBy: CountedFault | undefined;
  /** The faults that were applied, to be counted and reported. */
  readonly applied: CountedFault[];
}

/** How the bytes of a frame are written. */
export interface Shaping {
  /** Bytes per second. */
  rate?: number;
  chunk?: { readonly size: number; readonly variation: number; readonly interval: number; readonly key: number };
}

/** Most messages have no flips: they share this. */
const none: readonly number[] = [];

/** What each random number is for. */
const draws = { probability: 0, sessions: 1, jitter: 2, bits: 16 } as const;
const precedence: readonly (Fate | undefined)[] = [undefined, 'drop', 'blackhole', 'close', 'reset'];

/** Whether a fault concerns a direction at all. */
export function concerns({ fault }: CountedFault, direction: Stream['direction']): boolean {
  const { direction: own = 'reply' } = fault;
  return own === 'both' || own === direction;
}

/** Whether a fault applies to sessions like this one, by chance. */
export function includesSession({ fault, key }: CountedFault, { session, seed }: Stream): boolean {
  const { sessions = 1 } = fault.when ?? {};
  return sessions >= 1 || randomNumber(seed, key, session, draws.sessions) < sessions;
}

/** What the faults do to a message. */
export function effectsOn(candidate: Candidate, faults: readonly CountedFault[], stream: Stream): Effects {
  const effects: Effects = {
    fate: undefined,
    by: undefined,
    wait: 0,
    payloadFlips: none,
    frameFlips: none,
    copies: 0,
    reorder: undefined,
    shape: undefined,
    maxBytes: undefined,
    maxMessages: undefined,
    limitedBy: undefined,
    applied: [],
  };
  for (const fault of faults) {
    if (!concerns(fault, stream.direction) || !includesSession(fault, stream)) continue;
    const draw = (index: number) =>
      randomNumber(stream.seed, fault.key, stream.session, directionKey[stream.direction], candidate.number, index);
    if (holds(fault.fault.when ?? {}, candidate, draw)) apply(fault, effects, draw);
  }
  // What is not passed on shows no other fault.
  return effects.by ? { ...effects, applied: [effects.by] } : effects;
}

const directionKey = { request: 1, reply: 2 } as const;

function holds(when: FaultCondition, candidate: Candidate, draw: (index: number) => number): boolean {
  const { number, bytesBefore, elapsed } = candidate;
  const { probability = 1, from = 1, to = Number.POSITIVE_INFINITY, every = 1, afterTime = 0, afterBytes = 0 } = when;
  if (number < from || number > to || number % every !== 0) return false;
  if (elapsed < afterTime || bytesBefore < afterBytes) return false;
  if (when.pattern && !matches(when.pattern, candidate.content)) return false;
  return probability >= 1 || draw(draws.probability) < probability;
}

function matches(pattern: RegExp, content: Content): boolean {
  const payload = payloadOf(content);
  if (pattern.test(textOf(payload))) return true;
  const header = headerOf(content);
  return header.length > 0 && pattern.test(textOf(Buffer.concat([header, payload])));
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(isUtf8(bytes) ? 'utf8' : 'latin1');
}

function apply(fault: CountedFault, effects: Effects, draw: (index: number) => number): void {
  const { action } = fault.fault;
  if (action.kind !== 'limit' && action.kind !== 'slow-close') effects.applied.push(fault);
  switch (action.kind) {
    case 'drop':
    case 'reset':
    case 'close':
    case 'blackhole':
      if (precedence.indexOf(action.kind) <= precedence.indexOf(effects.fate)) return;
      effects.fate = action.kind;
      effects.by = fault;
      return;
    case 'latency':
      effects.wait += Math.max(0, action.time + (2 * draw(draws.jitter) - 1) * (action.jitter ?? 0));
      return;
    case 'corrupt': {
      const flips = Array.from({ length: action.bits ?? 1 }, (_, bit) => draw(draws.bits + bit));
      if (action.frame) effects.frameFlips = [...effects.frameFlips, ...flips];
      else effects.payloadFlips = [...effects.payloadFlips, ...flips];
      return;
    }
    case 'duplicate':
      effects.copies += action.copies ?? 1;
      return;
    case 'reorder':
      effects.reorder = { distance: action.distance ?? 1, within: action.within ?? 100 };
      return;
    case 'limit':
      return limit(fault, action, effects);
    default:
      return shape(action, effects, draw);
  }
}

function limit(fault: CountedFault, action: Extract<FaultAction, { kind: 'limit' }>, effects: Effects): void {
  const { bytes = Number.POSITIVE_INFINITY, messages = Number.POSITIVE_INFINITY } = action;
  const { maxBytes = Number.POSITIVE_INFINITY, maxMessages = Number.POSITIVE_INFINITY } = effects;
  if (bytes < maxBytes) effects.maxBytes = bytes;
  if (messages < maxMessages) effects.maxMessages = messages;
  if (bytes < maxBytes || messages < maxMessages) effects.limitedBy = fault;
}

function shape(action: FaultAction, effects: Effects, draw: (index: number) => number): void {
  effects.shape ??= {};
  if (action.kind === 'bandwidth') effects.shape.rate = Math.min(action.rate, effects.shape.rate ?? action.rate);
  if (action.kind !== 'chunk') return;
  const { size, variation = 0, interval = 1 } = action;
  effects.shape.chunk = { size, variation, interval, key: Math.floor(draw(draws.bits) * 2 ** 32) };
}

/** Bytes before which a chunk without frames has to be cut, so that conditions and limits do not depend on chunks. */
export function firstBoundary(
  { content, bytesBefore }: Pick<Candidate, 'content' | 'bytesBefore'>,
  faults: readonly CountedFault[],
): number | undefined {
  const size = frameSizeOf(content);
  const inside = faults
    .flatMap(({ fault }) => fault.when?.afterBytes ?? [])
    .map((bytes) => bytes - bytesBefore)
    .filter((offset) => offset > 0 && offset < size);
  return inside.length === 0 ? undefined : Math.min(...inside);
}
