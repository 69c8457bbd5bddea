/** Two recordings of the same conversation beside each other, without a server: what differs can be masked. */
import { Message } from '../../framing/message.ts';
import { align, type Expected } from '../align.ts';
import { partsOf } from '../message-line.ts';
import type { Arrival } from '../player.ts';
import type { MessageStep, StepOf, Transcript } from '../transcript.ts';
import { Values } from '../values.ts';
import { changeValues, stepsIn } from '../walk.ts';
import { type ExpectedLine, likeness, mayMatch } from './expected-line.ts';
import { Findings } from './findings.ts';
import type { CheckResult } from './options.ts';

/** What a client receives between two of its requests. */
interface Group {
  readonly client: string;
  /** Undefined before the first request. */
  readonly request: MessageStep | undefined;
  readonly lines: (MessageStep | StepOf<'any'>)[];
}

/** A group, and that of the other file with as many requests of the client before it. */
interface Pair {
  readonly own: Group;
  readonly other: Group;
}

/**
 * Compares a transcript with another recording of the same conversation, as if a server had sent that one's messages. The
 * requests of each client must be the same, or that is a difference; the replies to each are aligned.
 *
 * @throws YodelError as `partsOf`
 */
export function compareRecordings(transcript: Transcript, other: Transcript): CheckResult {
  const began = performance.now();
  const comparison = new Comparison(transcript, other);
  const expected = comparison.run();
  const { differences } = comparison.findings;
  return { transcript, differences, expected, elapsedMs: performance.now() - began };
}

class Comparison {
  readonly findings: Findings;
  readonly #groups: Map<string, Group[]>;
  readonly #others: Map<string, Group[]>;
  readonly #values: Values;
  readonly #otherValues: Values;
  #at = 0;

  constructor(transcript: Transcript, other: Transcript) {
    this.findings = new Findings(transcript);
    this.#values = new Values(transcript);
    this.#otherValues = new Values(other);
    this.#groups = groupsOf(transcript, this.#values);
    this.#others = groupsOf(other, this.#otherValues);
  }

  /** Returns the number of lines that expect a message. */
  run(): number {
    for (const [client, groups] of this.#groups) {
      const others = this.#others.get(client) ?? [];
      for (const pairs of pipelines(groups, others)) this.#compare(client, pairs);
      const unpaired = groups[others.length];
      const place = unpaired?.request ?? unpaired?.lines[0];
      if (place) this.findings.addFailure(place, client, 'the other file ends before this line');
      const more = others[groups.length]?.request;
      const last = groups.at(-1)?.request ?? groups[0]?.lines[0];
      if (more && last)
        this.findings.addFailure(last, client, `the other file has another request, in its line ${more.line}`);
    }
    const lines = [...this.#groups.values()].flat().flatMap((group) => group.lines);
    return lines.filter((line) => line.kind === 'message' && !line.isOptional).length;
  }

  #compare(client: string, pairs: readonly Pair[]): void {
    const found = this.#at++;
    for (const [index, { own, other }] of pairs.entries()) {
      if (!own.request || !other.request) continue;
      // What precedes all lines is a place for a message that precedes them in the other file.
      if (pairs.slice(0, index).every((before) => before.own.lines.length === 0))
        this.findings.happened(own.request, found);
      this.#compareRequests(client, own.request, other.request);
    }
    const lines = pairs.flatMap(({ own }) => own.lines);
    const expected = lines.map((step): Expected<ExpectedLine> => {
      const item = { step, sequence: 0, values: this.#values, sentAt: 0, ending: undefined };
      return step.kind === 'any' ? { kind: 'any', item } : { kind: 'message', item, isOptional: step.isOptional };
    });
    const received = pairs.flatMap(({ other }) => other.lines).flatMap((step) => this.#received(step) ?? []);
    const steps = align(expected, received, { matches: mayMatch, similarity: likeness });
    const missing = () => ({ reason: 'the other file has no such message', isSkipped: false });
    for (const step of steps) this.findings.addStep(step, { name: client }, this.#values, missing);
  }

  #compareRequests(client: string, request: MessageStep, other: MessageStep): void {
    const [own, its] = [this.#sent(request, this.#values), this.#sent(other, this.#otherValues)];
    if (own === undefined || its === undefined || !own.equals(its))
      this.findings.addFailure(request, client, `the other file sends something else, in its line ${other.line}`);
  }

  #sent(step: MessageStep, values: Values): Buffer | undefined {
    const parts = partsOf(step, values);
    return parts && Buffer.concat([parts.header ?? new Uint8Array(), parts.payload]);
  }

  /** The message of a line. What is not determined, such as a pattern, is none. */
  #received(step: Group['lines'][number]): Arrival | undefined {
    const parts = step.kind === 'message' ? partsOf(step, this.#otherValues) : undefined;
    const { header, kind } = parts ?? {};
    return parts && { message: Message.of(parts.payload, { header, kind }), at: this.#at++ };
  }
}

/**
 * Groups that are compared together: when one file has nothing between two requests, they were sent one after the other, and
 * where their replies stand says nothing about what they belong to.
 */
function* pipelines(groups: readonly Group[], others: readonly Group[]): Iterable<Pair[]> {
  let pairs: Pair[] = [];
  for (const [index, own] of groups.entries()) {
    const other = others[index];
    if (!other) break;
    pairs.push({ own, other });
    const isPipelined = own.lines.length === 0 || other.lines.length === 0;
    if (isPipelined && groups[index + 1] && others[index + 1]) continue;
    yield pairs;
    pairs = [];
  }
}

/** The groups of each client, in the order of the file. */
function groupsOf(transcript: Transcript, values: Values): Map<string, Group[]> {
  const groups = new Map<string, Group[]>();
  for (const step of stepsIn(transcript)) {
    if (step.kind === 'set') changeValues(step, values);
    if (step.kind !== 'message' && step.kind !== 'any') continue;
    const { client } = step;
    const own = groups.get(client) ?? [{ client, request: undefined, lines: [] }];
    groups.set(client, own);
    if (step.side === '<') own.at(-1)?.lines.push(step);
    else if (step.kind === 'message') own.push({ client, request: step, lines: [] });
  }
  return groups;
}
