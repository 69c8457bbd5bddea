/** A command line, from its words to its exit status. */
import { type Command, CommanderError } from 'commander';
import { escapeText } from '../terminal/escape.ts';
import { commandNeeded } from './command-loaders.ts';
import { commandAt, fullName } from './commands.ts';
import { exitStatus, report, statusOf } from './fail.ts';
import { createProgram } from './program.ts';
import { warnOfUnknownVariables } from './variables.ts';

/** Runs the command line with these words after `yodel`, reports its error if it fails, and sets the exit status. */
export async function runCommandLine(words: readonly string[]): Promise<void> {
  const needed = commandNeeded(words);
  const program = await createProgram(needed === undefined ? undefined : [needed]);
  await warnOfUnknownVariables(program, process.env);
  try {
    await program.parseAsync(words, { from: 'user' });
  } catch (error) {
    process.exitCode = reportFailure(error, program);
  }
}

/** Reports an error on stderr and returns its exit status. */
function reportFailure(error: unknown, program: Command): number {
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
