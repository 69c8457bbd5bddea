/** Runs the command line and says how it failed, if it did. */
import { CommanderError } from 'commander';
import { exitStatus, report, statusOf } from './fail.ts';
import { createProgram } from './program.ts';

/** Says what went wrong and gives the exit status for it. */
function meet(error: unknown): number {
  if (!(error instanceof CommanderError)) {
    report(error);
    return statusOf(error);
  }
  if (error.exitCode === 0) return exitStatus.good;
  if (error.code === 'commander.help') return exitStatus.usage;
  const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  process.stderr.write(`yodel: ${text}${text.endsWith(')') || text.endsWith('.') ? '' : '.'} See: yodel --help\n`);
  return exitStatus.usage;
}

try {
  await createProgram().parseAsync(process.argv);
} catch (error) {
  process.exitCode = meet(error);
}
