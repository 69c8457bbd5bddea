/** The parts of a session, and which of them know which. */

import type { DeadlineOwner } from '../deadline-timer.ts';
import { openConversation } from '../framing/protocol.ts';
import type { Connection } from '../transport/transport.ts';
import type { RunnableSession } from './calls/runnable-session.ts';
import { Deadlines } from './deadlines.ts';
import { Flow, type FlowingSession } from './flow.ts';
import { Inbound } from './inbound.ts';
import type { WaitingSession } from './journaling.ts';
import { type EndingSession, Lifecycle } from './lifecycle.ts';
import { Outbox } from './outbox.ts';
import type { Session } from './public-session.ts';
import { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';

/** The session, as its parts see it. */
export type PartsOwner = Session & WaitingSession & RunnableSession & FlowingSession & EndingSession;

/** What a session consists of. */
interface Parts {
  readonly outbox: Outbox;
  readonly inbound: Inbound;
  readonly runner: Runner;
  readonly flow: Flow;
  readonly lifecycle: Lifecycle;
  readonly deadlines: Deadlines;
}

/** Creates the parts of a session that begins at `now` and speaks the protocol of `settings`, or what the connection negotiated. */
export function createParts(
  owner: PartsOwner,
  turns: DeadlineOwner,
  connection: Connection,
  settings: SessionSettings,
  now: number,
): Parts {
  const { protocol, decoderOptions, memoryLimit } = settings;
  const { decoder, encoder, sent } = openConversation(protocol, 'server', decoderOptions, connection.framing);
  const wire = { framing: owner.replyFraming, encoder, received: owner.framing, sent };
  const outbox = new Outbox(owner, connection, wire, settings);
  const inbound = new Inbound(owner, decoder, outbox, settings, now);
  const runner = new Runner(owner, outbox, settings);
  const flow = new Flow(owner, connection, memoryLimit, { inbound, runner, outbox });
  const lifecycle = new Lifecycle(owner, connection, settings, { outbox, inbound, runner, flow });
  const deadlines = new Deadlines(turns, settings, { inbound, runner, outbox, flow, lifecycle });
  return { outbox, inbound, runner, flow, lifecycle, deadlines };
}
