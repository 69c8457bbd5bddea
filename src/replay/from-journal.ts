/** The steps of recorded sessions. */
import { parseFraming } from '../framing/notation.ts';
import { raw } from '../framing/raw.ts';
import type { Entry, JournalQuery, JournalReader, RecordedSession } from '../journal/journal.ts';
import { frameOf, isUnfinished } from '../journal/shape.ts';
import type { ReplayStep } from './step.ts';

/** What to play of a journal, and in whole numbers what that is. */
export interface JournalPlan {
  readonly sessions: number;
  readonly sends: number;
  readonly expects: number;
  steps(): AsyncGenerator<ReplayStep>;
}

/** Plans to play the sessions that a query means. */
export async function planOf(reader: JournalReader, query: JournalQuery): Promise<JournalPlan> {
  const sessions = new Map<number, RecordedSession>();
  let [sends, expects] = [0, 0];
  for await (const session of reader.sessions(query)) {
    sessions.set(session.session, session);
    sends += session.messagesIn;
    expects += session.messagesOut;
  }
  return { sessions: sessions.size, sends, expects, steps: () => stepsOf(reader, query, sessions) };
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
  for await (const entry of reader.read(query)) {
    const session = sessions.get(entry.session);
    if (!session) continue;
    at = clock.at(entry);
    // Those that had ended by then end first, so that as many are open at a time as were.
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
      yield { kind: 'connect', session: entry.session, at, place: placeOf(entry), framing: framingOf(session) };
    }
    yield stepOf(entry, at);
    // Only the end of the input could finish that message.
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
  return { ...common, kind: 'send', content, frameOf: () => frameOf(entry) };
}

function endOf({ session, last }: RecordedSession, at: number): ReplayStep {
  return { kind: 'end', session, at, place: `behind message ${last}` };
}

function placeOf({ sequence }: Entry): string {
  return `message ${sequence}`;
}

function framingOf({ framing }: RecordedSession) {
  return framing === 'websocket' ? raw() : parseFraming(framing);
}

/** Time as it went by when it was recorded. */
class RecordedClock {
  #at = 0;
  #last: Entry | undefined;

  /** By the clock that only goes on; between two runs of the server by the time of day, which may have been set back. */
  at(entry: Entry): number {
    const last = this.#last;
    this.#last = entry;
    if (!last) return 0;
    const byElapsed = entry.elapsed - last.elapsed;
    this.#at += byElapsed >= 0 ? byElapsed : Math.max(0, entry.time - last.time);
    return this.#at;
  }
}
