/** Sends an endless pattern, like the Character Generator protocol (RFC 864), to measure and to test how clients read. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Batch } from '../framing/message.ts';
import type { HandlerObject } from '../session/handler.ts';
import type { Session } from '../session/public-session.ts';
import { decodeForwarded } from './forwarding.ts';

/** The printable characters of ASCII. Each line begins one character later than the one before. */
const ring = Array.from({ length: 95 }, (_, index) => String.fromCharCode(0x20 + index)).join('');
const lineLength = 72;
const rows: readonly string[] = Array.from(ring, (_, index) => (ring + ring).slice(index, index + lineLength));

/**
 * Sends messages of 72 characters, as fast as the peer reads them. With the framing `lines` they are the lines of RFC 864,
 * which end with CRLF. What the peer sends is discarded; when it ends, the session does too.
 */
export const chargen: HandlerObject = {
  open: (session) => void generate(session),
  batch: () => undefined,
};

async function generate(session: Session): Promise<void> {
  // Continues after `open` has returned. The peer may already be gone.
  await null;
  const round = roundOf(session);
  while (!session.ended) {
    for (const part of round) {
      if (session.send(part) !== false) continue;
      await session.drained();
      // A peer that reads everything at once must not block the event loop.
      await nextTurn();
    }
  }
}

/** All rows once, as one batch where possible. */
function roundOf(session: Session): readonly (string | Batch)[] {
  const { replyFraming } = session;
  if (replyFraming.name !== 'lines') return rows;
  const text = rows.map((row) => `${row}\r\n`).join('');
  return [replyFraming.createDecoder(decodeForwarded(lineLength)).decode(Buffer.from(text))];
}
