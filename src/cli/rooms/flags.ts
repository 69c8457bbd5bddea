/** The flags that `yodel publish` and `yodel subscribe` share. */
import { type Command, Option } from 'commander';
import { framingHelp } from '../../framing/notation.ts';
import type { OptionSpec } from '../../option-values.ts';
import { serverOptions } from '../../options.ts';
import { addBusFlags, type BusFlags } from '../bus-flags.ts';
import { addTable, envName } from '../flags.ts';

/** The flags as commander parses them. */
export interface RoomFlags extends BusFlags {
  readonly bus?: string;
  readonly framing?: string;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
}

/** Those of `yodel publish`. */
export interface PublishFlags extends RoomFlags {
  readonly store?: boolean;
  readonly hex?: boolean;
  readonly positions?: boolean;
  /** In milliseconds. 0: no limit. */
  readonly wait: number;
}

/** Those of `yodel subscribe`. */
export interface SubscribeFlags extends RoomFlags {
  readonly since?: string;
  readonly history?: number;
  readonly strict?: boolean;
  readonly count?: number;
  readonly positions?: boolean;
  readonly json?: boolean;
  readonly busRequired?: boolean;
}

/** `--framing`. @param about what it says here */
export function framingOption(about: string): Option {
  return new Option('--framing <framing>', `${about}: ${framingHelp} (default: lines)`).env(envName('framing'));
}

/** Adds the flags about the bus, and limits. @param limits the names of the options in the library */
export function addRoomFlags(command: Command, limits: readonly (keyof typeof serverOptions)[]): void {
  addBusFlags(command.optionsGroup('Bus:'));
  const table: Record<string, OptionSpec> = Object.fromEntries(limits.map((name) => [name, serverOptions[name]]));
  addTable(command, 'Limits:', table);
}
