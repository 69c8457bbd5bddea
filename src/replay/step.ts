/** The steps of a replay, read from a journal or a transcript. */
import type { Protocol } from '../framing/protocol.ts';
import type { Ending, MessageContent } from '../transcript/transcript.ts';

/** One event in one session. */
export type ReplayStep = {
  /** The name of the session. */
  readonly session: string | number;
  /** When it is due, in milliseconds since the first step was recorded. */
  readonly at: number;
  /** Its place in the recording, for reports: `message 12`, `line 3`. */
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
  | { readonly kind: 'expect'; readonly message: MessageContent; readonly timeoutMs?: number | undefined }
  /** The client ends its side and still receives. */
  | { readonly kind: 'close' }
  /** The session is over: both sides end. */
  | { readonly kind: 'end' }
  /** The server is expected to send nothing for `ms`. */
  | { readonly kind: 'silence'; readonly ms: number }
  /** The server is expected to end its side, without further messages. */
  | { readonly kind: 'closed'; readonly timeoutMs?: number | undefined }
  /** The client resets the connection. */
  | { readonly kind: 'reset' }
);

/** Steps to play, and their counts. */
export interface ReplayPlan {
  readonly sessions: number;
  /** Messages of the clients, and of the server. */
  readonly sends: number;
  readonly expects: number;
  steps(): AsyncGenerator<ReplayStep>;
}
