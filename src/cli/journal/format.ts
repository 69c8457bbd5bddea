/** How sessions, messages and statistics of a journal are printed: as text, or as JSON. */
import { formatBytes, formatCount, formatCountOf, formatSeconds } from '../../format/figures.ts';
import { formatLocalTime, isoTime } from '../../format/time.ts';
import type { Entry, JournalStats, RecordedSession } from '../../journal/journal.ts';
import { escapeBeginning, escapeJson, escapeText, jsonContent } from '../../terminal/escape.ts';
import { beforePayload, jsonParts } from '../../terminal/message-parts.ts';
import type { Paint } from '../../terminal/style.ts';

/** The header of `yodel journal ls`. */
export const sessionsHeader = [
  'session'.padStart(8),
  'started'.padEnd(23),
  'duration'.padStart(8),
  ...['in', 'out', 'bytes in', 'bytes out'].map((column) => column.padStart(9)),
  'peer',
].join('  ');

/** A session as a line of `yodel journal ls`. */
export function formatSession(session: RecordedSession, paint: Paint): string {
  const { began, ended, messagesIn, messagesOut, bytesIn, bytesOut, peer, error } = session;
  const took = ended === null ? '-' : formatSeconds(Math.max(0, ended - began) / 1000);
  const numbers = [formatCount(messagesIn), formatCount(messagesOut), formatBytes(bytesIn), formatBytes(bytesOut)];
  return [
    String(session.session).padStart(8),
    localTime(began),
    took.padStart(8),
    ...numbers.map((text) => text.padStart(9)),
    paint('cyan', escapeText(peer)),
    ...(error === null ? [] : [paint('yellow', escapeText(error))]),
  ].join('  ');
}

/** A session as a line of JSON. */
export function formatSessionJson({ began, ended, ...session }: RecordedSession): string {
  const endedAt = ended === null ? null : isoTime(ended);
  return escapeJson(JSON.stringify({ ...session, began: isoTime(began), ended: endedAt }));
}

/** A message as a line of `yodel journal cat`. */
export function formatEntry(entry: Entry, paint: Paint): string {
  const { sequence, time, session, peer, direction, bytes, isTruncated, members } = entry;
  const when = paint('dim', `${sequence} ${localTime(time)}`);
  const who = paint('cyan', `${escapeText(peer)}#${session}`);
  const arrow = direction === 'in' ? '>' : members === null ? '<' : `<${members}`;
  const parts = paint('dim', beforePayload(entry));
  return `${when} ${who} ${arrow} ${parts}${escapeBeginning(bytes)}${isTruncated ? ' (truncated)' : ''}`;
}

/** A message as a line of JSON. */
export function formatEntryJson(entry: Entry): string {
  const { sequence, time, elapsed, session, peer, direction, framing, bytes, isTruncated, members } = entry;
  const when = { time: isoTime(time), elapsedMs: elapsed };
  const parts = { ...jsonParts(entry), bytes: bytes.length, ...jsonContent(bytes) };
  const shared = members === null ? {} : { members };
  const fields = { sequence, ...when, session, peer, direction, framing, ...shared, ...parts };
  return escapeJson(JSON.stringify(isTruncated ? { ...fields, truncated: true } : fields));
}

/** The text of `yodel journal stats`. */
export function formatStats(stats: JournalStats): string {
  const { messages, sessions, first, last, from, to, size, used, deleted, missed, stored } = stats;
  const range = messages > 0 ? ` (${formatCount(first)} to ${formatCount(last)})` : '';
  const lines = [
    `messages  ${formatCount(messages)}${range}`,
    `sessions  ${formatCount(sessions)}`,
    ...(from === null || to === null ? [] : [`from      ${localTime(from)}`, `to        ${localTime(to)}`]),
    `size      ${formatBytes(size)}, of which ${formatBytes(used)} in use`,
    ...(deleted > 0 ? [`deleted   ${formatCountOf(deleted, 'message')}, because of age or size`] : []),
    ...(stored.messages > 0
      ? [
          `stored    ${formatCountOf(stored.messages, 'message')} in ${formatCountOf(stored.rooms, 'room')}, ${formatBytes(stored.bytes)}`,
        ]
      : []),
    ...(missed > 0 ? [`missed    ${formatCountOf(missed, 'reply', 'replies')}, because the queue was full`] : []),
  ];
  return `${lines.join('\n')}\n`;
}

function localTime(time: number): string {
  return formatLocalTime(new Date(time));
}
