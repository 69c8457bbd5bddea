/**
 * The log of `yodel serve` for programs: one JSON object a line, in the shape that pino has made known. pino builds the
 * line; where it goes is ours, for its own ways out (worker threads, synchronous writes) would stop the server behind a
 * slow reader, or lose lines.
 */
import { isUtf8 } from 'node:buffer';
import { pino, stdTimeFunctions } from 'pino';
import { formatPeer } from '../address.ts';
import type { YodelError } from '../errors.ts';
import type { Message } from '../framing/message.ts';
import type { SessionView, Subscriber } from '../telemetry/telemetry.ts';
import { escapeJson, thrownText } from '../terminal/escape.ts';
import { errorText } from './error-text.ts';
import type { LogOptions } from './options.ts';

/** A subscriber that writes the log as JSON. */
export function jsonLog({ messages, worker, write }: LogOptions): Subscriber {
  const logger = pino(
    {
      // No process and host: whoever gathers logs knows from where.
      base: worker === undefined ? null : { worker },
      timestamp: stdTimeFunctions.isoTime,
      formatters: { level: (level) => ({ level }) },
    },
    { write: (line) => write(escapeJson(line.slice(0, -1))) },
  );
  const log: Subscriber = {
    listening: (address) => logger.info({ event: 'listening', address: String(address) }),
    draining: (sessions) => logger.info({ event: 'draining', sessions }),
    refused: (peer, error) => logger.warn({ event: 'refused', peer: peer && formatPeer(peer), ...errorFields(error) }),
    opened: (session) => logger.info({ event: 'connected', ...nameOf(session) }),
    discarded: (session, error) => logger.warn({ event: 'discarded', ...nameOf(session), ...errorFields(error) }),
    handlerFailed: (session, error) =>
      logger.error({ event: 'handler-failed', ...nameOf(session), error: thrownText(error.cause) }),
    closed: (session, error) => {
      const fields = { event: 'closed', ...nameOf(session), ...accountOf(session) };
      if (error) logger.warn({ ...fields, reason: error.code, ...errorFields(error) });
      else logger.info({ ...fields, reason: session.endedBy });
    },
  };
  if (messages) {
    log.received = (session, batch) => {
      const name = nameOf(session);
      for (const message of batch) {
        logger.info({ event: 'message', ...name, bytes: message.size, ...contentOf(message) });
      }
    };
  }
  return log;
}

function nameOf({ id, peer }: SessionView): { session: number; peer: string } {
  return { session: id, peer: formatPeer(peer) };
}

function errorFields(error: YodelError): { code: string; error: string } {
  return { code: error.code, error: errorText(error) };
}

/** What passed in a session, and how long it took. */
function accountOf({ durationMs, messagesReceived, messagesSent, bytesReceived, bytesSent }: SessionView): object {
  // The clock's millionths of a millisecond say nothing.
  return { durationMs: Math.round(durationMs), messagesReceived, messagesSent, bytesReceived, bytesSent };
}

/** JSON has no bytes: what is not text is base64. */
function contentOf(message: Message): { text: string } | { base64: string } {
  const { bytes } = message;
  return isUtf8(bytes) ? { text: message.text } : { base64: Buffer.from(bytes).toString('base64') };
}
