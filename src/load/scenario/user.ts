import { YodelError } from '../../errors.ts';
import type { Difference } from '../../transcript/check/difference.ts';
import { Check } from '../../transcript/check.ts';
import type { ConnectionOptions } from '../../transcript/connection-options.ts';
import { formatMessage } from '../../transcript/message-line.ts';
import type { MessageStep, Place, Step } from '../../transcript/transcript.ts';
import { type WalkedStep, walked } from '../../transcript/walk.ts';
import { type LatencyLog, listenMs, type Retraction } from '../latency-log.ts';
import { mayBeReply, roundOf, type Script } from './script.ts';

/** What a user reports. */
export interface UserEvents {
  /** A request was sent. @param index of {@link Script.requests} @param at when it was sent, or was due */
  sent(index: number, at: number): void;
  /** The last reply to it arrived. */
  answered(arrivedAt: number): void;
  /** Creates the log of a request's latencies over the connections of one user. */
  logOf(index: number): LatencyLog;
  /** Latencies may be those of other requests. */
  doubted(retraction: Retraction): void;
  /** A difference from the transcript. @param index of the request, if it belongs to one */
  differed(text: string, place: string, index: number | undefined): void;
  /** A connection was opened, which took so long. */
  connected(tookMs: number): void;
}

/** A request whose replies are awaited. */
interface Pending {
  readonly step: MessageStep;
  readonly index: number;
  /** Since when it counts: when it was sent, or was due. */
  readonly at: number;
  readonly sentAt: number;
  /** Whether replies to it have been expected. */
  isAnswered: boolean;
}

/** One play of a transcript: the connections of its clients, with values of its own. */
export class User {
  readonly #script: Script;
  readonly #events: UserEvents;
  readonly #check: Check;
  #round = 0;
  #pending: Pending | undefined;
  /** Since when the next request counts, if it had to wait. */
  #dueAt: number | undefined;
  readonly #logs = new Map<number, LatencyLog>();
  /** Whether it cannot be known any more which reply belongs to which request. */
  #isOutOfStep = false;

  /** @param connection its number, from 1: the value of `{connection}` */
  constructor(script: Script, connection: number, options: UserOptions, events: UserEvents) {
    this.#script = script;
    this.#events = events;
    const { transcript } = script;
    const given = { ...transcript.given, connection: String(connection) };
    this.#check = new Check({ ...transcript, given }, options);
  }

  /** Whether a connection is over or out of step, so that no further round can be played. */
  get isOver(): boolean {
    return this.#isOutOfStep || this.#check.isOver;
  }

  /** Plays what precedes the marked block. Resolves with the first difference. @throws YodelError if it cannot connect */
  async begin(): Promise<string | undefined> {
    const { before, loop } = this.#script;
    await this.#playUnmeasured(before);
    // The first round is not to measure how long connecting takes.
    const first = loop?.steps.find((step) => step.kind === 'message');
    if (first?.kind === 'message' && before.length === 0) await this.#open(first);
    return this.#takeDifferences(undefined).first;
  }

