/** The log of `yodel serve`: one line per connection event and message, as text or as JSON. */
import { type Address, formatPeer, hostOf } from '../address.ts';
import type { Batch } from '../framing/message.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { isHealthCheck, isUsualRefusal } from './error-text.ts';
import type { Direction, LineFormat, Source } from './format.ts';
import { Gate, type GateOptions, type LineKind } from './gate.ts';
import { jsonFormat } from './json.ts';
import type { LineWriter } from './line-writer.ts';
import type { LogLevel, LogOptions } from './options.ts';
import { textFormat } from './text.ts';

/** The log: a subscriber to the events of a server. */
export interface Log {
  readonly subscriber: Subscriber;
  /** Logs what was left out so far. */
  close(): void;
}

/** The format of the log's lines. */
export function lineFormat(options: Pick<LogOptions, 'format' | 'level' | 'paint' | 'worker'>): LineFormat {
  return options.format === 'json' ? jsonFormat(options) : textFormat(options);
}

/**
 * A log that writes lines. Messages and everything else have a budget each, so that a flood of messages costs no line about a
 * connection, and the reverse.
 */
export function sessionLog(options: LogOptions, format: LineFormat, output: LineWriter): Log {
  const { level, messages, relays = false, rate } = options;
  const gate: GateOptions<Source> = {
    rate,
    output,
    report: (left) => output.writeReport(format.leftOut(left), left.lines),
  };
  const messageGate = new Gate<Source>(gate);
  const eventGate = new Gate<Source>({ ...gate, perSource: maxEvents });
  const events = eventLog(format, eventGate, messageGate, output);
  if (messages) {
    const log = messageLog(format, messageGate, output);
    events.received = (session, batch) => log(session, batch, relays ? 'request' : undefined);
    events.relayed = (session, batch) => log(session, batch, 'reply');
  }
  return {
    subscriber: filterByLevel(level, events),
    close() {
      messageGate.close();
      eventGate.close();
    },
  };
}

/** Lines of one kind about one host, such as refused connections, in a second. */
const maxEvents = 1000;

/** Called before the line is formatted, if it is logged. */
type Decided = (isLogged: boolean) => void;

type MutableSubscriber = { -readonly [Name in keyof Subscriber]: Subscriber[Name] };

/** Logs everything but messages. */
function eventLog(
  format: LineFormat,
  gate: Gate<Source>,
  messageGate: Gate<Source>,
  output: LineWriter,
): MutableSubscriber {
  const log = (kind: LineKind, peer: Address | undefined, line: () => string, decided?: Decided) => {
    const host = peer && shownHost(peer);
    const use = gate.use(kind, `${kind} ${host}`, host ?? '-');
    const isLogged = gate.admits(use);
    decided?.(isLogged);
    if (!isLogged) return gate.leaveOut(use, 1);
    const text = line();
    output.write(text);
    gate.count(use, text.length);
  };
  const { listening, draining, handlerFailed } = format;
  return {
    ...(listening && { listening: (address) => output.write(listening(address)) }),
    ...(draining && { draining: (sessions) => output.write(draining(sessions)) }),
    refused: (peer, error) => log('refused', peer, () => format.refused(peer, error)),
    left: (peer, error) => log('left', peer, () => format.left(peer, error)),
    opened: (session) => log('connected', session.peer, () => format.opened(session)),
    discarded: (session, error) => log('discarded', session.peer, () => format.discarded(session, error)),
    undelivered: (session, error, messages) =>
      log('undelivered', session.peer, () => format.undelivered(session, error, messages)),
    roomJoined: (session, room) => log('room-joined', session.peer, () => format.roomJoined(session, room)),
    roomLeft: (session, room) => log('room-left', session.peer, () => format.roomLeft(session, room)),
    missed: (session, room, messages) => log('missed', session.peer, () => format.missed(session, room, messages)),
    bus: (event, reason) => log('bus', undefined, () => format.bus(event, reason)),
    ...(handlerFailed && {
      handlerFailed: (session, error) => log('handler-failed', session.peer, () => handlerFailed(session, error)),
    }),
    faulted: (session, applied) => log('fault', session.peer, () => format.faulted(session, applied)),
    closed: (session, error) => {
      const { id, peer } = session;
      // What was left out of the session precedes its last line.
      const decided: Decided = (isLogged) => messageGate.end(session, isLogged, { id, peer });
      log('closed', peer, () => format.closed(session, error), decided);
    },
  };
}

/** Logs messages, as many of a batch as are admitted. */
function messageLog(format: LineFormat, gate: Gate<Source>, output: LineWriter) {
  return (session: SessionView, batch: Batch, direction: Direction): void => {
    const use = gate.use('message', session, session);
    let left = batch.count;
    if (gate.admits(use)) {
      const line = format.messages(session, direction);
      for (const message of batch) {
        if (!gate.admits(use)) break;
        const text = line(message);
        output.write(text);
        gate.count(use, text.length);
        left--;
      }
    }
    if (left > 0) gate.leaveOut(use, left);
  };
}

/** A client's address without its port, which differs for each connection. */
export function shownHost(peer: Address): string {
  return hostOf(peer) ?? formatPeer(peer);
}

/** The events that each level logs; `closed` only if the session ended with an error, and no health checks. */
const eventsOfLevel: Readonly<Record<Exclude<LogLevel, 'info'>, readonly string[]>> = {
  warn: ['handlerFailed', 'refused', 'discarded', 'undelivered', 'missed', 'bus', 'closed'],
  error: ['handlerFailed'],
};

/** The part of a complete log that a level includes. */
function filterByLevel(level: LogLevel, log: Subscriber): Subscriber {
  if (level === 'info') return log;
  const isLogged = ([event]: [string, unknown]) => eventsOfLevel[level].includes(event);
  const filtered: Subscriber = Object.fromEntries(Object.entries(log).filter(isLogged));
  const { closed, refused } = filtered;
  return {
    ...filtered,
    ...(refused && {
      refused: (peer, error) => {
        if (!isUsualRefusal(peer, error)) refused(peer, error);
      },
    }),
    ...(closed && {
      closed: (session, error) => {
        if (error && !isHealthCheck(session, error)) closed(session, error);
      },
    }),
  };
}
