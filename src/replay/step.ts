/** The steps of a replay of a journal. */
import type { Protocol } from '../framing/protocol.ts';
import type { Ending, MessageContent } from '../transcript/transcript.ts';
import type { ReplayProgress, ReplayResult } from './result.ts';

/** One event in one session. */
export type ReplayStep = {
  /** The name of the session. */
  readonly session: string | number;
  /** When it is due, in milliseconds since the first step was recorded. */
  readonly at: number;
  /** Its place in the recording, for reports: `message 12`. */
  readonly place: string;
} & (
  | { readonly kind: 'connect'; readonly protocol: Protocol }
  /** The client sends. The frame is encoded once the names in the message have values. */
  | {
      readonly kind: 'send';
      readonly message: MessageContent;
      readonly ending: Ending;
      readonly isTruncated?: boolean;
    }
  /** The server is expected to send. */
  | { readonly kind: 'expect'; readonly message: MessageContent }
  /** The client ends its side and still receives. */
  | { readonly kind: 'close' }
  /** The session is over: both sides end. */
  | { readonly kind: 'end' }
);

/** How much is to be played. */
export interface ReplaySize {
  readonly sessions: number;
  /** Messages of the clients, and of the server. */
  readonly sends: number;
  readonly expects: number;
}

/** Something that is being replayed. */
export interface ReplayRun {
  /** Resolves at the end, or when it is stopped. Rejects with a `YodelError` when the first connection fails. */
  readonly done: Promise<ReplayResult>;
  readonly progress: ReplayProgress;
}

/** Steps to play, and their counts. */
export interface ReplayPlan extends ReplaySize {
  steps(): AsyncGenerator<ReplayStep>;
}
