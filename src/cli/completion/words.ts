/**
 * What may stand where on the command line, read from the commander program, for the scripts of the shells.
 *
 * The names in the usage are the vocabulary: an option `--cacert <file>` takes a file because its value is called `file`, an
 * argument `[address]` takes saved contexts. So a new command or flag is completed without a word here.
 */
import type { Argument, Command, Option } from 'commander';
import { framingKinds } from '../../framing/notation.ts';
import { handlersByName } from '../../handlers/handlers.ts';
import { withCommandsBelow } from '../commands.ts';
import { topicNames } from '../help/topic-names.ts';

/** What may stand at one place. All of it empty: anything, which cannot be guessed. */
export interface Proposals {
  readonly words: readonly string[];
  /** What the shell finds itself, with what is to be found: `addresses` are saved contexts with their `@`. */
  readonly found?: 'files' | 'folders' | 'contexts' | 'addresses';
}

/** A flag of a command. */
export interface FlagWords {
  /** `--connect-timeout`. */
  readonly long: string | undefined;
  /** `-w`. */
  readonly short: string | undefined;
  readonly summary: string;
  /** Undefined when it takes no value. */
  readonly value: Proposals | undefined;
}

/** A command, with what may stand behind it. */
export interface CommandWords {
  /** Without `yodel`: `config check`; empty for yodel itself. */
  readonly path: string;
  readonly commands: readonly { readonly name: string; readonly summary: string }[];
  readonly flags: readonly FlagWords[];
  /** By place. */
  readonly arguments: readonly (Proposals & { readonly name: string })[];
  /** Whether the last argument may be repeated. */
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

/** With those of yodel itself, which may stand anywhere. */
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
  // An option's address is one to listen at, which no context is.
  return name === 'address' ? { words: [] } : proposalsFor(name.replace(/\.\.\.$/, ''), program);
}

function argumentProposals(argument: Argument, program: Command): Proposals {
  return argument.argChoices ? { words: argument.argChoices } : proposalsFor(argument.name(), program);
}

/** By the name of a value in the usage. */
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
      // As far as they are words: delimiter:BYTES goes on as the user likes.
      return { words: framingKinds.map(([form]) => form.replace(/[[A-Z].*$/, '')) };
    case 'topic':
      return { words: [...program.commands.map((command) => command.name()), ...topicNames] };
    default:
      return { words: /^\w+(\|\w+)+$/.test(name) ? name.split('|') : [] };
  }
}
