/** What a check has found: the differences, each with the line it belongs to. */
import type { Message } from '../../framing/message.ts';
import type { Aligned } from '../align.ts';
import { allNamesIn } from '../content.ts';
import { endingDifference } from '../ending.ts';
import { contentsOf } from '../names.ts';
import type { Absent, Arrival } from '../player.ts';
import { namesFoundIn } from '../reword.ts';
import type { Place, Transcript } from '../transcript.ts';
import type { Values } from '../values.ts';
import type { CheckedClient } from './client.ts';
import type { Difference } from './difference.ts';
import { type ExpectedLine, lineDifference } from './expected-line.ts';

/** Something that happened, in the order of the play. */
interface Event {
  readonly place: Place;
  /** The client that received a message; undefined for what clients did. */
  readonly receivedBy: string | undefined;
  readonly at: number;
}

/** The maximum number of unexpected messages to report at one place. */
const maxUnexpected = 100;

/** The number of events that {@link Findings.next} still knows. */
const keptEvents = 10;

/** Where an unexpected message belongs, and what to say about it. */
export interface Unexpected {
  /** The line to name. Default: the one after which the message arrived. */
  readonly place?: Place | undefined;
  /** The line that is played next: for a message that nothing precedes. */
  readonly next?: Place | undefined;
  readonly reason?: string | undefined;
  /** Messages that arrived later came after the end of the client. */
  readonly endedAt?: number | undefined;
}

/** Receives the time from a request to the first expected message after it, in milliseconds. */
export type LatencyObserver = (request: Place, reply: Place, ms: number) => void;

/** The requests of a client since its last reply. */
interface Unanswered {
  /** The last one, and when it was sent. */
  readonly place: Place;
  readonly at: number;
  /** Whether it is the only one that the next reply can answer. */
  readonly isOnly: boolean;
  /** Whether a line that takes any messages took one since, which may have been the reply. */
  isAbsorbed: boolean;
}

/** Collects differences. */
export class Findings {
  readonly differences: Difference[] = [];
  /** The number of messages sent, and of those received. */
  sent = 0;
  received = 0;
  readonly #transcript: Transcript;
  readonly #observe: LatencyObserver | undefined;
  /** For each client, its requests since the last reply. */
  readonly #unanswered = new Map<string, Unanswered>();
  readonly #events: Event[] = [];
  /** The last ones of the findings before. */
  #before: readonly Event[] = [];
  readonly #unexpected = new Map<string, number>();

  constructor(transcript: Transcript, observe?: LatencyObserver) {
    this.#transcript = transcript;
    this.#observe = observe;
  }

