/**
 * Plays recorded clients against a server, as many at a time as there were, and compares what it answers.
 *
 *     steps -> (wait until they are due) -> a lane for each session: one step after another
 *
 * A message waits until what came before it in its session has come again: so a replay at any speed asks nothing before it
 * has the answer that the client had.
 */
import type { Address } from '../address.ts';
import { Histogram } from '../load/histogram.ts';
import { longestDuration } from '../options.ts';
import { Queue } from '../queue.ts';
import { bytesOf, matches } from '../transcript/content.ts';
import { Player } from '../transcript/player.ts';
import type { Captures, Content } from '../transcript/transcript.ts';
import type { TlsOptions } from '../transport/transport.ts';
import type { ReplayStep } from './step.ts';

/** How to play. Times are milliseconds. */
export interface ReplayOptions {
  readonly address: Address;
  /** 1: as it was; 10: ten times as fast; Infinity: as fast as it goes. */
  readonly speed: number;
  /** Whether sessions are compared: false where what the server sent was not recorded. */
  readonly compares: boolean;
  /** How long is waited for each message of the server. */
  readonly timeoutMs: number;
  readonly connectTimeoutMs: number;
  readonly tls: TlsOptions;
  readonly signal?: AbortSignal | undefined;
}

/** Something came otherwise than it was recorded. */
export interface ReplayDifference {
  readonly session: string | number;
  readonly place: string;
  /** Undefined: nothing. */
  readonly expected: Content | undefined;
  /** Undefined: none came. */
  readonly actual: Uint8Array | undefined;
  readonly reason: string;
}

/** How it went, or goes. */
export interface ReplayProgress {
  /** Sessions that have begun, and those of them that are open. */
  readonly sessions: number;
  readonly open: number;
  readonly sent: number;
  /** Messages of the server that were compared, and those that were as recorded. */
  readonly compared: number;
  readonly equal: number;
  /** All messages of the server. */
  readonly received: number;
  readonly differences: number;
  readonly elapsedMs: number;
}

/** How it went. */
export interface ReplayResult extends ReplayProgress {
  /** The first {@link mostDifferences} of them. */
  readonly found: readonly ReplayDifference[];
  /** From the sending of a message to the answer that came first after it, in milliseconds: now, and when it was recorded. */
  readonly latency: Histogram;
  readonly recordedLatency: Histogram;
}

/** So many differences are told. */
export const mostDifferences = 100;
/** So many steps may wait for their sessions. */
const mostWaiting = 10_000;
/** A server that does not read is waited for above so many bytes. */
const mostUnsent = 1_048_576;
/** After the last step of a session the server has so long to end as well; what comes meanwhile is too much. */
const lastMessagesMs = 1000;

/** Plays steps, from the moment it is made. */
export class Replay {
  /** Resolves when all are done, or `signal` has ended it. Rejects with a `YodelError` when the first connection cannot be made. */
  readonly done: Promise<ReplayResult>;
  readonly #options: ReplayOptions;
  readonly #began = performance.now();
  readonly #lanes = new Map<string | number, Lane>();
  readonly #captures: Captures = new Map();
  readonly #found: ReplayDifference[] = [];
  readonly #latency = new Histogram();
  readonly #recordedLatency = new Histogram();
  #differences = 0;
  #sessions = 0;
  #sent = 0;
  #compared = 0;
  #equal = 0;
  #received = 0;
  #waiting = 0;
  /** Sessions that have only their end before them. */
  #ending = 0;
  #hasConnected = false;
  #failure: unknown;
  #goOn: (() => void) | undefined;

  constructor(steps: AsyncIterable<ReplayStep>, options: ReplayOptions) {
    this.#options = options;
    this.done = this.#play(steps);
  }

  get progress(): ReplayProgress {
    return {
      sessions: this.#sessions,
      open: this.#lanes.size,
      sent: this.#sent,
      compared: this.#compared,
      equal: this.#equal,
      received: this.#received,
      differences: this.#differences,
      elapsedMs: performance.now() - this.#began,
    };
  }

