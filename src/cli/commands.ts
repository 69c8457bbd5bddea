/** Walks over the commands of the command line and reads their help from commander. */
import type { Command } from 'commander';

/** A command and all commands below it, in the order of the help. */
export function withCommandsBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withCommandsBelow)];
}

/** The command as typed: `yodel config check`. */
export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** The command that the leading words name; `program` itself if the first is not a command. */
export function commandAt(program: Command, words: readonly string[]): Command {
  const [word, ...rest] = words;
  const next = program.commands.find((command) => command.name() === word);
  return next ? commandAt(next, rest) : program;
}

/** The help of a command in three parts. */
export interface HelpParts {
  /** The examples. */
  readonly before: string;
  /** Usage, description, arguments, options and commands, as commander lays them out. */
  readonly middle: string;
  /** The rest, such as the exit statuses. */
  readonly after: string;
}

/**
 * The help of a command as text.
 *
 * @param width columns that lines are wrapped at
 * @param showGlobalOptions whether the options of `yodel` itself are listed too, as `--help` does
 */
export function helpParts(command: Command, width: number, showGlobalOptions = false): HelpParts {
  let whole = '';
  command
    .configureHelp({ helpWidth: width, showGlobalOptions })
    .configureOutput({ writeOut: (part) => (whole += part) });
  const middle = command.helpInformation();
  command.outputHelp();
  const at = whole.indexOf(middle);
  return { before: whole.slice(0, at), middle, after: whole.slice(at + middle.length) };
}
