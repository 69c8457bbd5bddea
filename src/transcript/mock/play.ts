import type { Message } from '../../framing/message.ts';
import type { Session } from '../../session/public-session.ts';
import type { MockClient } from './client.ts';
import type { MockProblem } from './verdict.ts';

/** One run of a transcript: its clients connect, send, and leave. */
export interface Play {
  readonly problems: readonly MockProblem[];
  /** Whether nothing more is expected of any client. */
  readonly isFinished: boolean;
  /** A client has connected. */
  joined(name: string, session: Session): MockClient;
  /** A message has arrived. The next one waits for the promise. */
  received(client: MockClient, message: Message): Promise<void> | undefined;
  /** The client has ended its side. Resolves when everything that follows was played; its session stays open until then. */
  ended(client: MockClient): Promise<void>;
  /** The client's session is closed. */
  left(client: MockClient): void;
  /** What the play waits for; undefined for nothing. */
  pending(): MockProblem | undefined;
  /** The run is over: nothing is played any more. */
  stop(): void;
}
