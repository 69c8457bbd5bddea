import type { Participant, RoomSession } from '../session/membership.ts';
import type { Session } from '../session/public-session.ts';
import type { Wire } from '../session/wire.ts';
import type { Telemetry } from '../telemetry/telemetry.ts';
import type { Recipient, Segment } from './segment.ts';

/** See the top of the file. */
export interface Member {
  readonly participant: Participant;
  /** When it joined, in milliseconds since 1970. */
  readonly since: number;
  /** Its place among the members. */
  index: number;
  /** The number of the next message that it receives, unless it is behind. */
  next: number;
  /** Where it continues, if it is behind. */
  behind: Behind | undefined;
  /** Messages that it missed and has not been told, if it is sent each message by itself. */
  untold: number;
}

/** How far behind a member is. */
export interface Behind {
  readonly wire: Wire;
  /** The position of its next segment in the ring. */
  position: number;
  /** Messages that were dropped before that, and that it has not been told. */
  missed: number;
}

export function recipientOf({ participant }: Member, wire: Wire, from = 0): Recipient {
  return { id: participant.session.id, wire, from };
}

/** Undefined where a handler with faults knows the session by an object of its own. */
export function participantOf(session: Session): Participant | undefined {
  return (session as Partial<RoomSession>).participant;
}

/** Writes a member's share of a segment. Returns whether its session can be sent more. */
export function writeShare(participant: Participant, segment: Segment, to: Recipient, telemetry: Telemetry): boolean {
  const { pieces, messages, replaced, errors } = segment.shareOf(to);
  telemetry.counters.roomMessagesReplaced += replaced;
  let canTakeMore = true;
  if (pieces.length > 0) {
    const frames = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
    canTakeMore = participant.deliver(frames, messages);
  }
  // Last: a subscriber may end the membership, and then more is written.
  const [error] = errors?.values() ?? [];
  if (error) participant.session.undelivered(error, errors?.size);
  return canTakeMore;
}

/** Whether a session can be sent more. What its handler has sent may only not be written yet. */
export function canReceive(participant: Participant): boolean {
  if (participant.isBehind) participant.flush();
  return !participant.isBehind && !participant.hasEnded;
}
