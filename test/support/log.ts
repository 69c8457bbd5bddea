/** What the log says of a session that is over. */

/**
 * The line of a session that had so many messages each way.
 *
 * @param received a number, or what matches one
 * @param why what matches the reason, from its beginning
 */
export function closedLine(received: number | string, sent: number | string, why = 'the peer ended it'): RegExp {
  const counts = String.raw`${received} messages? \(\d+ B\) in, ${sent} \(\d+ B\) out`;
  return new RegExp(String.raw`closed after [^,\n]+, ${counts}: ${why}`);
}
