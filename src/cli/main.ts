/** Runs the command line and says how it failed, if it did. */
import { CommanderError } from 'commander';
import { commandAt, fullName } from './commands.ts';
import { exitStatus, neverDone, report, statusOf } from './fail.ts';
import { harmlessText } from './harmless.ts';
import { createProgram } from './program.ts';
import { warnOfUnknownVariables } from './variables.ts';

/** Says what went wrong and gives the exit status for it. */
function meet(error: unknown): number {
  if (!(error instanceof CommanderError)) {
    report(error);
    return statusOf(error);
  }
  if (error.exitCode === 0) return exitStatus.good;
  if (error.code === 'commander.help') return exitStatus.usage;
  const text = harmlessText(error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  const help = `${fullName(commandAt(program, program.args))} --help`;
  process.stderr.write(`yodel: ${text}${text.endsWith(')') || text.endsWith('.') ? '' : '.'} See: ${help}\n`);
  return exitStatus.usage;
}

// Where nobody reads what goes wrong (`2>&1 | head -1`), the exit status still tells.
process.stderr.on('error', () => undefined);
const program = createProgram();
warnOfUnknownVariables(program, process.env);
// Until something has said that all went well: a handler file that waits for what never comes leaves nothing to run.
process.exitCode = exitStatus.failure;
process.once('beforeExit', neverDone);
try {
  await program.parseAsync(process.argv);
} catch (error) {
  process.exitCode = meet(error);
} finally {
  process.off('beforeExit', neverDone);
}
