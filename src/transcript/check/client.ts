import type { Aligned, Expected } from '../align.ts';
import type { Absent, Arrival, Player } from '../player.ts';
import type { Place } from '../transcript.ts';
import type { Values } from '../values.ts';
import type { ExpectedLine } from './expected-line.ts';
import { type Following, linesOf, type Patience, settled, settleGroup } from './group.ts';
import { Stream } from './stream.ts';

/** What became of the expected lines of a client. */
export interface Outcome {
  readonly client: CheckedClient;
  /** As {@link ExpectedLine.sequence}, of its first line; 0 without lines. */
  readonly sequence: number;
  readonly steps: readonly Aligned<ExpectedLine, Arrival>[];
  /** Why there are no more messages, if one is missing. */
  readonly absent: Absent | undefined;
  /** Whether missing lines were not waited for. */
  readonly isSkipped: boolean;
  /** For a stream: compares again, once names before it have their values. */
  readonly compare?: ((values: Values) => readonly Aligned<ExpectedLine, Arrival>[]) | undefined;
}

/** After this many groups without any message a server is not waited for again, until it says something. */
const maxSilentGroups = 2;

/** One client of a transcript: its connection, and what it still expects. */
export class CheckedClient {
  readonly name: string;
  readonly player: Player;
  readonly #isStream: boolean;
  #pending: Expected<ExpectedLine>[] = [];
  /** Wildcards and optional lines that later messages may match. */
  #open: readonly Expected<ExpectedLine>[] = [];
  /** Bytes of a stream that were received with what was expected before them. */
  #early: Arrival | undefined;
  #silentGroups = 0;
  #isOver = false;
  /** Whether its last message could not be sent, so that no reply can come. */
  isUnsent = false;
  /** Whether the server ended its side where the file says so. */
  hasSeenEnd = false;
  /** The last line that was played for it. */
  lastPlace: Place | undefined;

  constructor(name: string, player: Player) {
    this.name = name;
    this.player = player;
    this.#isStream = player.replyFraming.name === 'raw';
  }

  /** Whether lines are expected. */
  get isExpecting(): boolean {
    return this.#pending.length > 0;
  }

  /** Whether nothing more is waited for: the connection is over, or the server has been silent. */
  get isLost(): boolean {
    return this.#isOver || this.#silentGroups >= maxSilentGroups;
  }

  /** Whether any messages are allowed until the next expected one. */
  get takesAny(): boolean {
    return this.#open.some(({ kind }) => kind === 'any');
  }

  expect(expected: Expected<ExpectedLine>): void {
    this.#pending.push(expected);
  }

  /** Receives the messages of the lines expected so far, and aligns them. */
  async settle(patience: Patience, values: Values, following: Following): Promise<Outcome> {
    const isSkipped = this.isLost || this.isUnsent;
    const limits = isSkipped ? { ...patience, timeoutMs: 0, settleMs: 0 } : patience;
    const expected = [...this.#open, ...this.#pending];
    const sequence = this.#pending.flatMap(linesOf)[0]?.sequence ?? 0;
    this.#pending = [];
    // Only wildcards: what they take is found with what follows them.
    if (expected.every(({ kind }) => kind === 'any') && limits.settleMs === 0) {
      this.#open = expected;
      return { client: this, sequence, steps: [], absent: undefined, isSkipped: false };
    }
    if (this.#isStream) {
      const stream = await this.#settleStream(expected, limits, values);
      return { client: this, sequence, steps: [], isSkipped, ...stream };
    }
    const { steps, absent, open, early } = await settleGroup(expected, this.player, limits, following);
    this.#open = open;
    this.player.putBack(early);
    const openLines = new Set(open.flatMap(linesOf));
    this.#note(absent, early.length > 0 || steps.some((step) => 'message' in step));
    return {
      client: this,
      sequence,
      // Optional lines that stay open are not decided yet.
      steps: steps.filter((step) => step.kind !== 'absent' || !openLines.has(step.item)),
      absent,
      isSkipped,
    };
  }

  async #settleStream(
    expected: readonly Expected<ExpectedLine>[],
    limits: Patience,
    values: Values,
  ): Promise<Pick<Outcome, 'absent' | 'compare'>> {
    const lines = expected.flatMap(linesOf);
    const stream = new Stream(lines, values, this.#early);
    this.#early = undefined;
    const absent = await stream.receive(this.player, limits);
    this.#note(absent, stream.hasBytes);
    this.#open = [];
    const last = expected.at(-1);
    if (last?.kind === 'any') this.#open = [last];
    const compare = (real: Values) => {
      const { steps, rest } = stream.align(real);
      if (limits.settleMs > 0 && rest) return [...steps, { kind: 'unexpected', message: rest } as const];
      this.#early = rest;
      return steps;
    };
    return { absent, compare };
  }

  #note(absent: Absent | undefined, hasMessage: boolean): void {
    if (absent && absent.absent !== 'timeout') this.#isOver = true;
    if (hasMessage) this.#silentGroups = 0;
    else if (absent) this.#silentGroups++;
  }

  /** The connection is over. */
  end(): void {
    this.#isOver = true;
  }

  /** Aligns messages with the lines that stayed open. The others are unexpected. */
  take(messages: readonly Arrival[]): readonly Aligned<ExpectedLine, Arrival>[] {
    const early = this.#early ? [this.#early] : [];
    this.#early = undefined;
    const { steps, open } = settled(this.#open, [...early, ...messages]);
    this.#open = open;
    return steps;
  }

  /** The next message, also bytes that were received before. */
  async next(timeoutMs: number): Promise<Arrival | Absent> {
    const early = this.#early;
    this.#early = undefined;
    return early ?? (await this.player.next(timeoutMs));
  }
}
