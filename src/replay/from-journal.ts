import type { Framing } from '../framing/framing.ts';
import { parseFraming } from '../framing/notation.ts';
import { raw } from '../framing/raw.ts';
import type { Entry, JournalQuery, JournalReader, RecordedSession } from '../journal/journal.ts';
import { frameOf, isUnfinished } from '../journal/shape.ts';
import type { ReplayPlan, ReplayStep } from './step.ts';

/** Plans a replay of the sessions that match a query, each from start to end. */
export async function planOf(reader: JournalReader, query: JournalQuery): Promise<ReplayPlan> {
  const sessions = new Map<number, RecordedSession>();
  let [sends, expects] = [0, 0];
  let [from, to] = [Number.POSITIVE_INFINITY, 0];
  for await (const session of reader.sessions(query)) {
    sessions.set(session.session, session);
    sends += session.messagesIn;
    expects += session.messagesOut;
    from = Math.min(from, session.first);
    to = Math.max(to, session.last);
  }
  // Whole sessions: a part of one would be a different conversation.
  const whole = { from: Math.min(from, to), to, session: query.session, peer: query.peer };
  return { sessions: sessions.size, sends, expects, steps: () => stepsOf(reader, whole, sessions) };
}

async function* stepsOf(
  reader: JournalReader,
  query: JournalQuery,
  sessions: ReadonlyMap<number, RecordedSession>,
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
      yield { kind: 'connect', session: entry.session, at, place: placeOf(entry), ...framingOf(session) };
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
  const common = { session: entry.session, at, place: placeOf(entry) };
  const content = { kind: 'parts', parts: [entry.bytes] } as const;
  if (entry.direction === 'out') return { ...common, kind: 'expect', content };
  return { ...common, kind: 'send', content, frameOf: () => frameOf(entry), isTruncated: entry.isTruncated };
}

function endOf({ session, last }: RecordedSession, at: number): ReplayStep {
  return { kind: 'end', session, at, place: `after message ${last}` };
}

function placeOf({ sequence }: Entry): string {
  return `message ${sequence}`;
}

function framingOf({ framing }: RecordedSession): { readonly framing: Framing; readonly isWebSocket: boolean } {
  const isWebSocket = framing === 'websocket';
  return { framing: isWebSocket ? raw() : parseFraming(framing), isWebSocket };
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
