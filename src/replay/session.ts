import type { Address } from '../address.ts';
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';
import type { Aligned } from '../transcript/align.ts';
import type { ExpectedLine } from '../transcript/check/expected-line.ts';
import { absenceText } from '../transcript/check/findings.ts';
import { settleGroup } from '../transcript/check/group.ts';
import { Pace } from '../transcript/check/pace.ts';
import { differenceOf, partsOf } from '../transcript/message-line.ts';
import { type Absent, type Arrival, Player } from '../transcript/player.ts';
import type { MessageContent } from '../transcript/transcript.ts';
import type { Values } from '../transcript/values.ts';
import type { TlsOptions } from '../transport/transport.ts';
import type { ReplayTally } from './result.ts';
import type { ReplayStep } from './step.ts';

/** Options of a replayed session. Times are milliseconds. */
export interface SessionOptions {
  readonly address: Address;
  /** Whether replies are compared. False when the server's messages were not recorded. */
  readonly compares: boolean;
  /** Time limit for each message of the server. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly tls: TlsOptions;
}

/** Receives the events of a session. */
export interface SessionEvents {
  /** A step was queued. */
  queued(): void;
  connected(): void;
  /** A step failed, such as connecting. */
  failed(error: unknown): void;
  /** A step is done. */
  done(step: ReplayStep): void;
}

type StepOf<Kind extends ReplayStep['kind']> = ReplayStep & { readonly kind: Kind };

/** Above this many unsent bytes a session waits for the server to read. */
const maxUnsent = 1_048_576;
/** How long the server may take to end the connection after the last step. Messages received until then are unexpected. */
const lastMessagesMs = 1000;
/** More replies than this without a message of the client are compared in several groups, to bound the memory. */
const maxGroup = 10_000;
/** After this many groups of replies without any message, a server is not waited for until it says something. */
const maxSilentGroups = 2;

/** A recorded message of the server, and when it became due, on the clock of `performance.now()`. */
interface Awaited {
  readonly step: StepOf<'expect'>;
  readonly line: ExpectedLine;
}

/**
 * One recorded session, played step by step. The replies between two messages of the client are received together and aligned
 * with the recorded ones, so that a reply more or less is one difference, and the next request gets its own replies.
 */
export class ReplaySession {
  readonly #name: string | number;
  readonly #options: SessionOptions;
  readonly #tally: ReplayTally;
  readonly #values: Values;
  readonly #events: SessionEvents;
  readonly #steps = new Queue<ReplayStep>();
  readonly #pace = new Pace();
  #isPlaying = false;
  #player: Player | undefined;
  /** The reason why the rest of the session is not played. */
  #lost: string | undefined;
  /** Recorded replies since the last message of the client. */
  #awaited: Awaited[] = [];
  #awaitedSince = 0;
  #silentGroups = 0;
  /** The last message sent: when, in the replay and in the recording, and whether it is the only one since the last reply. */
  #request: { readonly sentAt: number; readonly recordedAt: number; readonly isOnly: boolean } | undefined;

  constructor(
    name: string | number,
    options: SessionOptions,
    tally: ReplayTally,
    values: Values,
    events: SessionEvents,
  ) {
    this.#name = name;
    this.#options = options;
    this.#tally = tally;
    this.#values = values;
    this.#events = events;
  }

  add(step: ReplayStep): void {
    this.#steps.push(step);
    this.#events.queued();
    if (!this.#isPlaying) void this.#playAll();
  }

  abort(): void {
    this.#lost ??= 'stopped';
    this.#player?.abort();
  }

  async #playAll(): Promise<void> {
    this.#isPlaying = true;
    for (let step = this.#steps.shift(); step; step = this.#steps.shift()) {
      try {
        await this.#play(step);
      } catch (error) {
        this.#lose(step, (error as Error).message);
        this.#events.failed(error);
      }
      this.#events.done(step);
    }
    this.#isPlaying = false;
  }

  async #play(step: ReplayStep): Promise<void> {
    if (step.kind === 'connect') return await this.#connect(step);
    const player = this.#player;
    if (!player || this.#lost !== undefined) {
      // Only the first failure of a session is reported.
      if (step.kind === 'expect') this.#tally.countSkipped();
      return;
    }
    if (step.kind === 'expect') return await this.#expect(player, step);
    await this.#settle(player);
    if (this.#lost !== undefined) return;
    if (step.kind === 'send') await this.#send(player, step);
    else if (step.kind === 'close') player.end();
    else await this.#end(player, step);
  }