  async #play(steps: AsyncIterable<ReplayStep>): Promise<ReplayResult> {
    const { speed, signal } = this.#options;
    const stop = () => this.#goOn?.();
    signal?.addEventListener('abort', stop);
    for await (const step of steps) {
      const due = this.#began + step.at / speed;
      while (performance.now() < due && !this.#isOver) await this.#pause(due - performance.now());
      while (this.#waiting >= mostWaiting && !this.#isOver) await this.#pause();
      // Whoever came when others had gone comes when they have gone.
      while (step.kind === 'connect' && this.#ending > 0 && !this.#isOver) await this.#pause();
      if (this.#isOver) break;
      if (step.kind === 'end' || step.kind === 'reset') this.#ending++;
      this.#laneOf(step).add(step);
    }
    while (this.#lanes.size > 0 && !this.#isOver) await this.#pause();
    for (const lane of this.#lanes.values()) lane.abort();
    signal?.removeEventListener('abort', stop);
    if (this.#failure) throw this.#failure;
    return { ...this.progress, found: this.#found, latency: this.#latency, recordedLatency: this.#recordedLatency };
  }

  get #isOver(): boolean {
    return this.#failure !== undefined || this.#options.signal?.aborted === true;
  }

  /** Until something has changed, or the time is over. */
  async #pause(ms?: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = ms === undefined ? undefined : setTimeout(resolve, Math.min(Math.max(0, ms), longestDuration));
      this.#goOn = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#goOn = undefined;
  }

  #laneOf({ session }: ReplayStep): Lane {
    const known = this.#lanes.get(session);
    if (known) return known;
    this.#sessions++;
    const lane = new Lane(session, this.#options, {
      captures: this.#captures,
      waits: (more) => {
        this.#waiting += more;
        if (more < 0) this.#goOn?.();
      },
      connected: () => {
        this.#hasConnected = true;
      },
      sent: () => this.#sent++,
      received: () => this.#received++,
      equal: () => {
        this.#compared++;
        this.#equal++;
      },
      took: (ms, recordedMs) => {
        this.#latency.record(ms);
        this.#recordedLatency.record(recordedMs);
      },
      missing: () => {
        this.#compared++;
        this.#differences++;
      },
      differs: (difference, isCompared) => {
        this.#differences++;
        if (isCompared) this.#compared++;
        if (this.#found.length < mostDifferences) this.#found.push(difference);
      },
      failed: (error) => {
        // When nobody is there, each further session would only say so again.
        if (!this.#hasConnected) this.#failure ??= error;
        this.#goOn?.();
      },
      done: () => {
        this.#ending--;
        this.#lanes.delete(session);
        this.#goOn?.();
      },
    });
    this.#lanes.set(session, lane);
    return lane;
  }
}

/** What a lane tells. */
interface LaneListener {
  readonly captures: Captures;
  /** So many more steps wait, or fewer. */
  waits(more: number): void;
  connected(): void;
  sent(): void;
  /** An answer that was not waited for, because one before did not come. */
  missing(): void;
  received(): void;
  equal(): void;
  took(ms: number, recordedMs: number): void;
  differs(difference: ReplayDifference, isCompared: boolean): void;
  failed(error: unknown): void;
  done(): void;
}

/** One session: its steps, in order. */
class Lane {
  readonly #session: string | number;
  readonly #options: ReplayOptions;
  readonly #listener: LaneListener;
  readonly #steps = new Queue<ReplayStep>();
  #isBusy = false;
  #player: Player | undefined;
  /** Why nothing can be expected any more. */
  #lost: string | undefined;
  /** The message whose answer has not come yet: when it was sent, now and then. */
  #asked: { readonly now: number; readonly recorded: number } | undefined;

  constructor(session: string | number, options: ReplayOptions, listener: LaneListener) {
    this.#session = session;
    this.#options = options;
    this.#listener = listener;
  }

  add(step: ReplayStep): void {
    this.#steps.push(step);
    this.#listener.waits(1);
    if (!this.#isBusy) void this.#work();
  }

  abort(): void {
    this.#lost ??= 'stopped';
    this.#player?.abort();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    for (let step = this.#steps.shift(); step; step = this.#steps.shift()) {
      try {
        await this.#take(step);
      } catch (error) {
        this.#lose(step, undefined, (error as Error).message);
        this.#listener.failed(error);
      }
      this.#listener.waits(-1);
      if (step.kind === 'end' || step.kind === 'reset') this.#listener.done();
    }
    this.#isBusy = false;
  }

  async #take(step: ReplayStep): Promise<void> {
    if (step.kind === 'connect') return await this.#connect(step);
    const player = this.#player;
    if (!player || this.#lost !== undefined) {
      // The first one was told.
      if (step.kind === 'expect') this.#listener.missing();
      return;
    }
    if (step.kind === 'send') await this.#send(player, step);
    else if (step.kind === 'expect') await this.#expect(player, step);
    else if (step.kind === 'reset') player.abort();
    else if (step.kind === 'close') player.end();
    else if (step.kind === 'silence') await this.#expectNothing(player, step, step.ms);
    else if (step.kind === 'closed') await this.#expectEnd(player, step);
    else await this.#end(player, step);
  }

  async #connect(step: ReplayStep & { readonly kind: 'connect' }): Promise<void> {
    const { address, connectTimeoutMs, tls } = this.#options;
    const player = await Player.connect(address, step.framing, connectTimeoutMs, tls);
    this.#player = player;
    this.#listener.connected();
    if (!step.isWebSocket || player.carriesMessages) return;
    this.#lose(
      step,
      undefined,
      'it was recorded over a WebSocket, and can only be played against a ws:// or wss:// address',
    );
  }

  async #send(player: Player, step: ReplayStep & { readonly kind: 'send' }): Promise<void> {
    const bytes = bytesOf(step.content, this.#listener.captures);
    if (!bytes) return this.#differ(step, undefined, undefined, 'not sent: a name in it stands for nothing', false);
    player.send(player.carriesMessages ? bytes : step.frameOf(bytes));
    this.#listener.sent();
    this.#asked = { now: performance.now(), recorded: step.at };
    if (!this.#options.compares) await this.#takeAll(player);
    if (step.isTruncated) this.#differ(step, undefined, undefined, 'only its beginning was recorded, and sent', false);
    while (player.unsent > mostUnsent && !player.isGone && this.#lost === undefined) {
      const { timeoutMs } = this.#options;
      if (!(await player.drainedSome(timeoutMs)))
        this.#lose(step, undefined, `the server read nothing for ${timeoutMs} ms`);
    }
  }

  async #expectNothing(player: Player, step: ReplayStep, ms: number): Promise<void> {
    const arrived = await player.next(ms);
    if ('bytes' in arrived)
      this.#differ(step, undefined, arrived.bytes, `a message, where ${ms} ms of silence were expected`, false);
  }

  async #expectEnd(player: Player, step: ReplayStep & { readonly kind: 'closed' }): Promise<void> {
    const timeoutMs = step.timeoutMs ?? this.#options.timeoutMs;
    const arrived = await player.next(timeoutMs);
    if ('bytes' in arrived)
      this.#differ(step, undefined, arrived.bytes, 'a message, where the server was expected to end', false);
    else if (arrived.absent === 'timeout') this.#lose(step, undefined, `the server did not end within ${timeoutMs} ms`);
  }

  /** Where nothing is compared, what has come is only counted. */
  async #takeAll(player: Player): Promise<void> {
    for (let arrived = await player.next(0); 'bytes' in arrived; arrived = await player.next(0))
      this.#listener.received();
  }

