import { YodelError } from '../errors.ts';
import type { Protocol } from '../framing/protocol.ts';
import {
  type Entry,
  type JournalQuery,
  type JournalReader,
  type RecordedSession,
  roomPrefix,
} from '../journal/journal.ts';
import { isUnfinished, recordedProtocol } from '../journal/recorded.ts';
import type { MessageContent } from '../transcript/transcript.ts';
import type { ReplayPlan, ReplayStep } from './step.ts';

/**
 * Plans a replay of the sessions that match a query, each from start to end.
 *
 * @param protocol framings to use instead of those that were recorded, such as your own
 */
export async function planOf(reader: JournalReader, query: JournalQuery, protocol?: Protocol): Promise<ReplayPlan> {
  const sessions = new Map<number, RecordedSession>();
  let [sends, expects] = [0, 0];
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for await (const session of reader.sessions(query)) {
    // What a room was sent is no conversation.
    if (session.peer.startsWith(roomPrefix)) continue;
    sessions.set(session.session, session);
    sends += session.messagesIn;
    expects += session.messagesOut;
    from = Math.min(from, session.first);
    to = Math.max(to, session.last);
  }
  // Whole sessions: a part of one would be a different conversation.
  const whole = { from: Math.min(from, to), to, session: query.session, peer: query.peer };
  return { sessions: sessions.size, sends, expects, steps: () => stepsOf(reader, whole, sessions, protocol) };
}

async function* stepsOf(
  reader: JournalReader,
  query: JournalQuery,
  sessions: ReadonlyMap<number, RecordedSession>,
  given: Protocol | undefined,
): AsyncGenerator<ReplayStep> {
  const clock = new RecordedClock();
  const open = new Map<number, RecordedSession>();
  let nextEnd = Number.POSITIVE_INFINITY;
  let at = 0;
  let run = 0;
  for await (const entry of reader.read(query)) {
    // A server that crashed recorded no end for its sessions.
    if (entry.run !== run) {
      for (const left of open.values()) yield endOf(left, at);
      open.clear();
      run = entry.run;
    }
    const session = sessions.get(entry.session);
    if (!session) continue;
    at = clock.at(entry);
    // Sessions that had already ended in the recording end first, so that the replay has as many open at a time.
    if (entry.time >= nextEnd) {
      nextEnd = Number.POSITIVE_INFINITY;
      for (const one of open.values()) {
        if (endTime(one) > entry.time || one.last >= entry.sequence) nextEnd = Math.min(nextEnd, endTime(one));
        else if (open.delete(one.session)) yield endOf(one, at);
      }
    }
    if (!open.has(session.session)) {
      open.set(session.session, session);
      nextEnd = Math.min(nextEnd, endTime(session));
      yield {
        kind: 'connect',
        session: entry.session,
        at,
        place: placeOf(entry),
        protocol: given ?? protocolFor(session),
      };
    }
    yield stepOf(entry, at);
    // Only the end of input could complete that message.
    if (isUnfinished(entry)) yield { kind: 'close', session: entry.session, at, place: placeOf(entry) };
  }
  for (const session of open.values()) yield endOf(session, at);
}

function endTime({ ended }: RecordedSession): number {
  return ended ?? Number.POSITIVE_INFINITY;
}

function stepOf(entry: Entry, at: number): ReplayStep {
  const { session, direction, ending, isTruncated } = entry;
  const common = { session, at, place: placeOf(entry), message: contentOf(entry) };
  if (direction === 'out') return { ...common, kind: 'expect' };
  return { ...common, kind: 'send', ending: ending ?? undefined, isTruncated };
}

function contentOf({ bytes, header, kind }: Entry): MessageContent {
  return {
    content: { kind: 'parts', parts: [bytes] },
    header: header.length > 0 ? { kind: 'parts', parts: [header] } : undefined,
    isBinary: kind === 'binary',
  };
}

function endOf({ session, last }: RecordedSession, at: number): ReplayStep {
  return { kind: 'end', session, at, place: `after message ${last}` };
}

function placeOf({ sequence }: Entry): string {
  return `message ${sequence}`;
}

/** @throws YodelError `YODEL_INVALID_OPTION` for a framing that this program does not have */
function protocolFor(session: RecordedSession): Protocol {
  const found = recordedProtocol(session);
  if (found) return found;
  const { session: number, protocol, framing, replyFraming } = session;
  const names = protocol ?? (framing === replyFraming ? framing : `${framing} and ${replyFraming}`);
  const text = `session ${number} was recorded with framings that yodel does not have: ${names}; name their file: --framing ./FILE.ts`;
  throw new YodelError('YODEL_INVALID_OPTION', text);
}

/** Time in the recording, in milliseconds since its first entry. */
class RecordedClock {
  #at = 0;
  #last: Entry | undefined;

  /** Uses the monotonic clock, and between two runs of the server the time of day, which may have been set back. */
  at(entry: Entry): number {
    const last = this.#last;
    this.#last = entry;
    if (!last) return 0;
    const isSameRun = entry.run === last.run;
    this.#at += Math.max(0, isSameRun ? entry.elapsed - last.elapsed : entry.time - last.time);
    return this.#at;
  }
}
