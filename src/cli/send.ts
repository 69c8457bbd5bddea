/** Runs `yodel send`. */
import { encode } from '../framing/framing.ts';
import { parseFraming } from '../framing/notation.ts';
import { messageSettings, readAddress } from './connect.ts';
import { exchange } from './connect-messages.ts';
import { readTlsFlags, withSsl } from './tls-flags.ts';

/** Resolves with the exit status. @throws UsageError, YodelError */
export async function runSend(
  to: string,
  messages: readonly string[],
  flags: Readonly<Record<string, unknown>>,
): Promise<number> {
  const address = withSsl(readAddress(to, undefined), flags);
  const framing = parseFraming(String(flags.framing));
  const settings = messageSettings(
    { ...flags, lockstep: true },
    {
      address,
      framing,
      tls: readTlsFlags(flags, address),
      count: messages.length,
      connectTimeoutMs: flags.connectTimeout as number,
      waitMs: flags.timeout as number,
      shutdown: true,
      recording: undefined,
    },
  );
  // Encoded before it connects: what cannot be sent is known without a server.
  const frames = messages.map((message) => encode(framing, message));
  return await exchange(settings, chunks(frames));
}

async function* chunks(frames: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* frames;
}
