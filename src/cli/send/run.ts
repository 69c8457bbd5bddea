/** Runs `yodel send`. */
import { encode, type Framing } from '../../framing/framing.ts';
import { Message } from '../../framing/message.ts';
import { websocketClient } from '../../framing/websocket.ts';
import { exchangeMessages } from '../connect/exchange.ts';
import { hasHeader, readParts } from '../connect/message-parts.ts';
import { readRecordFlags } from '../connect/record.ts';
import { messageSettings, readProtocol } from '../connect/run.ts';
import { isWebSocket, readTarget } from '../connect/target.ts';
import { UsageError } from '../fail.ts';
import { readMessage } from '../message-input.ts';
import { readTlsFlags } from '../tls-flags.ts';
import { readRounds } from './repeat-flags.ts';

/** Resolves with the exit status. @throws UsageError, YodelError */
export async function runSend(
  to: string,
  messages: readonly string[],
  flags: Readonly<Record<string, unknown>>,
): Promise<number> {
  const address = readTarget(to, undefined, flags);
  const protocol = await readProtocol(flags);
  const parts = readParts(flags);
  const settings = messageSettings(
    { ...flags, lockstep: true },
    {
      address,
      protocol,
      tls: readTlsFlags(flags, address),
      count: messages.length,
      connectTimeoutMs: flags.connectTimeout as number,
      verbose: flags.verbose === true,
      waitMs: flags.timeout as number,
      shutdown: true,
      beginRecording: readRecordFlags(flags, address),
      parts: undefined,
    },
  );
  const sent = messages.map((text, index) => Message.of(readMessage(text, flags, index + 1), parts));
  checkSendable(isWebSocket(address) ? websocketClient : protocol.framing, sent);
  const rounds = readRounds(flags, !process.stdout.isTTY);
  if (!rounds) return await exchangeMessages(settings, sent);
  const { sendRounds } = await import('./rounds.ts');
  return await sendRounds(rounds, settings, sent, { texts: messages, json: flags.json === true });
}

/**
 * Encodes the messages before connecting, so that one that cannot be sent is reported without a server.
 *
 * @throws UsageError, YodelError
 */
function checkSendable(framing: Framing, messages: readonly Message[]): void {
  // Then the frames depend on the replies.
  if (framing.createEncoder) return;
  for (const message of messages) {
    const { length } = encode(framing, message);
    if (length === 0) {
      const text = `an empty message cannot be sent with the framing "${framing.name}": it has no bytes on the wire`;
      throw new UsageError(text);
    }
    if (message.header.length > 0 && !hasHeader(framing, message.header))
      throw new UsageError(`the framing "${framing.name}" has no header; omit --header`);
  }
}
