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
    process.exitCode = await reportFailure(error, program, words);
  }
}

/** Reports an error on stderr and returns its exit status. */
async function reportFailure(error: unknown, program: Command, words: readonly string[]): Promise<number> {
  if (!(error instanceof CommanderError)) {
    report(error);
    return statusOf(error);
  }
  if (error.exitCode === 0) return exitStatus.good;
  if (error.code === 'commander.help') return exitStatus.usage;
  const command = commandAt(program, program.args);
  const advice = await adviceFor(error, words, command === program ? undefined : command.name());
  const text = escapeText(advice ?? error.message.replace(/^error: /, '').replaceAll('\n', ' '));
  const help = `${fullName(command)} --help`;
  process.stderr.write(`yodel: ${text}${/[).?]$/.test(text) ? '' : '.'} See: ${help}\n`);
  return exitStatus.usage;
}

/** What to write instead of a command line of netcat. */
async function adviceFor(
  { code, message }: CommanderError,
  words: readonly string[],
  command: string | undefined,
): Promise<string | undefined> {
  // -4 and -6 are taken for numbers, which are arguments.
  const digit = code === 'commander.excessArguments' ? words.find((word) => /^-[46]$/.test(word)) : undefined;
  const isOption = code === 'commander.unknownOption' || digit !== undefined;
  if (!isOption && code !== 'commander.unknownCommand') return undefined;
  const unknown = digit ?? /^error: unknown (?:option|command) '([^']*)'/.exec(message)?.[1] ?? '';
  const { addressAdvice, netcatAdvice } = await import('./netcat.ts');
  const advice = isOption ? netcatAdvice(unknown, words, command) : addressAdvice(words);
  const what = isOption ? `unknown option '${unknown}'` : `"${unknown}" is not a command. To connect, write`;
  return advice && `${what}: ${advice}`;
}
