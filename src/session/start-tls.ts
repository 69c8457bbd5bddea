/** STARTTLS: a session goes on over TLS. */
import { YodelError } from '../errors.ts';
import { openConversation } from '../framing/protocol.ts';
import type { Connection, ServerTls } from '../transport/transport.ts';
import type { Inbound } from './inbound.ts';
import type { Outbox } from './outbox.ts';
import type { Runner } from './runner.ts';
import type { SessionSettings } from './settings.ts';

/** The parts of a session that begin anew. */
export interface SecurableSession {
  readonly connection: Connection;
  readonly inbound: Inbound;
  readonly outbox: Outbox;
  readonly runner: Runner;
  readonly settings: SessionSettings;
}

/** How long a client may take for the handshake, in milliseconds. */
const handshakeMs = 10_000;

/** See `Session.startTls`. */
export async function startTls(
  { connection, inbound, outbox, runner, settings }: SecurableSession,
  tls: ServerTls,
): Promise<void> {
  if (!connection.acceptTls) {
    const text =
      'this session cannot go on over TLS: its handler needs startsTls, and its connection must be a plain one';
    throw new YodelError('YODEL_INVALID_OPTION', text);
  }
  outbox.flush();
  // What follows the request in its chunk is known to the runner once the handler's call has returned.
  await null;
  if (!inbound.isEmpty || inbound.pending > 0 || runner.hasMessages) {
    const text = 'the client sent more in plain text after it asked for TLS, which anyone may have injected';
    throw new YodelError('YODEL_TLS', text);
  }
  const late = settings.clock.deadline(handshakeMs, () => connection.abort());
  try {
    await connection.acceptTls(tls);
  } finally {
    late.cancel();
  }
  const { protocol, decoderOptions } = settings;
  const conversation = openConversation(protocol, 'server', decoderOptions, undefined, true);
  inbound.restart(conversation.decoder);
  outbox.restart(conversation);
}
