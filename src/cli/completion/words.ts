/**
 * The completion candidates for each position of the command line, derived from the commander program, for the completion scripts.
 *
 * The names in the usage decide: an option `--cacert <file>` takes a file because its value is called `file`, and an
 * argument `[address]` takes saved contexts. So a new command or flag is completed without a change here.
 */
import type { Argument, Command, Option } from 'commander';
import { framingKinds } from '../../framing/notation.ts';
import { protocols } from '../../framing/protocols/protocols.ts';
import { handlersByName } from '../../handlers/handlers.ts';
import { withCommandsBelow } from '../commands.ts';
import { topicNames } from '../help/topic-names.ts';

/** The candidates for one position. If both fields are empty, it takes a value that cannot be completed. */
export interface Candidates {
  readonly words: readonly string[];
  /** Candidates that the shell finds itself; `addresses` are saved contexts with their `@`. */
  readonly found?: 'files' | 'folders' | 'contexts' | 'addresses';
}

/** A flag of a command. */
export interface FlagWords {
  /** `--connect-timeout`. */
  readonly long: string | undefined;
  /** `-w`. */
  readonly short: string | undefined;
  readonly summary: string;
  /** Undefined if it takes no value. */
  readonly value: Candidates | undefined;
}

/** A command, and the words that can follow it. */
export interface CommandWords {
  /** Without `yodel`: `config check`; empty for yodel itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly flags: readonly FlagWords[];
  /** By position. */
  readonly arguments: readonly (Candidates & { readonly name: string })[];
  /** Whether the last argument can be repeated. */
  readonly isLastRepeated: boolean;
}

/** All commands, `yodel` itself first. */
export function completionWords(program: Command): CommandWords[] {
  return withCommandsBelow(program).map((command) => ({
    path: pathOf(command),
    commands: command.commands.map((one) => ({ name: one.name(), summary: one.summary() || one.description() })),
    flags: flagsOf(command, program),
    arguments: command.registeredArguments.map((argument) => ({
      name: argument.name(),
      ...argumentCandidates(argument, program),
    })),
    isLastRepeated: command.registeredArguments.at(-1)?.variadic === true,
  }));
}

function pathOf(command: Command): string {
  return command.parent ? `${pathOf(command.parent)} ${command.name()}`.trim() : '';
}

/** The command's flags, and those of yodel itself, which are allowed everywhere. */
function flagsOf(command: Command, program: Command): FlagWords[] {
  const help = command.createHelp();
  const options = [...help.visibleOptions(command), ...(command === program ? [] : program.options)];
  return options.map((option) => ({
    long: option.long,
    short: option.short,
    summary: option.description,
    value: option.required || option.optional ? optionCandidates(option, program) : undefined,
  }));
}

function optionCandidates(option: Option, program: Command): Candidates {
  const [, name = ''] = /[<[]([^>\]]*)[>\]]/.exec(option.flags) ?? [];
  if (option.argChoices) return { words: option.argChoices };
  // The address of an option is one to listen on, so it cannot be a context.
  return name === 'address' ? { words: [] } : candidatesFor(name.replace(/\.\.\.$/, ''), program);
}

function argumentCandidates(argument: Argument, program: Command): Candidates {
  return argument.argChoices ? { words: argument.argChoices } : candidatesFor(argument.name(), program);
}

/** The candidates for a value, by its name in the usage text. */
function candidatesFor(name: string, program: Command): Candidates {
  switch (name) {
    case 'file':
    case 'files':
      return { words: [], found: 'files' };
    case 'directory':
    case 'dir':
      return { words: [], found: 'folders' };
    case 'context':
      return { words: [], found: 'contexts' };
    case 'address':
      return { words: [], found: 'addresses' };
    case 'handler':
      return { words: Object.keys(handlersByName), found: 'files' };
    case 'framing':
      // Only the fixed part: `delimiter:` for delimiter:BYTES.
      return { found: 'files', words: framingKinds.map(({ form }) => form.replace(/[[(A-Z].*$/, '')) };
    case 'protocol':
      return { found: 'files', words: protocols.map((one) => one.name) };
    case 'topic':
      return { words: [...program.commands.map((command) => command.name()), ...topicNames] };
    default:
      return { words: /^\w+(\|\w+)+$/.test(name) ? name.split('|') : [] };
  }
}
