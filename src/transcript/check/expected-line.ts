import type { Message } from '../../framing/message.ts';
import { differenceOf } from '../message-line.ts';
import type { Arrival } from '../player.ts';
import type { Ending, MessageStep, StepOf } from '../transcript.ts';
import type { Values } from '../values.ts';

/** A line of the server, once the play has come to it. */
export interface ExpectedLine {
  readonly step: MessageStep | StepOf<'any'>;
  /** Its place in the order of everything that was played. */
  readonly sequence: number;
  /** The values when the play came to it. Names that lines before it are still to capture have none. */
  readonly values: Values;
  /** When a client had last sent something, on the clock of `performance.now()`. */
  readonly sentAt: number;
  /** From `@expect-ending`. */
  readonly ending: Ending;
}

/**
 * Whether a message may be the one that a line expects. Names that get their values from lines still to come match anything:
 * {@link lineDifference} decides when those lines have their messages.
 */
export function mayMatch({ step, values }: ExpectedLine, { message }: Arrival): boolean {
  return step.kind === 'any' || differenceOf(step, message, values.fork()) === undefined;
}

/** Whether a message may be instead of that of a line. One that came before the last request does not answer it. */
export function mayReplace({ sentAt }: ExpectedLine, { at }: Arrival): boolean {
  return at >= sentAt;
}

/** What differs, if anything. If the message is as expected, its names get their values. */
export function lineDifference({ step }: ExpectedLine, message: Message, values: Values): string | undefined {
  return step.kind === 'any' ? undefined : differenceOf(step, message, values);
}

/**
 * How alike a line and a message are, from 0 to 1: the part of the longer one that both have in common at their beginnings and
 * ends.
 */
export function likeness({ step }: ExpectedLine, { message }: Arrival): number {
  if (step.kind === 'any' || step.content.kind !== 'parts') return 0;
  const { parts } = step.content;
  const literal = Buffer.concat(parts.filter((part) => part instanceof Uint8Array)).subarray(0, longestCompared);
  const { bytes } = message;
  const least = Math.min(literal.length, bytes.length);
  let start = 0;
  while (start < least && literal[start] === bytes[start]) start++;
  let end = 0;
  while (end < least - start && literal[literal.length - 1 - end] === bytes[bytes.length - 1 - end]) end++;
  return (start + end) / Math.max(literal.length, Math.min(bytes.length, longestCompared), 1);
}

/** The number of bytes compared to find what is alike. */
const longestCompared = 1000;
