/** The messages and framings of recorded sessions. */
import { YodelError } from '../errors.ts';
import type { Protocol } from '../framing/protocol.ts';
import { readWire } from '../transcript/wire.ts';
import type { Entry, RecordedSession } from './journal.ts';

/** The framings of a session; undefined if this program does not have them, because they are your own. */
export function recordedProtocol(
  session: Pick<RecordedSession, 'protocol' | 'framing' | 'replyFraming'>,
): Protocol | undefined {
  try {
    return readWire(session);
  } catch (error) {
    if (error instanceof YodelError) return undefined;
    throw error;
  }
}

/** Whether the end of input ended the message. */
export function isUnfinished({ ending }: Pick<Entry, 'ending'>): boolean {
  return ending?.length === 0;
}
