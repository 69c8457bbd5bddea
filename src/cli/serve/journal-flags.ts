/** The flags of `yodel serve` about its journal. */
import { type Command, Option } from 'commander';
import type { OptionSpec } from '../../option-values.ts';
import { journalOptions } from '../../options.ts';
import { addTable, envName, tableValues } from '../flags.ts';

/** The journal's limits by their names among the settings of a server: `maxSize` is `journalMaxSize`. */
export const journalSettings: Readonly<Record<string, OptionSpec>> = Object.fromEntries(
  Object.entries(journalOptions).map(([name, spec]) => [
    `journal${name.charAt(0).toUpperCase()}${name.slice(1)}`,
    spec,
  ]),
);

/** Adds the flags to a command. */
export function addJournalFlags(command: Command): void {
  addTable(command, 'Journal:', journalSettings);
  command
    .addOption(
      new Option('--journal <file>', 'record each message in this file before it is answered').env(envName('journal')),
    )
    .addOption(
      new Option('--journal-replies', 'record replies too, soon after they are sent').env(envName('journal-replies')),
    );
}

/** The journal's limits among the flags, by their names in the library. */
export function journalLimitsOf(flags: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const given = tableValues(journalSettings, flags);
  const names = Object.keys(journalOptions);
  return Object.fromEntries(Object.keys(journalSettings).map((name, index) => [names[index], given[name]]));
}
