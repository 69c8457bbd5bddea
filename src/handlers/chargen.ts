/** Sends a pattern without end, as the Character Generator protocol does (RFC 864): for measuring, and for clients that read. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Batch } from '../framing/message.ts';
import type { HandlerObject, Session } from '../session/handler.ts';
import { passedOn } from './frames.ts';

/** The printable characters of ASCII. Line after line begins one further in it. */
const ring = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join('');
const lineLength = 72;
const rows: readonly string[] = Array.from(ring, (_, index) => (ring + ring).slice(index, index + lineLength));

/**
 * Sends 72 characters a message, for as long as the peer takes them. With the framing `lines` they are the lines of RFC
 * 864, which end with CRLF. What the peer sends is thrown away; when it ends, so does the session.
 */
export const chargen: HandlerObject = {
  open: (session) => void generate(session),
  batch: () => undefined,
};

async function generate(session: Session): Promise<void> {
  // Not before the session has begun: a peer may have gone already.
  await null;
  const round = roundOf(session);
  while (!session.ended) {
    for (const part of round) {
      if (session.send(part)) continue;
      await session.drained();
      // A peer that takes everything at once must not keep others from their turn.
      await nextTurn();
    }
  }
}

/** All rows once, as what is sent at one go. */
function roundOf(session: Session): readonly (string | Batch)[] {
  const isText = session.framing.name === 'lines' && !session.carriesMessages;
  if (!isText) return rows;
  const text = rows.map((row) => `${row}\r\n`).join('');
  return [session.framing.createDecoder(passedOn(lineLength)).decode(Buffer.from(text))];
}
