/** The counts and differences of a replay. */

import type { Message } from '../framing/message.ts';
import { Histogram } from '../load/histogram.ts';
import type { MessageContent } from '../transcript/transcript.ts';

/** A place where the replay was not as recorded. */
export interface ReplayDifference {
  readonly session: string | number;
  /** As {@link ReplayStep.place}. */
  readonly place: string;
  /** The recorded message; undefined when none was expected. */
  readonly expected: MessageContent | undefined;
  /** The message received instead; undefined when there was none. */
  readonly actual: Message | undefined;
  readonly reason: string;
}

/** Numbers of a replay, while it runs or at its end. */
export interface ReplayProgress {
  /** The number of sessions started, and of those still open. */
  readonly sessions: number;
  readonly open: number;
  readonly sent: number;
  /** The number of the server's messages that were compared, and of those that were as recorded. */
  readonly compared: number;
  readonly equal: number;
  /** All messages received from the server. */
  readonly received: number;
  readonly differences: number;
  readonly elapsedMs: number;
}

/** The result of a replay. */
export interface ReplayResult extends ReplayProgress {
  /** The first {@link maxDifferences} differences. */
  readonly found: readonly ReplayDifference[];
  /** Milliseconds from sending a message to the first reply after it: in the replay, and when it was recorded. */
  readonly latency: Histogram;
  readonly recordedLatency: Histogram;
}

/** The number of differences to keep. All are counted. */
const maxDifferences = 100;

/** Counts for all sessions of a replay. */
export class ReplayTally {
  sent = 0;
  received = 0;
  compared = 0;
  equal = 0;
  differences = 0;
  readonly found: ReplayDifference[] = [];
  readonly latency = new Histogram();
  readonly recordedLatency = new Histogram();

  /** A compared message was as recorded. */
  countEqual(): void {
    this.compared++;
    this.equal++;
  }

  /** A recorded message was skipped, because an earlier one is missing. */
  countSkipped(): void {
    this.compared++;
    this.differences++;
  }

  /** @param isCompared whether the difference is about a recorded message */
  add(difference: ReplayDifference, isCompared: boolean): void {
    this.differences++;
    if (isCompared) this.compared++;
    if (this.found.length < maxDifferences) this.found.push(difference);
  }
}
