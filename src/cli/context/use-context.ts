/**
 * The one place where `@NAME` becomes an address and flags: it runs before the action of every command that has an argument
 * called `address`, so that a new command need not know of contexts. An option `--context` names one where no address is
 * given; a command without that option has no default but its own.
 */
import type { Command } from 'commander';
import { applySettings, hasSetting } from '../config/config.ts';
import { connectCommand } from '../connect/command.ts';
import { UsageError } from '../fail.ts';
import { contextNames, contextPath, readContext } from './contexts.ts';

/** The argument that takes an address or `@NAME`, by its name in the usage. */
export const addressArgument = 'address';

/**
 * Puts the saved address in the place of `@NAME`, and its settings where neither flags nor the environment say anything.
 *
 * @throws UsageError
 */
export async function useContext(command: Command): Promise<void> {
  const place = command.registeredArguments.findIndex((argument) => argument.name() === addressArgument);
  if (place === -1) return;
  const name = contextName(command, command.processedArgs[place] as string | undefined);
  if (name === undefined) return;
  const address = await takeContext(command, name);
  command.processedArgs[place] = address;
  command.args[place] = address;
}

/** The address that `@NAME` stands for; any other text as it is. Settings of the context go to the command. @throws UsageError */
export async function resolveAddress(command: Command, text: string): Promise<string> {
  return text.startsWith('@') ? await takeContext(command, text.slice(1)) : text;
}

/** Which context is meant, if one is. */
function contextName(command: Command, given: string | undefined): string | undefined {
  const option = command.getOptionValue('context') as string | undefined;
  if (given === undefined) return option?.replace(/^@/, '') || undefined;
  if (option !== undefined && command.getOptionValueSource('context') === 'cli') {
    throw new UsageError(`there are two addresses: "${given}", and that of --context ${option}`);
  }
  return given.startsWith('@') ? given.slice(1) : undefined;
}

async function takeContext(command: Command, name: string): Promise<string> {
  if (name === '')
    throw new UsageError(`"@" needs the name of a context. Saved are: ${contextNames().join(', ') || 'none'}`);
  const { address, ...settings } = await readContext(name);
  // What is saved for `yodel connect` and is nothing to this command is left out; what is nothing to both is a mistake.
  const connect = connectCommand();
  const isForOthers = (setting: string) => !hasSetting(command, setting) && hasSetting(connect, setting);
  const own = Object.entries(settings).filter(([setting]) => !isForOthers(setting));
  applySettings(command, contextPath(name), Object.fromEntries(own));
  return address;
}