  async #expect(player: Player, step: ReplayStep & { readonly kind: 'expect' }): Promise<void> {
    const timeoutMs = step.timeoutMs ?? this.#options.timeoutMs;
    const arrived = await player.next(timeoutMs);
    if ('bytes' in arrived) {
      this.#listener.received();
      if (this.#asked) this.#listener.took(performance.now() - this.#asked.now, step.at - this.#asked.recorded);
      this.#asked = undefined;
      if (matches(step.content, arrived.bytes, this.#listener.captures)) this.#listener.equal();
      else this.#differ(step, step.content, arrived.bytes, 'another message', true);
      return;
    }
    const reasons = {
      timeout: `no message within ${timeoutMs} ms`,
      ended: 'the server ended the connection',
      broken: `the connection broke: ${arrived.why}`,
    };
    this.#lose(step, step.content, reasons[arrived.absent]);
  }

  async #end(player: Player, step: ReplayStep): Promise<void> {
    const { messages, broken } = await player.finish(this.#options.compares ? lastMessagesMs : this.#options.timeoutMs);
    for (const bytes of messages) {
      this.#listener.received();
      if (this.#options.compares) this.#differ(step, undefined, bytes, 'a message more than recorded', false);
    }
    if (broken !== undefined) this.#differ(step, undefined, undefined, `the connection broke: ${broken}`, false);
  }

  #lose(step: ReplayStep, expected: Content | undefined, reason: string): void {
    if (this.#lost === undefined) this.#differ(step, expected, undefined, reason, expected !== undefined);
    this.#lost ??= reason;
    // Nothing more is asked: to go on without the answer would be another conversation.
    this.#player?.abort();
  }

  #differ(
    step: ReplayStep,
    expected: Content | undefined,
    actual: Uint8Array | undefined,
    reason: string,
    isCompared: boolean,
  ): void {
    this.#listener.differs({ session: this.#session, place: step.place, expected, actual, reason }, isCompared);
  }
}
