/** Patterns for log lines. */

/**
 * The line at the end of a session.
 *
 * @param received the number of messages received, or a pattern for it
 * @param sent the number of messages sent, or a pattern for it
 * @param reason a pattern for the beginning of the reason
 */
export function closedLine(received: number | string, sent: number | string, reason = 'the peer ended it'): RegExp {
  const counts = String.raw`${received} messages? \(\d+ B\) in, ${sent} \(\d+ B\) out`;
  return new RegExp(String.raw`closed after [^,\n]+, ${counts}(?:, \d+ B not sent)?: ${reason}`);
}