  /** Plays a round. @param dueAt when it was due, if it had to wait @throws YodelError if it cannot connect */
  async playRound(dueAt: number | undefined): Promise<void> {
    this.#dueAt = dueAt;
    for (const step of roundOf(this.#script, ++this.#round)) {
      if (this.#isOutOfStep) return;
      if (step.kind === 'message' && step.side === '>') await this.#send(step);
      else if (isExpected(step)) {
        if (this.#pending) this.#pending.isAnswered ||= step.kind !== 'any';
        await this.#check.play(step);
      } else {
        if (mayTakeTime(step)) await this.#settle(step);
        await this.#check.play(step);
      }
    }
    await this.#settle(undefined);
  }

  /**
   * Plays what follows the marked block, and ends the connections.
   *
   * @param listens whether to wait for replies that are too many, which show that the latencies are wrong
   */
  async end(listens: boolean): Promise<void> {
    if (listens && !this.isOver && !this.#takesRest) await this.#listen();
    if (!this.isOver) await this.#playUnmeasured(this.#script.after);
    await this.#check.finish();
    this.#takeDifferences(undefined);
    this.abort();
  }

  /** Whether the file says that any messages may follow the last round. */
  get #takesRest(): boolean {
    const [first] = this.#script.after;
    return first?.kind === 'any' && first.side === '<';
  }

  async #listen(): Promise<void> {
    const slowest = Math.max(0, ...Array.from(this.#logs.values(), (log) => log.slowest));
    await this.#check.settle(undefined, listenMs(slowest));
    this.#takeDifferences(undefined);
  }

  /** Closes all connections at once. */
  abort(): void {
    this.#check.abort();
  }

  async #playUnmeasured(steps: readonly Step[]): Promise<void> {
    for (const step of walked(steps)) await this.#check.play(step);
    await this.#check.settle(undefined);
  }

  async #send(step: MessageStep): Promise<void> {
    if (!this.#pending || this.#pending.isAnswered) {
      await this.#settle(step);
      await this.#open(step);
      const index = this.#script.requests.findIndex(({ line, file }) => line === step.line && file === step.file);
      const sentAt = performance.now();
      this.#pending = { step, index, at: this.#dueAt ?? sentAt, sentAt, isAnswered: false };
      this.#dueAt = undefined;
    }
    await this.#check.play(step);
  }

  async #open(step: MessageStep): Promise<void> {
    const began = performance.now();
    if (await this.#check.open(step)) this.#events.connected(performance.now() - began);
  }

  /** The replies that were expected so far have arrived, or will not. */
  async #settle(next: WalkedStep | undefined): Promise<void> {
    await this.#check.settle(next);
    const pending = this.#pending;
    if (pending && !pending.isAnswered && next !== undefined) return;
    this.#pending = undefined;
    const { arrivedAt, first } = this.#takeDifferences(pending?.index);
    if (!pending?.isAnswered) return;
    this.#events.sent(pending.index, pending.at);
    if (first !== undefined || arrivedAt === undefined) return;
    if (arrivedAt <= pending.sentAt) return this.#foundEarly(pending);
    this.#events.answered(arrivedAt);
    this.#logOf(pending.index).record(arrivedAt - pending.at);
  }

  /** What answered a request had arrived before it was sent: it belongs to an earlier one, or to none. */
  #foundEarly({ step, index }: Pending): void {
    const place = placeOf(step);
    const text = `${step.file ?? this.#script.transcript.file}:${step.line}: the reply had arrived before the request`;
    this.#events.differed(text, place, index);
    this.#doubt();
  }

  #takeDifferences(index: number | undefined) {
    const { differences, arrivedAt } = this.#check.takeFindings();
    const texts = differences.map((difference) => textOf(difference, this.#script.transcript.file));
    for (const [at, text] of texts.entries()) this.#events.differed(text, placeOf(differences[at]), index);
    // A reply that is late may come later, and be taken for that of another request.
    if (differences.some(({ kind, isLast }) => kind === 'missing' && isLast)) this.#isOutOfStep = true;
    if (differences.some((difference) => this.#isExtra(difference))) this.#doubt();
    return { arrivedAt, first: texts[0] };
  }

  /** Whether a message is too many, and may have been taken for the reply to a request, or such a reply for it. */
  #isExtra({ kind, received }: Difference): boolean {
    return kind === 'unexpected' && received !== undefined && mayBeReply(this.#script, received);
  }

  /** Takes back all latencies. */
  #doubt(): void {
    this.#isOutOfStep = true;
    for (const latencies of this.takeLatencies()) this.#events.doubted(latencies);
  }

  /** All latencies, which are then forgotten here. */
  takeLatencies(): Retraction[] {
    const all = Array.from(this.#logs, ([request, log]) => ({ latencies: log.retractAll(), request }));
    return all.flatMap(({ latencies, request }) => (latencies ? [{ ...latencies, request }] : []));
  }

  #logOf(index: number): LatencyLog {
    const log = this.#logs.get(index) ?? this.#events.logOf(index);
    this.#logs.set(index, log);
    return log;
  }
}

/** How users connect, and how long they wait. */
export interface UserOptions extends ConnectionOptions {
  readonly timeoutMs: number;
}

function isExpected(step: WalkedStep): boolean {
  if (step.kind === 'message' || step.kind === 'any') return step.side === '<';
  return step.kind === 'unordered' && step.steps.every(({ side }) => side === '<');
}

/** Whether the step is played after everything expected before it has come. */
function mayTakeTime(step: WalkedStep): boolean {
  return ['wait', 'silence', 'connect', 'starttls', 'close', 'closed', 'reset', 'unordered'].includes(step.kind);
}

function placeOf(place: Place | undefined): string {
  return `${place?.file ?? ''}:${place?.line}`;
}

/** `login.transcript:7: different text: expected "< ok", got "< no"`. */
function textOf({ file, line, expected, received, reason }: Difference, own: string): string {
  const parts = [
    ...(expected === undefined ? [] : [`expected ${expected}`]),
    ...(received === undefined ? [] : [`got <${formatMessage(received)}`]),
  ];
  return `${file ?? own}:${line}: ${reason}${parts.length === 0 ? '' : ` (${parts.join(', ')})`}`;
}

/** An error of a user as a YodelError. @throws what is none */
export function failureOf(error: unknown): YodelError {
  if (error instanceof YodelError) return error;
  throw error;
}
