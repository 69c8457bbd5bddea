/** The input of `yodel publish`, in messages. */
import { fstatSync } from 'node:fs';
import { decodeChunk } from '../../framing/framing.ts';
import type { Message } from '../../framing/message.ts';
import { openConversation } from '../../framing/protocol.ts';
import { ofInput } from '../connect/input.ts';
import { UsageError } from '../fail.ts';
import { readWire } from '../wire.ts';

const decoderOptions = { maxMessageLength: 16_777_216, onTooLong: 'close', encoding: 'binary' } as const;

/** What one chunk of stdin has completed, until the input ends or is stopped. @throws UsageError, YodelError */
export async function portionsOfInput(
  { framing }: { readonly framing?: string },
  stop: AbortSignal,
): Promise<AsyncIterable<readonly Message[]>> {
  // It reads as empty on Node, and fails inside Bun.
  if (fstatSync(0).isDirectory()) throw new UsageError('the input is a directory; use a file or a pipe');
  const { protocol } = await readWire({ framing });
  return portions(openConversation({ ...protocol, encoding: 'binary' }, 'server', decoderOptions).decoder, stop);
}

async function* portions(
  decoder: ReturnType<typeof openConversation>['decoder'],
  stop: AbortSignal,
): AsyncGenerator<readonly Message[]> {
  const input = process.stdin[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  const stopped = new Promise<{ done: true; value: undefined }>((resolve) => {
    stop.addEventListener('abort', () => resolve({ done: true, value: undefined }));
  });
  for (;;) {
    const { done, value } = await Promise.race([input.next(), stopped]);
    if (stop.aborted) return;
    if (done) break;
    for (const batch of decodeChunk(decoder, value)) {
      yield [...batch];
      if (batch.fault) throw ofInput(batch.fault);
    }
  }
  const last = decoder.end();
  yield [...last];
  if (last.fault) throw ofInput(last.fault);
}
