/** `yodel connect` on a terminal. */
import { exitStatus, report } from '../../fail.ts';
import { printLines, refusedLines } from '../handshake.ts';
import type { ConnectSettings } from '../settings.ts';
import { Conversation } from './conversation.ts';

/** Runs a conversation until the user or the server ends it. Resolves with the exit status. */
export async function talk(settings: ConnectSettings): Promise<number> {
  const { status, error } = await new Conversation(settings).run().catch(async (reason: unknown) => {
    if (settings.verbose) printLines(await refusedLines(reason, settings));
    throw reason;
  });
  if (!error) return status;
  report(error);
  return exitStatus.failure;
}
