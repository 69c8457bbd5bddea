/** The journal of `yodel serve --journal`. Loaded only when the flag is given. */
import type { Address } from '../../address.ts';
import type { Journal } from '../../journal/journal.ts';
import { openJournal } from '../../journal/sqlite.ts';
import { escapeText } from '../../terminal/escape.ts';
import { journalLimitsOf } from './journal-flags.ts';
import type { Notify } from './outputs.ts';
import type { ServeSettings } from './settings.ts';

/** Opens the journal and reports on stderr when it stops accepting messages. @throws YodelError if it cannot be written */
export async function journalFor(
  { flags }: ServeSettings,
  addresses: readonly Address[],
  notify: Notify,
): Promise<Journal> {
  const file = String(flags.journal);
  const journal = await openJournal(file, {
    ...journalLimitsOf(flags),
    replies: flags.journalReplies === true,
    name: `yodel serve at ${addresses.join(', ')}`,
    onRefusing: (error) => {
      if (error) notify(`${escapeText(error.message)}: messages are refused until this is resolved`);
      else notify(`the journal ${escapeText(file)} accepts messages again`);
    },
  });
  void journal.failed.then((error) =>
    notify(`shutting down, because messages can no longer be recorded: ${escapeText(error.message)}`),
  );
  return journal;
}
