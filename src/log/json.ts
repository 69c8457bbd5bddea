/** The log of `yodel serve` for programs: one JSON object per line, with `level`, `time` and `event` first, as pino writes it. */
import { formatPeer } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Batch } from '../framing/message.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { escapeJson, jsonContent, thrownText } from '../terminal/escape.ts';
import { jsonParts } from '../terminal/message-parts.ts';
import { errorText } from './error-text.ts';
import type { LogLevel, LogOptions } from './options.ts';

/** A subscriber that writes the log as JSON. */
export function jsonLog({ messages, relays = false, worker, write }: LogOptions): Subscriber {
  const line = (level: LogLevel, event: string, fields: object) => write(jsonLine(level, event, { worker }, fields));
  const log: Subscriber = {
    listening: (address) => line('info', 'listening', { address: String(address) }),
    draining: (sessions) => line('info', 'draining', { sessions }),
    refused: (peer, error) => line('warn', 'refused', { peer: peer && formatPeer(peer), ...errorFields(error) }),
    opened: (session) => line('info', 'connected', nameOf(session)),
    discarded: (session, error) => line('warn', 'discarded', { ...nameOf(session), ...errorFields(error) }),
    undelivered: (session, error) => line('warn', 'undelivered', { ...nameOf(session), ...errorFields(error) }),
    handlerFailed: (session, error) =>
      line('error', 'handler-failed', { ...nameOf(session), error: thrownText(error.cause) }),
    faulted: (session, { name, kind, direction, message }) =>
      line('info', 'fault', { ...nameOf(session), fault: name, kind, direction, message }),
    closed: (session, error) => {
      const fields = { ...nameOf(session), ...totalsOf(session) };
      if (error) line('warn', 'closed', { ...fields, reason: error.code, ...errorFields(error) });
      else line('info', 'closed', { ...fields, reason: session.endedBy });
    },
  };
  const lines = (session: SessionView, batch: Batch, direction: 'request' | 'reply' | undefined) => {
    const name = { ...nameOf(session), direction };
    for (const message of batch)
      line('info', 'message', { ...name, ...jsonParts(message), bytes: message.size, ...jsonContent(message.bytes) });
  };
  if (messages) {
    log.received = (session, batch) => lines(session, batch, relays ? 'request' : undefined);
    log.relayed = (session, batch) => lines(session, batch, 'reply');
  }
  return log;
}

/** A line of the log, without its newline. It has no process ID and no host name, because log collectors add them. */
export function jsonLine(
  level: LogLevel,
  event: string,
  origin: { worker?: number | undefined },
  fields: object,
): string {
  return escapeJson(JSON.stringify({ level, time: new Date().toISOString(), ...origin, event, ...fields }));
}

function nameOf({ id, peer }: SessionView): { session: number; peer: string } {
  return { session: id, peer: formatPeer(peer) };
}

function errorFields(error: YodelError): { code: string; error: string } {
  return { code: error.code, error: errorText(error) };
}

/** What a session has received and sent, and its duration in whole milliseconds. */
function totalsOf({ durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent }: SessionView): object {
  return { durationMs: Math.round(durationMs), messagesReceived, messagesSent, bytesReceived, bytesSent };
}
