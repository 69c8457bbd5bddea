/**
 * The words that fit at each place of the command line, derived from the commander program, for the completion scripts.
 *
 * The names in the usage decide: an option `--cacert <file>` takes a file because its value is called `file`, and an
 * argument `[address]` takes saved contexts. So a new command or flag is completed without a change here.
 */
import type { Argument, Command, Option } from 'commander';
import { framingKinds } from '../../framing/notation.ts';
import { handlersByName } from '../../handlers/handlers.ts';
import { withCommandsBelow } from '../commands.ts';
import { topicNames } from '../help/topic-names.ts';

/** The proposals for one place. If all is empty, it takes a value that cannot be proposed. */
export interface Proposals {
  readonly words: readonly string[];
  /** What the shell finds itself; `addresses` are saved contexts with their `@`. */
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
  readonly value: Proposals | undefined;
}

/** A command, and the words that can follow it. */
export interface CommandWords {
  /** Without `yodel`: `config check`; empty for yodel itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly flags: readonly FlagWords[];
  /** By position. */
  readonly arguments: readonly (Proposals & { readonly name: string })[];
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
      ...argumentProposals(argument, program),
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
    value: option.required || option.optional ? optionProposals(option, program) : undefined,
  }));
}

function optionProposals(option: Option, program: Command): Proposals {
  const [, name = ''] = /[<[]([^>\]]*)[>\]]/.exec(option.flags) ?? [];
  if (option.argChoices) return { words: option.argChoices };
  // The address of an option is one to listen on, which a context is not.
  return name === 'address' ? { words: [] } : proposalsFor(name.replace(/\.\.\.$/, ''), program);
}

function argumentProposals(argument: Argument, program: Command): Proposals {
  return argument.argChoices ? { words: argument.argChoices } : proposalsFor(argument.name(), program);
}

/** The proposals for a value, by its name in the usage. */
function proposalsFor(name: string, program: Command): Proposals {
  switch (name) {
    case 'file':
    case 'files':
      return { words: [], found: 'files' };
    case 'folder':
    case 'dir':
      return { words: [], found: 'folders' };
    case 'context':
      return { words: [], found: 'contexts' };
    case 'address':
      return { words: [], found: 'addresses' };
    case 'handler':
      return { words: Object.keys(handlersByName), found: 'files' };
    case 'framing':
      // Only the fixed part: delimiter:BYTES is proposed as `delimiter:`.
      return { words: framingKinds.map(([form]) => form.replace(/[[A-Z].*$/, '')) };
    case 'topic':
      return { words: [...program.commands.map((command) => command.name()), ...topicNames] };
    default:
      return { words: /^\w+(\|\w+)+$/.test(name) ? name.split('|') : [] };
  }
}
