/** A command line, from its words to its exit status. */
import { type Command, CommanderError } from 'commander';
import { escapeText } from '../terminal/escape.ts';
import { commandAt, fullName } from './commands.ts';
import { exitStatus, report, statusOf } from './fail.ts';
import { createProgram } from './program.ts';
import { warnOfUnknownVariables } from './variables.ts';

/** Runs what the words behind `yodel` say, and says how it failed, if it did. Sets the exit status. */
export async function runCommandLine(words: readonly string[]): Promise<void> {
  const program = createProgram();
  warnOfUnknownVariables(program, process.env);
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    process.exitCode = meet(error, program);
  }
}

/** Says what went wrong and gives the exit status for it. */
function meet(error: unknown, program: Command): number {
  if (!(error instanceof CommanderError)) {
    report(error);
    return statusOf(error);
  }
  if (error.exitCode === 0) return exitStatus.good;
  if (error.code === 'commander.help') return exitStatus.usage;
  const text = escapeText(error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  const help = `${fullName(commandAt(program, program.args))} --help`;
  process.stderr.write(`yodel: ${text}${text.endsWith(')') || text.endsWith('.') ? '' : '.'} See: ${help}\n`);
  return exitStatus.usage;
}
