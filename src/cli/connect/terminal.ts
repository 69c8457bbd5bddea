/** `yodel connect` by hand. */

import { exitStatus, report } from '../fail.ts';
import { Conversation } from './conversation.ts';
import type { ConnectSettings } from './settings.ts';

/** Talks until the user or the server ends. Resolves with the exit status. */
export async function talk(settings: ConnectSettings): Promise<number> {
  const { status, error } = await new Conversation(settings).run();
  if (!error) return status;
  report(error);
  return exitStatus.failure;
}
