/** The flags of `yodel serve FILE.transcript`. */
import { type Command, InvalidArgumentError } from 'commander';
import type { ServerTls } from '../../../transport/transport.ts';
import { UsageError } from '../../fail.ts';
import { readVariables, variableOption } from '../../transcript-variables.ts';
import { optionOf, quantityOf, quantityOfKind } from './handler-flag.ts';

/** How a transcript is played. */
export interface MockSettings {
  /** Whether messages are accepted in any order, any number of times. */
  readonly lenient: boolean;
  /** Whether it is played once, and the server then ends. */
  readonly once: boolean;
  /** Whether the server ends with a verdict on its clients. */
  readonly verify: boolean;
  /** How many times as fast as recorded times are played; undefined: not at all. */
  readonly pace: number | undefined;
  /** How long clients may do nothing before the server gives up, in milliseconds. 0: no limit. */
  readonly timeoutMs: number;
  /** Reads or makes a certificate for `@starttls`. @throws UsageError */
  readonly certificates: () => Promise<ServerTls>;
  /** Values of names. */
  readonly variables: Readonly<Record<string, string>>;
}

/** Adds the flags. */
export function addMockFlags(command: Command): void {
  command
    .optionsGroup('Transcripts:')
    .option('--lenient', 'accept messages in any order, any number of times')
    .option('--once', 'play the transcript once, then end: status 3 if a client said something else, or not everything')
    .option('--verify', 'the same for any number of times, until the server is stopped')
    .addOption(
      optionOf({
        flags: '--timeout <time>',
        description: 'with --once or --verify: end if clients do nothing for this long (default: off)',
        check: quantityOfKind('duration'),
      }),
    )
    .addOption(
      optionOf({
        flags: '--pace <pace>',
        description: 'wait before the lines of the server as when they were recorded (recorded), or faster: 10x',
        check: parsePace,
      }),
    )
    .addOption(variableOption());
}

/** Reads `recorded`, `2x` or `0.5x`. @throws InvalidArgumentError */
function parsePace(text: string): number {
  if (text === 'recorded') return 1;
  const factor = Number(/^(\d+(?:\.\d+)?)x$/.exec(text)?.[1]);
  if (factor > 0) return factor;
  throw new InvalidArgumentError('It takes recorded, or a factor such as 10x or 0.5x.');
}

/** The flags that only a transcript takes, and how they are written. */
const onlyForTranscripts = { once: '--once', verify: '--verify', timeout: '--timeout', pace: '--pace' } as const;

/** The settings of the flags. @throws UsageError if the handler is no transcript, or they contradict each other */
export function readMockFlags(handler: string, flags: Readonly<Record<string, unknown>>): MockSettings {
  const variables = readVariables(flags.var);
  const isTranscript = handler.endsWith('.transcript');
  if (Object.keys(variables).length > 0 && !isTranscript)
    throw new UsageError(`--var gives the names of a transcript values, and "${handler}" is not one`);
  for (const [name, flag] of Object.entries(onlyForTranscripts))
    if ((flags[name] ?? false) !== false && !isTranscript)
      throw new UsageError(`${flag} is for a transcript, and "${handler}" is not one`);
  const { once = false, verify = false, workers = 1 } = flags;
  if ((once || verify) && Number(workers) > 1)
    throw new UsageError(`--${once ? 'once' : 'verify'} needs one process; omit --workers`);
  if (flags.timeout !== undefined && !once && !verify) throw new UsageError('--timeout needs --once or --verify');
  return {
    lenient: flags.lenient === true,
    once: once === true,
    verify: verify === true,
    pace: flags.pace === undefined ? undefined : parsePace(String(flags.pace)),
    timeoutMs: quantityOf(flags, 'duration', 'timeout') ?? 0,
    certificates: async () => await (await import('../tls/tls.ts')).mockCertificates(flags),
    variables,
  };
}
