/** Recorded sessions as transcripts, for `yodel check` and `yodel serve`. */
import { isoTime } from '../format/time.ts';
import { EndingLines } from '../transcript/ending.ts';
import { framingOf } from '../transcript/frames.ts';
import { formatMessage } from '../transcript/message-line.ts';
import { wireLines } from '../transcript/wire.ts';
import type { Entry, RecordedSession } from './journal.ts';
import { isUnfinished, recordedProtocol } from './recorded.ts';

/** The transcript of a session, in pieces of whole lines. */
export async function* transcriptOf(session: RecordedSession, entries: AsyncIterable<Entry>): AsyncGenerator<string> {
  yield headOf(session);
  const protocol = recordedProtocol(session);
  const endings = new EndingLines();
  // Whether the client's last message ended with its input, without a line ending.
  let hasClosed = false;
  for await (const entry of entries) {
    const { direction, bytes, header, kind, ending, isTruncated } = entry;
    const side = direction === 'in' ? '>' : '<';
    if (protocol) yield endings.before(framingOf(protocol, side), ending ?? undefined);
    if (isTruncated) yield '# the journal has only the beginning of the next message\n';
    yield `${side}${formatMessage({ bytes, header, kind: kind ?? undefined })}\n`;
    if (direction === 'in' && isUnfinished(entry)) {
      hasClosed = true;
      yield '@close\n';
    }
  }
  // Without @close the client would end only after the last line.
  if (session.ended !== null && session.messagesOut > 0) {
    const close = hasClosed ? '' : '@close\n';
    yield session.endedBy === 'peer' ? `${close}@closed\n` : `@closed\n${close}`;
  }
}

function headOf({ session, peer, local, began, messagesOut, ...names }: RecordedSession): string {
  // Another program may have edited the file.
  const when = isoTime(began) ?? 'at an unknown time';
  const lines = [
    `# session ${session} of a journal: ${when}, client ${oneLine(peer)}, server ${oneLine(local)}`,
    ...(messagesOut > 0 ? [] : ['# replies were not recorded']),
    ...wireLines(names).map(oneLine),
  ];
  return `${lines.join('\n')}\n`;
}

/** Replaces characters that start another line or control a terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
