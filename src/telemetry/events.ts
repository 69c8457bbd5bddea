/** The events by name, for programs without types. */
import { YodelError } from '../errors.ts';
import { hintFor } from '../suggestion.ts';
import type { Subscriber } from './telemetry.ts';

/** Each event, and the names of its details in order. */
export const events = {
  listening: ['address'],
  draining: ['sessions'],
  refused: ['peer', 'error'],
  left: ['peer', 'error'],
  opened: ['session'],
  received: ['session', 'batch'],
  relayed: ['session', 'batch'],
  faulted: ['session', 'applied'],
  sent: ['session', 'bytes', 'isShared'],
  inputEnded: ['session'],
  handled: ['session', 'messages', 'durationMs'],
  discarded: ['session', 'error'],
  undelivered: ['session', 'error', 'messages'],
  roomJoined: ['session', 'room'],
  roomLeft: ['session', 'room'],
  published: ['room', 'messages', 'members'],
  missed: ['session', 'room', 'messages'],
  roomLost: ['room', 'messages', 'members'],
  bus: ['event', 'reason'],
  handlerFailed: ['session', 'error'],
  stopFailed: ['error'],
  closed: ['session', 'error'],
} as const satisfies { readonly [Name in keyof Required<Subscriber>]: readonly string[] };

/**
 * The subscribers of an option that takes one or several.
 *
 * @throws YodelError `YODEL_INVALID_OPTION` if one is no object, or has a function whose name is no event
 */
export function subscribersOf(given: Subscriber | readonly Subscriber[] | undefined): readonly Subscriber[] {
  if (given === undefined) return [];
  const all: readonly Subscriber[] = Array.isArray(given) ? given : [given as Subscriber];
  for (const one of all) checkSubscriber(one);
  return all;
}

/** Methods of classes may be anything: only those of plain objects must be events. */
function checkSubscriber(subscriber: unknown): void {
  if (typeof subscriber !== 'object' || subscriber === null || Array.isArray(subscriber))
    throw invalid('takes an object with methods for events, or an array of such objects');
  const names = Object.keys(events);
  for (const [name, value] of Object.entries(subscriber)) {
    const isEvent = names.includes(name);
    if (!isEvent && typeof value === 'function') throw invalid(`has no event "${name}". ${hintFor(name, names)}`);
    if (isEvent && value !== undefined && typeof value !== 'function')
      throw invalid(`takes functions for events, and "${name}" is none`);
  }
}

function invalid(text: string): YodelError {
  return new YodelError('YODEL_INVALID_OPTION', `the option "telemetry" ${text}`);
}
