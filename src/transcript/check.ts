import { setTimeout as pause } from 'node:timers/promises';
import { YodelError } from '../errors.ts';
import type { Expected } from './align.ts';
import { CheckedClient, type Outcome } from './check/client.ts';
import type { Difference } from './check/difference.ts';
import type { ExpectedLine } from './check/expected-line.ts';
import { Findings, type LatencyObserver } from './check/findings.ts';
import { maxBeforeEnd, type Patience } from './check/group.ts';
import { type CheckOptions, type CheckResult, checkCall } from './check/options.ts';
import { actorsOf, isAction, messagesFrom } from './check/order.ts';
import { mergeOutcomes } from './check/outcomes.ts';
import { Pace } from './check/pace.ts';
import { Connections } from './connections.ts';
import { refuseWithoutExpectations } from './expectations.ts';
import { partsOf, unknownInMessage } from './message-line.ts';
import type { Absent, Arrival } from './player.ts';
import type { Ending, MessageStep, Place, StepOf, Transcript } from './transcript.ts';
import { Values } from './values.ts';
import { changeValues, type WalkedStep, walked } from './walk.ts';

export type { Difference, DifferenceKind } from './check/difference.ts';
export type { CheckOptions, CheckResult } from './check/options.ts';

/**
 * Plays the clients of a transcript against a server and compares its replies. The messages between two actions of the clients
 * are aligned with the lines that expect them, so that a message more or less is one difference. The conversation goes on
 * after a difference. Once a connection is over, or the server has said nothing where two groups of messages were expected,
 * the rest is not waited for.
 *
 * @throws TranscriptError when a line cannot be played: a client cannot send a pattern, or a name without a value
 * @throws YodelError when it cannot connect; `YODEL_INVALID_TRANSCRIPT` when no line expects anything, unless `settleMs` is set
 */
export async function check(transcript: Transcript, options: CheckOptions = {}): Promise<CheckResult> {
  checkCall(transcript, options);
  if (!options.settleMs) refuseWithoutExpectations(transcript);
  return await new Check(transcript, options).run();
}

/** How long the server may take to end its side after the last line. Messages received until then are unexpected. */
const lastMessagesMs = 1000;

/** A step that changes values while lines are expected: it counts for the lines after it. */
interface Change {
  readonly sequence: number;
  readonly step: WalkedStep;
}

/** @internal A play of the clients of a transcript, step by step. For load tests; others call {@link check}. */
export class Check {
  readonly #transcript: Transcript;
  readonly #options: CheckOptions;
  readonly #values: Values;
  readonly #connections: Connections;
  readonly #clients = new Map<string, CheckedClient>();
  #findings: Findings;
  readonly #pace: Pace;
  #timeoutMs: number;
  #ending: Ending;
  #expectedEnding: Ending;
  #sequence = 0;
  #expected = 0;
  /** Changes since the first line that is expected and not settled yet. */
  #changes: Change[] = [];
  /** The values with these changes. */
  #outlook: Values | undefined;

  /** @param observe for latencies, until {@link takeFindings} is called */
  constructor(transcript: Transcript, options: CheckOptions, observe?: LatencyObserver) {
    this.#transcript = transcript;
    this.#options = options;
    this.#values = new Values(transcript);
    this.#connections = new Connections(transcript, options);
    this.#findings = new Findings(transcript, observe);
    this.#pace = new Pace(options.quietMs);
    this.#timeoutMs = options.timeoutMs ?? 5000;
  }