  async #connect(step: StepOf<'connect'>): Promise<void> {
    const { address, connectTimeoutMs, tls } = this.#options;
    this.#player = await Player.connect(address, step.protocol, {
      timeoutMs: connectTimeoutMs,
      tls,
      isUpgradable: false,
    });
    this.#events.connected();
  }

  async #send(player: Player, step: StepOf<'send'>): Promise<void> {
    if (player.isGone) return this.#lose(step, 'not sent: the server had ended the connection');
    const parts = partsOf(step.message, this.#values);
    if (!parts) return this.#differ(step, undefined, undefined, 'not sent: a name in it has no value');
    const sentAt = performance.now();
    player.send({ ...parts, ending: step.ending });
    this.#tally.sent++;
    this.#request = { sentAt, recordedAt: step.at, isOnly: this.#request === undefined };
    if (!this.#options.compares) await this.#receiveAll(player);
    if (step.isTruncated) this.#differ(step, undefined, undefined, 'only its beginning was recorded and sent');
    while (player.unsent > maxUnsent && !player.isGone && this.#lost === undefined) {
      const { timeoutMs } = this.#options;
      if (!(await player.drainedSome(timeoutMs))) this.#lose(step, `the server read nothing for ${timeoutMs} ms`);
    }
  }

  /** Counts the messages received so far, when replies are not compared. */
  async #receiveAll(player: Player): Promise<void> {
    for (let next = await player.next(0); 'message' in next; next = await player.next(0)) this.#tally.received++;
  }

  async #expect(player: Player, step: StepOf<'expect'>): Promise<void> {
    const place = { side: '<', client: '', line: this.#awaited.length, isOptional: false } as const;
    const line: ExpectedLine = {
      step: { kind: 'message', ...place, ...step.message },
      sequence: this.#awaited.length,
      values: this.#values,
      sentAt: this.#request?.sentAt ?? 0,
      ending: undefined,
    };
    this.#awaited.push({ step, line });
    this.#awaitedSince = performance.now();
    if (this.#awaited.length >= maxGroup) await this.#settle(player);
  }

  /** Waits for the replies that are due, and compares them. */
  async #settle(player: Player): Promise<void> {
    const awaited = this.#awaited;
    if (awaited.length === 0) return;
    this.#awaited = [];
    const { timeoutMs } = this.#options;
    const isSkipped = this.#silentGroups >= maxSilentGroups;
    // They have been due for a while if the client paused.
    const left = Math.max(0, timeoutMs - (performance.now() - this.#awaitedSince));
    const patience = { timeoutMs: isSkipped ? 0 : left, settleMs: 0, pace: this.#pace };
    const expected = awaited.map(({ line }) => ({ kind: 'message', item: line, isOptional: false }) as const);
    const { steps, absent } = await settleGroup(expected, player, patience);
    const received = steps.filter((step) => 'message' in step).length;
    this.#silentGroups = received > 0 ? 0 : this.#silentGroups + 1;
    this.#tally.received += received;
    const stepOf = new Map(awaited.map(({ step, line }) => [line, step]));
    this.#compare(steps, stepOf, absent, isSkipped);
    if (absent && absent.absent !== 'timeout') {
      this.#lost = absenceText(absent, timeoutMs);
      player.abort();
    }
  }

  #compare(
    steps: readonly Aligned<ExpectedLine, Arrival>[],
    stepOf: ReadonlyMap<ExpectedLine, StepOf<'expect'>>,
    absent: Absent | undefined,
    isSkipped: boolean,
  ): void {
    const lastReceived = steps.findLastIndex((step) => 'message' in step);
    let last: StepOf<'expect'> | undefined = stepOf.values().next().value;
    let isGone = false;
    for (const [index, aligned] of steps.entries()) {
      const step = 'item' in aligned ? stepOf.get(aligned.item) : undefined;
      last = step ?? last;
      if (!last) continue;
      if (aligned.kind === 'unexpected')
        this.#differ(last, undefined, aligned.message.message, 'a message that was not recorded');
      else if ('message' in aligned) this.#compareOne(last, aligned.message);
      else if (isSkipped || isGone) this.#tally.countSkipped();
      else {
        isGone = index > lastReceived && absent !== undefined;
        const reason = isGone && absent ? absenceText(absent, this.#options.timeoutMs) : 'this message is missing';
        this.#differ(last, last.message, undefined, reason);
      }
    }
  }

  #compareOne(step: StepOf<'expect'>, { message, at }: Arrival): void {
    const difference = differenceOf(step.message, message, this.#values);
    if (difference === undefined) {
      this.#tally.countEqual();
      this.#recordLatency(step, at);
    } else this.#differ(step, step.message, message, difference);
  }

  /** Only of a reply that came after its request, and if there was one request that it may answer. */
  #recordLatency(step: StepOf<'expect'>, at: number): void {
    const request = this.#request;
    if (!request || at < request.sentAt) return;
    this.#request = undefined;
    if (!request.isOnly) return;
    this.#tally.latency.record(at - request.sentAt);
    this.#tally.recordedLatency.record(step.at - request.recordedAt);
  }

  async #end(player: Player, step: StepOf<'end'>): Promise<void> {
    const { compares, timeoutMs } = this.#options;
    const { messages, broken } = await player.finish(compares ? lastMessagesMs : timeoutMs);
    for (const { message } of messages) {
      this.#tally.received++;
      if (compares) this.#differ(step, undefined, message, 'a message that was not recorded');
    }
    if (broken !== undefined) this.#differ(step, undefined, undefined, `the connection broke: ${broken}`);
  }

  /** Closes the connection: the rest would be a different conversation. */
  #lose(step: ReplayStep, reason: string): void {
    if (this.#lost === undefined) this.#differ(step, undefined, undefined, reason);
    this.#lost ??= reason;
    this.#player?.abort();
  }

  #differ(step: ReplayStep, expected: MessageContent | undefined, actual: Message | undefined, reason: string): void {
    const difference = { session: this.#name, place: step.place, expected, actual, reason };
    this.#tally.add(difference, expected !== undefined);
  }
}
