import { YodelError } from '../../errors.ts';
import type { Difference } from '../../transcript/check/difference.ts';
import { Check } from '../../transcript/check.ts';
import type { ConnectionOptions } from '../../transcript/connection-options.ts';
import { formatMessage } from '../../transcript/message-line.ts';
import type { MessageStep, Step } from '../../transcript/transcript.ts';
import { type WalkedStep, walked } from '../../transcript/walk.ts';
import { roundOf, type Script } from './script.ts';

/** What a user reports. */
export interface UserEvents {
  /** A request was sent. @param index of {@link Script.requests} @param at when it was sent, or was due */
  sent(index: number, at: number): void;
  /** The last reply to it arrived. */
  answered(index: number, at: number, arrivedAt: number): void;
  /** A difference from the transcript. @param index of the request, if it belongs to one */
  differed(text: string, place: string, index: number | undefined): void;
  /** A connection was opened, which took so long. */
  connected(tookMs: number): void;
}

/** A request whose replies are awaited. */
interface Pending {
  readonly index: number;
  readonly at: number;
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

  /** @param connection its number, from 1: the value of `{connection}` */
  constructor(script: Script, connection: number, options: UserOptions, events: UserEvents) {
    this.#script = script;
    this.#events = events;
    const { transcript } = script;
    const given = { ...transcript.given, connection: String(connection) };
    this.#check = new Check({ ...transcript, given }, options);
  }

  /** Whether a connection is over, so that no further round can be played. */
  get isOver(): boolean {
    return this.#check.isOver;
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

  /** Plays what follows the marked block, and ends the connections. */
  async end(): Promise<void> {
    if (!this.isOver) await this.#playUnmeasured(this.#script.after);
    await this.#check.finish();
    this.#takeDifferences(undefined);
    this.abort();
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
      const at = this.#dueAt ?? performance.now();
      this.#dueAt = undefined;
      this.#pending = { index, at, isAnswered: false };
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
    if (first === undefined && arrivedAt !== undefined) this.#events.answered(pending.index, pending.at, arrivedAt);
  }

  #takeDifferences(index: number | undefined) {
    const { differences, arrivedAt } = this.#check.takeFindings();
    const texts = differences.map((difference) => textOf(difference, this.#script.transcript.file));
    for (const [at, text] of texts.entries()) this.#events.differed(text, placeOf(differences[at]), index);
    return { arrivedAt, first: texts[0] };
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

function placeOf(difference: Difference | undefined): string {
  return `${difference?.file ?? ''}:${difference?.line}`;
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
