/** Runs `yodel send`. */
import { encode } from '../../framing/framing.ts';
import { exchange } from '../connect/exchange.ts';
import { messageSettings } from '../connect/run.ts';
import { readTarget } from '../connect/target.ts';
import { UsageError } from '../fail.ts';
import { readTlsFlags } from '../tls-flags.ts';
import { readWire } from '../wire.ts';

/** Resolves with the exit status. @throws UsageError, YodelError */
export async function runSend(
  to: string,
  messages: readonly string[],
  flags: Readonly<Record<string, unknown>>,
): Promise<number> {
  const address = readTarget('send', to, undefined, flags);
  const { protocol } = await readWire(flags);
  const { framing } = protocol;
  const settings = messageSettings(
    { ...flags, lockstep: true },
    {
      address,
      protocol: { ...protocol, encoding: 'binary' },
      tls: readTlsFlags(flags, address),
      count: messages.length,
      connectTimeoutMs: flags.connectTimeout as number,
      waitMs: flags.timeout as number,
      shutdown: true,
      beginRecording: undefined,
    },
  );
  // Encoded before connecting, so that a message that cannot be sent is reported without a server.
  const frames = messages.map((message) => encode(framing, message));
  if (frames.some(({ length }) => length === 0)) {
    throw new UsageError(
      `an empty message cannot be sent with the framing "${framing.name}": it has no bytes on the wire`,
    );
  }
  return await exchange(settings, chunks(frames));
}

async function* chunks(frames: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* frames;
}
