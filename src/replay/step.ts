/** What a replay does, one thing after another, wherever it comes from. */
import type { Framing } from '../framing/framing.ts';
import type { Content } from '../transcript/transcript.ts';

/** One thing that happens in one session. */
export type ReplayStep = {
  /** Whose it is. */
  readonly session: string | number;
  /** When, in milliseconds since the first step was recorded. */
  readonly at: number;
  /** Where it stands, for people: `message 12`, `line 3`. */
  readonly place: string;
} & (
  | { readonly kind: 'connect'; readonly framing: Framing; readonly isWebSocket?: boolean }
  /** The client sends. The frame is made when it is known what it holds: names may stand in it. */
  | {
      readonly kind: 'send';
      readonly content: Content;
      readonly frameOf: (bytes: Uint8Array) => Uint8Array;
      readonly isTruncated?: boolean;
    }
  /** The server sends. */
  | { readonly kind: 'expect'; readonly content: Content; readonly timeoutMs?: number | undefined }
  /** The client ends its side, and what comes is still taken. */
  | { readonly kind: 'close' }
  /** Nothing more happens: both sides end. */
  | { readonly kind: 'end' }
  /** The server says nothing for so long. */
  | { readonly kind: 'silence'; readonly ms: number }
  /** The server ends its side, and says nothing before. */
  | { readonly kind: 'closed'; readonly timeoutMs?: number | undefined }
  /** The client breaks off. */
  | { readonly kind: 'reset' }
);

/** What is to be played, and in whole numbers what that is. */
export interface ReplayPlan {
  readonly sessions: number;
  /** Messages of clients, and of the server. */
  readonly sends: number;
  readonly expects: number;
  steps(): AsyncGenerator<ReplayStep>;
}
