/** What the calls of a session's handler need of the session. */
import type { ReceivedUpgrade } from '../../transport/transport.ts';
import type { Session } from '../public-session.ts';

/** The session, as its runner sees it: passed to the handler, and notified of results. */
export interface RunnableSession extends Session {
  readonly upgrade: ReceivedUpgrade | undefined;
  /** A callback threw, or its reply cannot be sent: closes the session. */
  handlerFailed(thrown: unknown): void;
  /** Messages were handled: ends the session if it has served maxMessages. */
  checkMessageLimit(): void;
  /** The handler's pending promises are settled. */
  handlerSettled(): void;
  /** Writes the replies buffered so far. */
  flush(): void;
  turn(): void;
  turnSoon(): void;
}
