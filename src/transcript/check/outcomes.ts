/** The outcomes of several clients in the order of the file. */
import type { Aligned } from '../align.ts';
import type { Arrival } from '../player.ts';
import type { Values } from '../values.ts';
import type { CheckedClient, Outcome } from './client.ts';
import type { ExpectedLine } from './expected-line.ts';
import { absenceText, type Missing } from './findings.ts';

type Step = Aligned<ExpectedLine, Arrival>;

/** One step of an alignment, or a whole stream. */
export type Entry = {
  /** As {@link ExpectedLine.sequence}. */
  readonly sequence: number;
  readonly client: CheckedClient;
  /** Why the line is missing, if it is. */
  readonly missing: () => Missing;
} & ({ readonly step: Step } | { readonly stream: (values: Values) => readonly Step[] });

/**
 * Merges alignments, so that names get their values in the order of the file, whichever client receives them. Steps of a client
 * stay in the order in which its messages came.
 *
 * @param timeoutMs the time limit that counted
 */
export function mergeOutcomes(outcomes: readonly Outcome[], timeoutMs: number): Entry[] {
  return outcomes.flatMap((outcome) => entriesOf(outcome, timeoutMs)).sort((a, b) => a.sequence - b.sequence);
}

function entriesOf(
  { client, steps, absent, isSkipped, compare, sequence: first }: Outcome,
  timeoutMs: number,
): Entry[] {
  const text = absent ? absenceText(absent, timeoutMs) : undefined;
  let isFirst = true;
  const missing = (isLast: boolean, isAfterWildcard: boolean): Missing => {
    const facts = { isSkipped, isAfterWildcard, isLast: isLast && text !== undefined };
    if (isSkipped) return { ...facts, reason: 'not waited for: the server has said nothing for long, or is gone' };
    if (!isLast || text === undefined) return { ...facts, reason: 'this message is missing' };
    const reason = isFirst ? text : 'no message: the previous one is missing too';
    isFirst = false;
    return { ...facts, reason };
  };
  if (compare) return [{ sequence: first, client, stream: compare, missing: () => missing(true, false) }];
  const lastReceived = steps.findLastIndex((step) => 'message' in step);
  let sequence = first;
  return steps.map((step, index) => {
    if ('item' in step) sequence = Math.max(sequence, step.item.sequence);
    const isAfterWildcard = steps[index - 1]?.kind === 'absorbed';
    return { sequence, client, step, missing: () => missing(index > lastReceived, isAfterWildcard) };
  });
}
