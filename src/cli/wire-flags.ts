/**
 * The flags that say how messages are written on the wire, which all commands share: `--framing`, `--reply-framing` and
 * `--protocol`. `wire.ts` reads them.
 */
import { type Command, Option } from 'commander';
import { framingHelp } from '../framing/notation.ts';
import { envName } from './flags.ts';

/** The flags as commander parses them. */
export interface WireFlags {
  readonly framing?: unknown;
  readonly replyFraming?: unknown;
  readonly protocol?: unknown;
  readonly encoding?: unknown;
}

/** Their names in commander. */
export const wireFlagNames = ['framing', 'replyFraming', 'protocol'] as const;

/** Adds the flags to a command that reads recordings, which say their own framings: the environment does not replace them. */
export function addRecordedWireFlags(command: Command): void {
  for (const option of wireOptions('those of the recording')) {
    delete option.envVar;
    command.addOption(option);
  }
}

/** Adds the flags to a command. @param defaultText what is used without them */
export function addWireFlags(command: Command, defaultText = 'lines'): void {
  command.hook('preAction', (_command, action) => applyPrecedence(action));
  for (const option of wireOptions(defaultText)) command.addOption(option);
}

function wireOptions(defaultText: string): Option[] {
  const about = {
    framing: `${framingHelp} (default: ${defaultText})`,
    'reply-framing': 'the framing of what the server sends (default: the same)',
    protocol: 'the framings of a protocol such as smtp, instead of --framing; see yodel help protocols; or a file',
  };
  return Object.entries(about).map(([name, text]) => {
    const value = name === 'protocol' ? 'protocol' : 'framing';
    return new Option(`--${name} <${value}>`, text).env(envName(name));
  });
}

/** The sources of values, the weakest first. */
const sources = ['default', 'config', 'env', 'cli'];

/**
 * Where both a protocol and framings are set, drops those whose source is weaker: a flag overrides the environment, which
 * overrides a file. If their sources are the same, {@link readWire} refuses them.
 */
export function applyPrecedence(command: Command): void {
  const strength = (name: string) =>
    command.getOptionValue(name) === undefined ? -1 : sources.indexOf(command.getOptionValueSource(name) ?? '');
  const ofProtocol = strength('protocol');
  const framings = ['framing', 'replyFraming'].filter((name) => strength(name) >= 0);
  const ofFramings = Math.max(-1, ...framings.map(strength));
  if (ofProtocol < 0 || ofFramings < 0 || ofProtocol === ofFramings) return;
  for (const name of ofProtocol > ofFramings ? framings : ['protocol']) command.setOptionValue(name, undefined);
}

/** Whether any of the flags is given. */
export function hasWireFlags(flags: WireFlags): boolean {
  return wireFlagNames.some((name) => flags[name] !== undefined);
}