  async run(): Promise<CheckResult> {
    const began = performance.now();
    const transcript = this.#transcript;
    try {
      for (const step of walked(transcript.steps)) await this.play(step);
      await this.settle(undefined);
      await this.finish();
    } finally {
      this.abort();
    }
    const elapsedMs = performance.now() - began;
    return { transcript, differences: this.#findings.differences, expected: this.#expected, elapsedMs };
  }

  /** Plays the next step. */
  async play(step: WalkedStep): Promise<void> {
    this.#sequence++;
    if (!this.#change(step)) await this.#play(step);
  }

  /** Opens the connection of a step's client. Resolves with whether it was not open yet. */
  async open(step: MessageStep): Promise<boolean> {
    if (this.#clients.has(step.client)) return false;
    await this.#clientOf(step.client, step);
    return true;
  }

  /** Whether a connection is over. */
  get isOver(): boolean {
    return [...this.#clients.values()].some(({ isLost, player }) => isLost || player.isGone);
  }

  /** The counts so far, with the number of expected messages. */
  get counts(): Pick<Findings, 'sent' | 'received' | 'differences'> & { readonly expected: number } {
    const { sent, received, differences } = this.#findings;
    return { sent, received, differences, expected: this.#expected };
  }

  /** The differences since the last call, and when the last expected message arrived, if one did. */
  takeFindings(): { readonly differences: readonly Difference[]; readonly arrivedAt: number | undefined } {
    const { differences, arrivedAt } = this.#findings;
    this.#findings = this.#findings.next();
    return { differences, arrivedAt };
  }

  /** After the last step: ends all connections, and finds what the server still sends. */
  async finish(): Promise<void> {
    for (const client of this.#clients.values()) await this.#finish(client);
  }

  /** Closes all connections at once. */
  abort(): void {
    this.#connections.abort();
  }

  /** Performs a step that only changes values. Returns whether it was one. */
  #change(step: WalkedStep): boolean {
    if (![...this.#clients.values()].some(({ isExpecting }) => isExpecting)) return changeValues(step, this.#values);
    const outlook = (this.#outlook ?? this.#values).fork();
    if (!changeValues(step, outlook)) return false;
    this.#outlook = outlook;
    this.#changes.push({ sequence: this.#sequence, step });
    return true;
  }

  async #play(step: WalkedStep): Promise<void> {
    switch (step.kind) {
      case 'message':
        return step.side === '>' ? await this.#send(step) : await this.#expect(step);
      case 'any':
        return step.side === '>' ? undefined : await this.#expect(step);
      case 'unordered':
        return await this.#playUnordered(step);
      case 'ending':
        this.#ending = step.ending;
        return;
      case 'expect-ending':
        this.#expectedEnding = step.ending;
        return;
      case 'pace':
        return;
      default:
        await this.settle(step);
        return await this.#act(step);
    }
  }

  /** Steps before which everything that is expected must have come. */
  async #act(step: WalkedStep): Promise<void> {
    switch (step.kind) {
      case 'wait':
        this.#findings.happened(step);
        return await pause(step.ms);
      case 'timeout':
        this.#timeoutMs = step.ms;
        return;
      case 'connect':
        return await this.#connect(step);
      case 'starttls':
        return await this.#startTls(step);
      case 'close': {
        const client = await this.#clientOf(step.client, step);
        this.#findings.happened(step);
        return client.player.end();
      }
      case 'reset': {
        const client = await this.#clientOf(step.client, step);
        this.#findings.happened(step);
        client.end();
        return client.player.abort();
      }
      case 'silence':
        return await this.#expectSilence(await this.#clientOf(step.client, step), step);
      case 'closed':
        return await this.#expectEnd(await this.#clientOf(step.client, step), step);
    }
  }

  async #send(step: MessageStep): Promise<void> {
    await this.settle(step);
    const client = await this.#clientOf(step.client, step);
    const reason = this.#sendLine(step, client);
    client.isUnsent = reason !== undefined;
    if (reason !== undefined) this.#findings.addFailure(step, step.client, `not sent: ${reason}`, client.isLost);
  }

  /** Returns why a line was not sent. */
  #sendLine(step: MessageStep, { player, hasSeenEnd }: CheckedClient): string | undefined {
    if (player.isClosed) return player.brokenBy ?? 'the connection is closed';
    if (player.isGone && !hasSeenEnd) return 'the server had ended the connection';
    try {
      const parts = partsOf(step, this.#values);
      if (!parts) {
        const unknown = unknownInMessage(step, this.#values);
        return `{${unknown.join('}, {')}} has no value`;
      }
      const at = performance.now();
      player.send({ ...parts, ending: this.#ending });
      this.#findings.sentBy(step.client, step, at);
      return undefined;
    } catch (error) {
      if (error instanceof YodelError) return error.message;
      throw error;
    }
  }

  async #expect(step: MessageStep | StepOf<'any'>): Promise<void> {
    const client = await this.#clientOf(step.client, step);
    const item = this.#line(step);
    client.expect(step.kind === 'any' ? { kind: 'any', item } : { kind: 'message', item, isOptional: step.isOptional });
  }

  #line(step: MessageStep | StepOf<'any'>): ExpectedLine {
    if (step.kind === 'message' && !step.isOptional) this.#expected++;
    return this.#lineOf(step);
  }

  #lineOf(step: ExpectedLine['step']): ExpectedLine {
    this.#outlook ??= this.#values.fork();
    const sentAt = this.#findings.sentAt(step.client);
    return { step, sequence: this.#sequence, values: this.#outlook, sentAt, ending: this.#expectedEnding };
  }

  async #playUnordered({ steps }: StepOf<'unordered'>): Promise<void> {
    const expected = steps.filter(({ side }) => side === '<');
    for (const name of new Set(expected.map(({ client }) => client))) {
      const own = expected.filter(({ client }) => client === name);
      const client = await this.#clientOf(name, own[0] as MessageStep);
      const items = own.map((step) => ({ item: this.#line(step), isOptional: step.isOptional }));
      client.expect({ kind: 'unordered', items } satisfies Expected<ExpectedLine>);
    }
    for (const step of steps) if (step.side === '>') await this.#send(step);
  }

  /**
   * Waits until everything that is expected has come, as far as can be known, and compares it. What no line expects yet is
   * left for later lines of a client, unless it acts next.
   * @param next the step that is played next
   * @param extraMs how long to wait for messages that no line expects. Default: as the options say, before an action
   */
  async settle(next: WalkedStep | undefined, extraMs?: number): Promise<void> {
    const settleMs = extraMs ?? (next === undefined || isAction(next) ? (this.#options.settleMs ?? 0) : 0);
    const actors = next && extraMs === undefined ? actorsOf(next) : undefined;
    const msOf = (name: string) => (!actors || actors.has(name) ? settleMs : 0);
    const isAlways = !actors || !this.#options.settlesExpectedOnly;
    const isFor = ({ name, isExpecting }: CheckedClient) => isExpecting || (isAlways && msOf(name) > 0);
    const clients = [...this.#clients.values()].filter(isFor);
    if (clients.length === 0) return;
    const patience = { timeoutMs: this.#timeoutMs, pace: this.#pace };
    const following = (name: string) =>
      messagesFrom(next, name, this.#transcript).map((step) => ({ item: this.#lineOf(step), isOptional: true }));
    const settle = (client: CheckedClient) =>
      client.settle({ ...patience, settleMs: msOf(client.name) }, this.#values, () => following(client.name));
    const outcomes = await Promise.all(clients.map(settle));
    this.#compare(outcomes, patience, next);
    this.#changes = [];
    this.#outlook = undefined;
  }

  #compare(outcomes: readonly Outcome[], { timeoutMs }: Pick<Patience, 'timeoutMs'>, next: Place | undefined): void {
    const changes = [...this.#changes];
    const findings = this.#findings;
    for (const entry of mergeOutcomes(outcomes, timeoutMs)) {
      while (changes[0] && changes[0].sequence < entry.sequence)
        changeValues((changes.shift() as Change).step, this.#values);
      const { client, missing } = entry;
      if ('stream' in entry)
        for (const step of entry.stream(this.#values)) findings.addStreamStep(step, client, missing);
      else if (entry.step.kind === 'unexpected') findings.addUnexpected(entry.step.message, client.name, { next });
      else findings.addStep(entry.step, client, this.#values, missing);
    }
    for (const { step } of changes) changeValues(step, this.#values);
  }

  async #expectSilence(client: CheckedClient, step: StepOf<'silence'>): Promise<void> {
    const until = performance.now() + step.ms;
    const limit = performance.now() + Math.max(this.#timeoutMs, step.ms);
    const messages: Arrival[] = [];
    let absent: Absent | undefined;
    while (!absent) {
      // Where any messages are allowed, the silence begins after the last of them.
      const left = client.takesAny ? Math.min(step.ms, limit - performance.now()) : until - performance.now();
      const arrived = await client.next(left);
      if ('message' in arrived) messages.push(arrived);
      else absent = arrived;
      if (left <= 0) break;
    }
    const text = `a message where ${step.ms} ms of silence was expected`;
    this.#takeAt(client, messages, step, text);
    if (client.takesAny && performance.now() > limit && messages.length > 0)
      this.#findings.addFailure(step, client.name, `the server was not silent for ${step.ms} ms`);
    if (absent?.absent === 'broken') this.#reportBroken(client, step, absent.reason);
  }

  async #expectEnd(client: CheckedClient, step: StepOf<'closed'>): Promise<void> {
    const until = performance.now() + this.#timeoutMs;
    const messages: Arrival[] = [];
    let absent: Absent | undefined;
    while (!absent && messages.length < maxBeforeEnd) {
      const left = until - performance.now();
      const arrived = await client.next(left);
      if (!('message' in arrived)) absent = arrived;
      else messages.push(arrived);
      if (left <= 0) break;
    }
    this.#takeAt(client, messages, undefined, 'a message where the server was expected to end the connection');
    client.end();
    client.hasSeenEnd = absent?.absent === 'ended';
    if (absent?.absent === 'broken') this.#reportBroken(client, step, absent.reason);
    else if (absent?.absent !== 'ended')
      this.#findings.addFailure(
        step,
        client.name,
        `the server did not end the connection within ${this.#timeoutMs} ms`,
      );
  }

  /**
   * Messages at a line that expects none: only lines before it that are still open may take them.
   *
   * @param place the line to name; undefined: those after which they came
   */
  #takeAt(client: CheckedClient, messages: readonly Arrival[], place: Place | undefined, reason: string): void {
    for (const step of client.take(messages))
      if (step.kind === 'unexpected') this.#findings.addUnexpected(step.message, client.name, { place, reason });
      else this.#findings.addStep(step, client, this.#values, () => ({ reason, isSkipped: false }));
  }

  #reportBroken(client: CheckedClient, place: Place, reason: string | undefined): void {
    client.end();
    this.#findings.addFailure(place, client.name, `the connection broke: ${reason}`);
  }

  /** After the last line, everything that the server still sends is unexpected. */
  async #finish(client: CheckedClient): Promise<void> {
    const place = client.lastPlace ?? { line: 1 };
    const endedAt = client.player.isClosed ? undefined : performance.now();
    const { messages, broken } = await client.player.finish(lastMessagesMs);
    for (const step of client.take(messages)) {
      if (step.kind === 'unexpected') this.#findings.addUnexpected(step.message, client.name, { next: place, endedAt });
      else this.#findings.addStep(step, client, this.#values, () => ({ reason: '', isSkipped: false }));
    }
    if (broken !== undefined && !client.isLost) this.#reportBroken(client, place, broken);
  }

  async #connect(step: StepOf<'connect'>): Promise<void> {
    const known = this.#clients.get(step.client);
    if (known) await this.#finish(known);
    this.#clients.delete(step.client);
    await this.#connections.connect(step, this.#values);
    await this.#clientOf(step.client, step);
  }

  async #startTls(step: StepOf<'starttls'>): Promise<void> {
    const client = await this.#clientOf(step.client, step);
    // Otherwise what anyone has injected in plain text would count as said over TLS.
    this.#takeAt(client, client.player.takeAll(), step, 'a message in plain text where TLS was expected to begin');
    try {
      await this.#connections.startTls(step);
      this.#findings.happened(step);
    } catch (error) {
      if (!(error instanceof YodelError)) throw error;
      client.end();
      this.#findings.addFailure(step, client.name, error.message);
    }
  }

  async #clientOf(name: string, step: WalkedStep & Place): Promise<CheckedClient> {
    const known = this.#clients.get(name);
    if (known) {
      known.lastPlace = step;
      return known;
    }
    // Whatever precedes its first line must have come before it connects.
    await this.settle(step);
    const client = new CheckedClient(name, await this.#connections.of(name));
    client.lastPlace = step;
    this.#clients.set(name, client);
    if (isAction(step)) await this.settle(step);
    return client;
  }
}
