/** The flags that say what the replies of a server are: `--greeting`, `--error-pattern` and `--no-error-pattern`. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { noErrors } from '../framing/error-pattern.ts';
import type { Protocol } from '../framing/protocol.ts';
import { envName } from './flags.ts';

/** Adds the flags to a command that counts replies. */
export function addReplyFlags(command: Command): void {
  command
    .addOption(
      new Option(
        '--greeting <number>',
        'messages that the server sends first, which are not replies (default: that of the protocol, else 0)',
      )
        .argParser(greetingOf)
        .env(envName('greeting')),
    )
    .addOption(
      new Option(
        '--error-pattern <regex>',
        'replies that report an error; exit with status 3 if there are any (default: that of the protocol, else ^error:)',
      )
        .argParser(patternOf)
        .env(envName('error-pattern')),
    )
    .addOption(new Option('--no-error-pattern', 'no reply is an error'));
}

function greetingOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It takes a number, such as 1, or 0 for none.');
  return Number(text);
}

function patternOf(text: string): RegExp {
  try {
    return new RegExp(text);
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}

/** The protocol with what the flags say about replies. */
export function withReplyFlags(protocol: Protocol, flags: Readonly<Record<string, unknown>>): Protocol {
  const { greeting, errorPattern } = flags as { greeting?: number; errorPattern?: RegExp | boolean };
  const { errorSubject: _, ...others } = protocol;
  const replaced = errorPattern === undefined || errorPattern === true ? undefined : errorPattern || noErrors;
  return {
    ...(replaced ? { ...others, errorPattern: replaced } : protocol),
    ...(greeting !== undefined && { greeting }),
  };
}
