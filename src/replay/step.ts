/** The steps of a replay, whatever they were read from. */
import type { Framing } from '../framing/framing.ts';
import type { Content } from '../transcript/transcript.ts';

/** One thing that happens in one session. */
export type ReplayStep = {
  /** The name of the session. */
  readonly session: string | number;
  /** When, in milliseconds since the first step was recorded. */
  readonly at: number;
  /** Its place in the recording, for reports: `message 12`, `line 3`. */
  readonly place: string;
} & (
  | { readonly kind: 'connect'; readonly framing: Framing; readonly isWebSocket?: boolean }
  /** The client sends. The frame is made when names in the content have their values. */
  | {
      readonly kind: 'send';
      readonly content: Content;
      readonly frameOf: (bytes: Uint8Array) => Uint8Array;
      readonly isTruncated?: boolean;
    }
  /** The server is expected to send. */
  | { readonly kind: 'expect'; readonly content: Content; readonly timeoutMs?: number | undefined }
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

/** Steps to play, and their numbers. */
export interface ReplayPlan {
  readonly sessions: number;
  /** Messages of the clients, and of the server. */
  readonly sends: number;
  readonly expects: number;
  steps(): AsyncGenerator<ReplayStep>;
}
