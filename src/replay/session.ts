import type { Address } from '../address.ts';
import type { Message } from '../framing/message.ts';
import { Queue } from '../queue.ts';
import { differenceOf, partsOf } from '../transcript/message-line.ts';
import { Player } from '../transcript/player.ts';
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

/** One recorded session, played step by step. */
export class ReplaySession {
  readonly #name: string | number;
  readonly #options: SessionOptions;
  readonly #tally: ReplayTally;
  readonly #values: Values;
  readonly #events: SessionEvents;
  readonly #steps = new Queue<ReplayStep>();
  #isPlaying = false;
  #player: Player | undefined;
  /** The reason why the rest of the session is not played. */
  #lost: string | undefined;
  /** When the message with the pending reply was sent: in the replay, and in the recording. */
  #request: { readonly sentAt: number; readonly recordedAt: number } | undefined;

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
        this.#lose(step, undefined, (error as Error).message);
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
    switch (step.kind) {
      case 'send':
        return await this.#send(player, step);
      case 'expect':
        return await this.#expect(player, step);
      case 'silence':
        return await this.#expectSilence(player, step);
      case 'closed':
        return await this.#expectEnd(player, step);
      case 'close':
        return player.end();
      case 'reset':
        return player.abort();
      case 'end':
        return await this.#end(player, step);
    }
  }

  async #connect(step: StepOf<'connect'>): Promise<void> {
    const { address, connectTimeoutMs, tls } = this.#options;
    this.#player = await Player.connect(address, step.protocol, {
      timeoutMs: connectTimeoutMs,
      tls: tls,
      isUpgradable: false,
    });
    this.#events.connected();
  }

  async #send(player: Player, step: StepOf<'send'>): Promise<void> {
    const parts = partsOf(step.message, this.#values);
    if (!parts) return this.#differ(step, undefined, undefined, 'not sent: a name in it has no value');
    player.send({ ...parts, ending: step.ending });
    this.#tally.sent++;
    this.#request = { sentAt: performance.now(), recordedAt: step.at };
    if (!this.#options.compares) await this.#receiveAll(player);
    if (step.isTruncated) this.#differ(step, undefined, undefined, 'only its beginning was recorded and sent');
    while (player.unsent > maxUnsent && !player.isGone && this.#lost === undefined) {
      const { timeoutMs } = this.#options;
      if (!(await player.drainedSome(timeoutMs)))
        this.#lose(step, undefined, `the server read nothing for ${timeoutMs} ms`);
    }
  }

  /** Counts the messages received so far, when replies are not compared. */
  async #receiveAll(player: Player): Promise<void> {
    for (let next = await player.next(0); 'message' in next; next = await player.next(0)) this.#tally.received++;
  }

  async #expect(player: Player, step: StepOf<'expect'>): Promise<void> {
    const timeoutMs = step.timeoutMs ?? this.#options.timeoutMs;
    const arrived = await player.next(timeoutMs);
    if ('message' in arrived) {
      this.#tally.received++;
      this.#recordLatency(step);
      const difference = differenceOf(step.message, arrived.message, this.#values);
      if (difference === undefined) this.#tally.countEqual();
      else this.#differ(step, step.message, arrived.message, difference);
      return;
    }
    const reasons = {
      timeout: `no message within ${timeoutMs} ms`,
      ended: 'the server ended the connection',
      broken: `the connection broke: ${arrived.reason}`,
    };
    this.#lose(step, step.message, reasons[arrived.absent]);
  }

  #recordLatency(step: StepOf<'expect'>): void {
    if (!this.#request) return;
    this.#tally.latency.record(performance.now() - this.#request.sentAt);
    this.#tally.recordedLatency.record(step.at - this.#request.recordedAt);
    this.#request = undefined;
  }

  async #expectSilence(player: Player, step: StepOf<'silence'>): Promise<void> {
    const arrived = await player.next(step.ms);
    const text = `a message where ${step.ms} ms of silence was expected`;
    if ('message' in arrived) this.#differ(step, undefined, arrived.message, text);
  }

  async #expectEnd(player: Player, step: StepOf<'closed'>): Promise<void> {
    const timeoutMs = step.timeoutMs ?? this.#options.timeoutMs;
    const arrived = await player.next(timeoutMs);
    if ('message' in arrived) {
      const text = 'a message where the server was expected to end the connection';
      this.#differ(step, undefined, arrived.message, text);
    } else if (arrived.absent === 'timeout')
      this.#lose(step, undefined, `the server did not end the connection within ${timeoutMs} ms`);
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

  /** Closes the connection: without the missing reply, the rest would be a different conversation. */
  #lose(step: ReplayStep, expected: MessageContent | undefined, reason: string): void {
    if (this.#lost === undefined) this.#differ(step, expected, undefined, reason);
    this.#lost ??= reason;
    this.#player?.abort();
  }

  #differ(step: ReplayStep, expected: MessageContent | undefined, actual: Message | undefined, reason: string): void {
    const difference = { session: this.#name, place: step.place, expected, actual, reason };
    this.#tally.add(difference, expected !== undefined);
  }
}
