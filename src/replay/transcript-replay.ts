/**
 * Replays a transcript: the same play as `yodel check`, with the recorded pauses, and the latencies beside the recorded ones.
 */
import { Condition } from '../client/condition.ts';
import { Check, type CheckOptions, type Difference } from '../transcript/check.ts';
import { refuseUnplayable } from '../transcript/playable.ts';
import type { MessageStep, Place, Transcript } from '../transcript/transcript.ts';
import { stepsIn, type WalkedStep, walked } from '../transcript/walk.ts';
import { type ReplayProgress, type ReplayResult, ReplayTally } from './result.ts';
import type { ReplayRun } from './step.ts';

/** Options of a replay of a transcript. Times are milliseconds. */
export interface TranscriptReplayOptions extends CheckOptions {
  /** 1: with the recorded pauses. 10: ten times as fast. Infinity: without pauses. */
  readonly speed: number;
  readonly signal?: AbortSignal | undefined;
}

/** Plays the clients of a transcript. It starts when it is created. */
export class TranscriptReplay implements ReplayRun {
  readonly done: Promise<ReplayResult>;
  readonly #transcript: Transcript;
  readonly #options: TranscriptReplayOptions;
  readonly #check: Check;
  readonly #tally = new ReplayTally();
  readonly #startedAt = performance.now();
  readonly #changed = new Condition();
  /** When each step was recorded, in milliseconds since the first one. */
  readonly #recordedAt = new Map<string, number>();
  #at = 0;
  #isEnded = false;

  /** @throws TranscriptError when its clients cannot be played */
  constructor(transcript: Transcript, options: TranscriptReplayOptions) {
    refuseUnplayable(transcript, '>');
    this.#transcript = transcript;
    this.#options = options;
    this.#check = new Check(transcript, options, (request, reply, ms) => this.#observe(request, reply, ms));
    this.done = this.#play();
  }

  get progress(): ReplayProgress {
    const { sent, received, expected, differences } = this.#check.counts;
    const lines = differences.filter(({ kind }) => kind === 'replaced' || kind === 'missing');
    const sessions = this.#transcript.clients.length;
    return {
      sessions,
      open: this.#isEnded ? 0 : sessions,
      sent,
      compared: expected,
      equal: expected - lines.length,
      received,
      differences: differences.length,
      elapsedMs: performance.now() - this.#startedAt,
    };
  }

  async #play(): Promise<ReplayResult> {
    const { signal } = this.#options;
    const stop = () => {
      this.#check.abort();
      this.#changed.notify();
    };
    signal?.addEventListener('abort', stop);
    try {
      for (const step of walked(this.#transcript.steps)) {
        if (signal?.aborted) break;
        await this.#step(step);
      }
      if (!signal?.aborted) await this.#check.settle(undefined);
      if (!signal?.aborted) await this.#check.finish();
    } finally {
      this.#check.abort();
      signal?.removeEventListener('abort', stop);
      this.#isEnded = true;
    }
    for (const difference of this.#check.counts.differences) this.#report(difference);
    const { found, latency, recordedLatency } = this.#tally;
    return { ...this.progress, found, latency, recordedLatency };
  }

  async #step(step: WalkedStep): Promise<void> {
    if (step.kind === 'pace' || step.kind === 'wait') {
      this.#at += step.ms;
      if (step.kind === 'wait') await this.#check.settle(step);
      return;
    }
    // What the server sends has its own time.
    if (isOfClient(step)) await this.#untilDue();
    this.#recordedAt.set(keyOf(step), this.#at);
    await this.#check.play(step);
  }

  async #untilDue(): Promise<void> {
    const dueAt = this.#startedAt + this.#at / this.#options.speed;
    const isOver = () => this.#options.signal?.aborted === true;
    for (let ms = dueAt - performance.now(); ms > 0 && !isOver(); ms = dueAt - performance.now())
      await this.#changed.until(isOver, ms);
  }

  #observe(request: Place, reply: Place, ms: number): void {
    const [from, to] = [this.#recordedAt.get(keyOf(request)), this.#recordedAt.get(keyOf(reply))];
    this.#tally.latency.record(ms);
    if (from !== undefined && to !== undefined) this.#tally.recordedLatency.record(Math.max(0, to - from));
  }

  /** What was skipped is counted, but not shown. */
  #report({ line, file, client, kind, received, reason, skipped }: Difference): void {
    if (skipped) return;
    const isExpected = kind === 'replaced' || kind === 'missing';
    this.#tally.add(
      {
        session: client,
        place: file === undefined ? `line ${line}` : `${file}, line ${line}`,
        expected: isExpected ? this.#messageAt(line, file) : undefined,
        actual: received,
        reason,
      },
      isExpected,
    );
  }

  #messageAt(line: number, file: string | undefined): MessageStep | undefined {
    for (const step of stepsIn(this.#transcript))
      if (step.kind === 'message' && step.line === line && step.file === file) return step;
    return undefined;
  }
}

function keyOf({ file, line }: Place): string {
  return `${file ?? ''}:${line}`;
}

/** Whether a step is something that a client does. */
function isOfClient(step: WalkedStep): boolean {
  if (step.kind === 'message') return step.side === '>';
  if (step.kind === 'unordered') return step.steps.some(isOfClient);
  return step.kind === 'connect' || step.kind === 'close' || step.kind === 'reset' || step.kind === 'starttls';
}
