/** Walks over the commands of the command line, and reads what commander keeps of their help. */
import type { Command } from 'commander';

/** The command and all commands below it, in the order of the help. */
export function withCommandsBelow(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withCommandsBelow)];
}

/** As it is typed: `yodel config check`. */
export function fullName(command: Command): string {
  return command.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

/** The command that these words lead to, as far as they are commands. */
export function commandAt(program: Command, words: readonly string[]): Command {
  const [word, ...rest] = words;
  const next = program.commands.find((command) => command.name() === word);
  return next ? commandAt(next, rest) : program;
}

/** The help of a command, in its three parts. */
export interface HelpParts {
  /** Examples, most often. */
  readonly before: string;
  /** What commander makes of description, arguments, options and commands. */
  readonly middle: string;
  /** The rest: exit status, and the like. */
  readonly after: string;
}

/** The help of a command as text, in lines of at most `width` characters. */
export function helpParts(command: Command, width: number): HelpParts {
  let whole = '';
  command.configureHelp({ helpWidth: width }).configureOutput({ writeOut: (part) => (whole += part) });
  const middle = command.helpInformation();
  command.outputHelp();
  const at = whole.indexOf(middle);
  return { before: whole.slice(0, at), middle, after: whole.slice(at + middle.length) };
}
