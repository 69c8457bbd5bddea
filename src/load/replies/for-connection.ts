import type { Framing } from '../../framing/framing.ts';
import type { Protocol } from '../../framing/protocol.ts';
import type { LatencyLog } from '../latency-log.ts';
import type { Payload } from '../payload.ts';
import type { Replies } from '../plan.ts';
import { CountMatcher } from './count.ts';
import { EchoMatcher, FrameMatcher } from './echo.ts';
import type { ErrorPattern } from './error-pattern.ts';
import { AfterGreeting } from './greeting.ts';
import type { ReplyMatcher } from './matcher.ts';

/** What replies a connection expects. */
export interface ReplyOptions {
  /** The connection's number, from 1 over all processes. */
  readonly number: number;
  readonly payload: Payload;
  readonly protocol: Protocol;
  readonly replies: Replies;
  /** The number of messages to wait for before the first one is sent. */
  readonly greeting: number;
  /** Recognises replies that report an error. */
  readonly errors: ErrorPattern | undefined;
}

/** What a connection sends, and the replies that it expects. */
export interface LoadConnectionOptions extends ReplyOptions {
  /** Whether messages that arrive before the first one is sent are allowed, as a greeting of which nothing is known yet. */
  readonly learnsGreeting: boolean;
  /** Where a reply does not say which message it answers. */
  readonly log: LatencyLog | undefined;
}

/**
 * The matcher of a connection's replies; undefined if nothing is expected.
 *
 * @param own the framing of the connection itself, if it has one
 */
export function matcherFor(options: ReplyOptions, own: Framing | undefined): ReplyMatcher | undefined {
  const { number, payload, protocol, replies, greeting, errors } = options;
  if (replies === 'count') return new CountMatcher({ protocol, own, greeting, errors });
  const echo = replies === 'echo' ? new EchoMatcher(payload.echo, number) : undefined;
  const matcher = own && echo ? new FrameMatcher(own, echo) : echo;
  return greeting === 0 ? matcher : new AfterGreeting(own ?? protocol.replyFraming, greeting, matcher);
}
