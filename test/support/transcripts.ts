/** Recorded transcripts, and checks of servers that play one. */
import { readFileSync } from 'node:fs';
import { serve } from '../../src/server/server.ts';
import { type CheckResult, check } from '../../src/transcript/check.ts';
import { mockServer } from '../../src/transcript/mock/mock.ts';
import type { Transcript } from '../../src/transcript/transcript.ts';

/** The text of a recorded transcript, without its times. */
export function recordedText(file: string): string {
  return readFileSync(file, 'utf8').replace(/^#\+ .*\n/gm, '');
}

/** Checks a transcript against a server that plays the original of it. */
export async function checkAgainstOriginal(original: Transcript, changed: Transcript): Promise<CheckResult> {
  const server = await serve({
    listen: '127.0.0.1:0',
    lingerTimeout: 100,
    handler: mockServer(original),
    protocol: original.protocol,
    encoding: 'binary',
  });
  try {
    return await check(changed, { address: server.addresses[0], timeoutMs: 700, quietMs: 250 });
  } finally {
    await server.close({ timeoutMs: 0 });
  }
}
