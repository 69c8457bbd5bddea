/** Recorded sessions as transcripts, for `yodel check` and `yodel serve`. */
import { isoTime } from '../format/time.ts';
import { formatContent } from '../transcript/content.ts';
import type { Ending } from '../transcript/transcript.ts';
import type { Entry, RecordedSession } from './journal.ts';
import { isUnfinished } from './shape.ts';

const lineFeedEnding: Ending = 'lf';

/** The transcript of a session, in pieces of whole lines. */
export async function* transcriptOf(session: RecordedSession, entries: AsyncIterable<Entry>): AsyncGenerator<string> {
  yield headOf(session);
  let ending = lineFeedEnding;
  // Whether the client's last message ended with its input, without a line ending.
  let hasClosed = false;
  for await (const entry of entries) {
    const own = endingOf(entry);
    if (own !== ending) yield `@ending ${own}\n`;
    ending = own;
    if (entry.isTruncated) yield '# the journal has only the beginning of the next message\n';
    if (entry.shape && entry.shape.length > 0 && own === 'lf') {
      yield `# bytes before its length field: ${Buffer.from(entry.shape).toString('hex')}\n`;
    }
    yield `${entry.direction === 'in' ? '>' : '<'}${formatContent(entry.bytes)}\n`;
    if (entry.direction === 'in' && isUnfinished(entry)) {
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

function headOf({ session, peer, local, framing, began, messagesOut }: RecordedSession): string {
  // Another program may have edited the file.
  const when = isoTime(began) ?? 'at an unknown time';
  const lines = [
    `# session ${session} of a journal: ${when}, client ${oneLine(peer)}, server ${oneLine(local)}`,
    ...(messagesOut > 0 ? [] : ['# replies were not recorded']),
    // WebSocket needs no framing.
    ...(framing === 'websocket' ? [] : [`@framing ${oneLine(framing)}`]),
  ];
  return `${lines.join('\n')}\n`;
}

function endingOf({ framing, shape }: Entry): Ending {
  if (framing !== 'lines' || !shape) return 'lf';
  return shape.length === 0 ? 'none' : 'crlf';
}

/** Replaces characters that start another line or control a terminal. */
function oneLine(text: string): string {
  return text.replace(/\p{C}/gu, '?');
}
