/** The flags of commands that record transcripts, and what they mean for the file. */
import { statSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type RecordedTimes, recordedTimes } from '../transcript/record/times.ts';
import { UsageError } from './fail.ts';
import { checkWritable } from './files.ts';
import { envName } from './flags.ts';

/** Adds `--record` and what belongs to it. */
export function addRecordFlags(command: Command, form: string, description: string): void {
  command
    .addOption(new Option(`--record <${form}>`, description).env(envName('record')))
    .addOption(
      new Option('--record-times <form>', 'record times as comments, as @wait lines that are played too, or not at all')
        .choices(recordedTimes)
        .env(envName('record-times'))
        .default('comments'),
    )
    .addOption(new Option('--record-overwrite', 'replace the file of --record if it exists'));
}

/** How a transcript is written. */
export interface RecordSettings {
  readonly times: RecordedTimes;
  /** Whether an existing file is replaced. */
  readonly overwrite: boolean;
}

/** The settings of these flags. */
export function recordSettings(flags: Readonly<Record<string, unknown>>): RecordSettings {
  return { times: flags.recordTimes as RecordedTimes, overwrite: flags.recordOverwrite === true };
}

/** Checks that a transcript can be written into a file, and that nothing is lost by that. @throws UsageError */
export function checkRecordable(file: string, { overwrite }: RecordSettings): void {
  checkWritable(file);
  if (overwrite || !hasContent(file)) return;
  throw new UsageError(`${file} exists; choose another file for --record, or add --record-overwrite to replace it`);
}

/** Whether something would be lost. Nothing can be lost in a device or an empty file. */
function hasContent(file: string): boolean {
  const found = statSync(file, { throwIfNoEntry: false });
  return found?.isFile() === true && found.size > 0;
}
