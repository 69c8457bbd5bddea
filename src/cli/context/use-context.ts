/**
 * Replaces `@NAME` by an address and flags, before the action of every command with an argument called `address`: commands
 * need no code for contexts. An option `--context` names the context to use if no address is given.
 */
import type { Command } from 'commander';
import { applySettings, hasSetting } from '../config/config.ts';
import { connectCommand } from '../connect/command.ts';
import { UsageError } from '../fail.ts';
import { contextNames, contextPath, readContext } from './contexts.ts';

/** The name of the argument that takes an address or `@NAME`. */
const addressArgument = 'address';

/**
 * Replaces `@NAME` by the saved address, and applies the saved settings that neither flags nor the environment set.
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

/** Replaces `@NAME` by its address and applies its settings to the command. Any other text is returned. @throws UsageError */
export async function resolveAddress(command: Command, text: string): Promise<string> {
  return text.startsWith('@') ? await takeContext(command, text.slice(1)) : text;
}

/** The name of the context to use, if any. */
function contextName(command: Command, given: string | undefined): string | undefined {
  const option = command.getOptionValue('context') as string | undefined;
  if (given === undefined) return option?.replace(/^@/, '') || undefined;
  if (option !== undefined && command.getOptionValueSource('context') === 'cli') {
    throw new UsageError(`two addresses: "${given}" and --context ${option}; give only one`);
  }
  return given.startsWith('@') ? given.slice(1) : undefined;
}

async function takeContext(command: Command, name: string): Promise<string> {
  if (name === '')
    throw new UsageError(`"@" needs the name of a context. Saved contexts: ${contextNames().join(', ') || 'none'}`);
  const { address, ...settings } = await readContext(name);
  // Settings of `yodel connect` that this command does not have are ignored; settings that neither has are an error.
  const connect = connectCommand();
  const isOnlyForConnect = (setting: string) => !hasSetting(command, setting) && hasSetting(connect, setting);
  const own = Object.entries(settings).filter(([setting]) => !isOnlyForConnect(setting));
  applySettings(command, contextPath(name), Object.fromEntries(own));
  return address;
}