  /** Findings of what follows. They know what happened here: an unexpected message may belong to it. */
  next(): Findings {
    const findings = new Findings(this.#transcript);
    findings.#before = [...this.#before, ...this.#events].slice(-keptEvents);
    return findings;
  }

  /** When the last message arrived that a line expects, wildcards aside; undefined if none did. */
  arrivedAt: number | undefined;
  readonly #sentAt = new Map<string, number>();

  /** When a client last sent something, on the clock of `performance.now()`. */
  sentAt(client: string): number {
    return this.#sentAt.get(client) ?? 0;
  }

  /** A client did something, such as sending a line. */
  happened(place: Place, at = performance.now()): void {
    this.#events.push({ place, receivedBy: undefined, at });
  }

  /** A client sent a message. @param at when it began to, on the clock of `performance.now()` */
  sentBy(client: string, place: Place, at: number): void {
    this.sent++;
    this.#sentAt.set(client, at);
    this.happened(place, at);
    const before = this.#unanswered.get(client);
    this.#unanswered.set(client, { place, at, isOnly: before === undefined || before.isAbsorbed, isAbsorbed: false });
  }

  /** A step of an alignment that the line's own values confirm, or a difference. */
  addStep(
    step: Aligned<ExpectedLine, Arrival>,
    client: Pick<CheckedClient, 'name'>,
    values: Values,
    missing: () => Missing,
  ): void {
    const { name } = client;
    if (step.kind === 'absorbed') {
      const request = this.#unanswered.get(name);
      // It may be the reply, or anything else.
      if (request) request.isAbsorbed = true;
      return this.#arrived(step.item.step, name, step.message.at);
    }
    if (step.kind === 'absent') return;
    if (step.kind === 'missing') {
      return this.#addMissing(step.item, name, missing());
    }
    if (step.kind === 'unexpected') return this.addUnexpected(step.message, name, {});
    this.#received(step.item.step, name, step.message.at);
    // The alignment did not know names that lines of the same group capture.
    const { message } = step.message;
    const reason = lineDifference(step.item, message, values);
    this.#answered(step.item.step, name, step.message.at, reason === undefined);
    if (reason !== undefined) {
      this.#addLine(step.item, name, message, reason, knownNames(step.item, values));
      if (step.item.step.kind === 'message')
        for (const [found, value] of namesFoundIn(step.item.step, message, values)) values.set(found, value);
      return;
    }
    const ending = endingDifference(message, step.item.ending);
    if (ending !== undefined) this.addFailure(step.item.step, name, ending);
  }

  /** A line of a stream: it was compared before. */
  addStreamStep(step: Aligned<ExpectedLine, Arrival>, client: CheckedClient, missing: () => Missing): void {
    if (step.kind === 'matched' || step.kind === 'replaced') {
      this.#received(step.item.step, client.name, step.message.at);
      this.#answered(step.item.step, client.name, step.message.at, step.kind === 'matched');
    }
    if (step.kind === 'replaced') {
      this.#addLine(step.item, client.name, step.message.message, 'different bytes');
    } else if (step.kind === 'missing') this.#addMissing(step.item, client.name, missing());
    else if (step.kind === 'unexpected') this.addUnexpected(step.message, client.name, {});
  }

  /** A message that no line expects. */
  addUnexpected({ message, at }: Arrival, client: string, { place, next, reason, endedAt }: Unexpected): void {
    this.received++;
    const after = place ?? this.#placeBefore(client, at);
    const found = after ?? next ?? { line: 1 };
    const key = `${client} ${found.file ?? ''} ${found.line}`;
    const count = (this.#unexpected.get(key) ?? 0) + 1;
    this.#unexpected.set(key, count);
    if (count > maxUnexpected) {
      if (count === maxUnexpected + 1) this.addFailure(found, client, `more than ${maxUnexpected} unexpected messages`);
      return;
    }
    this.differences.push({
      kind: 'unexpected',
      ...placed(found),
      client,
      expected: undefined,
      actual: message.bytes,
      received: message,
      reason: reason ?? 'an unexpected message',
      ...(after === undefined ? { isBefore: true } : {}),
      ...(endedAt !== undefined && at > endedAt ? { isAfterEnd: true } : {}),
    });
  }

  /** Something failed that is not about a message. */
  addFailure(place: Place, client: string, reason: string, skipped = false): void {
    const none = { expected: undefined, actual: undefined };
    this.differences.push({
      kind: 'failed',
      ...placed(place),
      client,
      ...none,
      reason,
      ...(skipped ? { skipped } : {}),
    });
  }

  #addMissing(line: ExpectedLine, client: string, { reason, isSkipped, isLast, isAfterWildcard }: Missing): void {
    this.#addLine(line, client, undefined, reason, {
      ...(isSkipped ? { skipped: true } : {}),
      ...(isLast ? { isLast } : {}),
      ...(isAfterWildcard ? { isAfterWildcard } : {}),
    });
  }

  #addLine(
    { step }: ExpectedLine,
    client: string,
    received: Message | undefined,
    reason: string,
    facts: Partial<Difference> = {},
  ): void {
    const { lines, included } = this.#transcript;
    const source = step.file === undefined ? lines : included.get(step.file);
    this.differences.push({
      kind: received ? 'replaced' : 'missing',
      ...placed(step),
      client,
      expected: source?.[step.line - 1] ?? '',
      actual: received?.bytes,
      received,
      reason,
      ...facts,
    });
  }

  #received(place: Place, client: string, at: number): void {
    this.arrivedAt = Math.max(this.arrivedAt ?? at, at);
    this.#arrived(place, client, at);
  }

  #arrived(place: Place, client: string, at: number): void {
    this.received++;
    this.#events.push({ place, receivedBy: client, at });
  }

  /**
   * A line that expects a message got one. What came before the request does not answer it, of several requests it is not known
   * which one was answered, and another message than the expected one may answer none.
   */
  #answered(place: Place, client: string, at: number, isAsExpected: boolean): void {
    const request = this.#unanswered.get(client);
    if (!request || at < request.at) return;
    this.#unanswered.delete(client);
    if (request.isOnly && isAsExpected) this.#observe?.(request.place, place, at - request.at);
  }

  /** The last line before a message arrived: one that its client received, or something that a client did. */
  #placeBefore(client: string, at: number): Place | undefined {
    const isBefore = (event: Event) =>
      event.at <= at && (event.receivedBy === undefined || event.receivedBy === client);
    return (this.#events.findLast(isBefore) ?? this.#before.findLast(isBefore))?.place;
  }
}

/** Why a line has no message. */
export interface Missing {
  readonly reason: string;
  readonly isSkipped: boolean;
  /** Whether nothing came after it although it was waited for. */
  readonly isLast?: boolean | undefined;
  readonly isAfterWildcard?: boolean | undefined;
}

/** Why there are no more messages, in words. */
export function absenceText({ absent, reason }: Absent, timeoutMs: number): string {
  if (absent === 'timeout') return `no message within ${timeoutMs} ms`;
  return absent === 'ended' ? 'the server ended the connection' : `the connection broke: ${reason}`;
}

function placed({ line, file }: Place): Place {
  return file === undefined ? { line } : { line, file };
}

/** What the names of a line stand for. */
function knownNames({ step }: ExpectedLine, values: Values): Partial<Difference> {
  const names = contentsOf(step).flatMap(allNamesIn);
  const known = names.flatMap((name) => {
    const value = values.get(name);
    return value === undefined ? [] : [[name, value] as const];
  });
  return known.length === 0 ? {} : { names: new Map(known) };
}
