/** Whether what a client has sent is what a line expects. */
import { asBuffer } from '../../framing/framing.ts';
import { Message } from '../../framing/message.ts';
import { ownCopy } from '../../framing/slices.ts';
import { knownBytes } from '../content/evaluate.ts';
import { endingDifference } from '../ending.ts';
import { differenceOf } from '../message-line.ts';
import type { Ending, MessageStep } from '../transcript.ts';
import type { Values } from '../values.ts';
import type { MockClient } from './client.ts';

/** What lines are compared with. */
export interface Comparison {
  readonly values: Values;
  /** How messages must end, from the last `@expect-ending`; undefined: in any way. */
  readonly ending: Ending;
}

/**
 * `met`: the line is as expected. `different`: it is not, and never will be. `more`: it may be when more has arrived, which is
 * possible only with a framing whose messages are chunks.
 */
export type Fit = 'met' | 'different' | 'more';

/** Compares the next message of a client with a line. If it fits, the message is taken, and names have values. */
export function take(step: MessageStep, client: MockClient, comparison: Comparison): Fit | undefined {
  const message = firstOf(client);
  const fit = fitOf(step, client, comparison);
  if (fit !== 'met' || !message) return fit;
  if (isStream(client)) takeFromStream(step, client, message, comparison.values);
  else client.inbox.shift();
  client.met(message);
  return 'met';
}

/** Compares without taking the message. If it fits, names have values. Undefined if there is none. */
export function fitOf(step: MessageStep, client: MockClient, comparison: Comparison): Fit | undefined {
  const message = firstOf(client);
  if (!message) return undefined;
  if (isStream(client)) return fitOfStream(step, client, message, comparison.values);
  return differenceFrom(step, message, comparison) === undefined ? 'met' : 'different';
}

/** What differs between a message and a line, if anything. Names get values only if nothing does. */
export function differenceFrom(
  step: MessageStep,
  message: Message,
  { values, ending }: Comparison,
): string | undefined {
  return endingDifference(message, ending) ?? differenceOf(step, message, values);
}

/** Whether chunks are messages, so that only their content counts and not where they end. */
export function isStream({ session }: MockClient): boolean {
  return session.framing.name === 'raw';
}

/** The first message that no line has taken yet: of a stream, all bytes so far. They are joined only when they are looked at. */
export function firstOf(client: MockClient): Message | undefined {
  const { inbox } = client;
  if (inbox.length > 1 && isStream(client)) {
    inbox.push(Message.of(Buffer.concat(inbox.takeAll().map(({ bytes }) => bytes))));
  }
  return inbox.first;
}

/** Adds bytes to those of a stream that no line has taken yet. */
export function addToStream(client: MockClient, { bytes }: Message): void {
  if (bytes.length > 0) client.inbox.push(Message.of(ownCopy(bytes)));
}

function fitOfStream(step: MessageStep, client: MockClient, message: Message, values: Values): Fit {
  const bytes = asBuffer(message.bytes);
  const { isWhole, start } = startOf(step, values);
  const length = Math.min(start.length, bytes.length);
  if (!start.subarray(0, length).equals(bytes.subarray(0, length))) return 'different';
  if (isWhole) return bytes.length < start.length ? 'more' : 'met';
  if (differenceOf(step, message, values) === undefined) return 'met';
  return client.hasEnded || client.isGone ? 'different' : 'more';
}

/** A line of known bytes takes only these; one with a name or a pattern everything. */
function takeFromStream(step: MessageStep, client: MockClient, { bytes }: Message, values: Values): void {
  const { isWhole, start } = startOf(step, values);
  client.inbox.takeAll();
  if (isWhole && bytes.length > start.length) client.inbox.push(Message.of(bytes.subarray(start.length)));
}

/** The known bytes that a line begins with, and whether that is all of it. */
function startOf({ content }: MessageStep, values: Values): { readonly isWhole: boolean; readonly start: Buffer } {
  const known: Uint8Array[] = [];
  if (content.kind !== 'parts') return { isWhole: false, start: Buffer.alloc(0) };
  for (const part of content.parts) {
    const bytes = knownBytes(part, values);
    if (!bytes) return { isWhole: false, start: Buffer.concat(known) };
    known.push(bytes);
  }
  return { isWhole: true, start: Buffer.concat(known) };
}
