/** Sends the time to each client that connects, like the Daytime protocol (RFC 867). */
import type { HandlerObject } from '../session/handler.ts';

/**
 * Sends the time as one message, `2026-11-25T03:41:21.123Z` (ISO 8601, UTC), and ends the session. What the peer sends is
 * discarded.
 */
export const time: HandlerObject = {
  open(session) {
    session.close();
    return new Date().toISOString();
  },
};
