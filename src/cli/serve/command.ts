/** The flags of `yodel serve`. `run.ts` does the work and is loaded only when the command runs. */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { defaultLogRate } from '../../log/options.ts';
import { processOptions, serveLimits, serverOptions, sessionOptions } from '../../options.ts';
import { addBusFlags, addBusServerFlags } from '../bus-flags.ts';
import { addTable, collect, envName, rateOption } from '../flags.ts';
import { addRecordFlags } from '../record-flags.ts';
import { addServerTlsFlags } from '../tls-flags.ts';
import { addWireFlags, applyPrecedence } from '../wire-flags.ts';
import { withSeed } from './handler/fault-flags.ts';
import { addHandlerFlags } from './handler/flags.ts';
import { addMockFlags } from './handler/mock-flags.ts';
import { addJournalFlags } from './journal-flags.ts';
import type { ServeSettings } from './settings.ts';

const examples = `Examples:
  yodel serve                                      echo on 127.0.0.1:7878
  yodel serve ./handler.ts --listen 9000           your own handler, on port 9000
  yodel serve --listen :0 --listen unix:///tmp/y   a free port and a Unix socket
  yodel serve --max-message 512 --rate 1/s         short messages, one per second
  yodel serve --framing length:4 --json            binary messages, logged as JSON
  yodel serve --listen tls://:0 --tls-self-signed  TLS, with a self-signed certificate for testing
  yodel serve --listen :7878 --listen ws://:8080   browsers too, over WebSocket
  yodel serve chat --room-history 20               rooms in which clients talk to each other
  yodel serve chat --bus redis://127.0.0.1:6379    the same rooms on several servers
  yodel serve ./handler.ts --workers auto          one process per processor core
  yodel serve ./handler.ts --watch                 reload the file whenever it is saved
  yodel serve --journal messages.journal           record each message before its reply
  yodel serve talk.transcript --once               play a server to the client under test
  yodel serve exec:'sed -u s/a/b/'                 let a program answer
  yodel serve proxy:127.0.0.1:6379 --delay 50ms    let another server answer, with a delay
`;

/** `yodel serve`. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('serve clients: echo, or a handler of your own')
    .description(
      'Serves any number of clients: receives their messages, logs them, and replies.\n' +
        'SIGTERM or Ctrl-C answers the messages received so far and exits with status 0; a second one exits at once.',
    )
    .argument(
      '[handler]',
      'echo, discard, time, chargen, chat, exec:COMMAND, proxy:ADDRESS, a TypeScript or JavaScript file that default-exports a handler, or a transcript (default: echo)',
    )
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .action(async (_handler, _flags, command: Command) => {
      const { runServe } = await import('./run.ts');
      await applyConfigOf(command);
      // A reload reads the environment and the file again.
      const words = command.parent?.args.slice(1) ?? [];
      const readAgain = async () => settingsOf(await parseServe(words));
      await runServe(settingsOf(command), readAgain);
    });
  addServingFlags(command);
  addOutputFlags(command);
  addHandlerFlags(command);
  addMockFlags(command);
  addServerTlsFlags(command);
  addAdmissionFlags(command);
  addJournalFlags(command);
  addLimits(command);
  addTable(command, 'Processes:', processOptions);
  return command;
}

/** Adds the limits, those of rooms and of the bus together with what else is about them. */
function addLimits(command: Command): void {
  const isOfRooms = (name: string) => /room|history|join|stored/i.test(name);
  const isOfBus = (name: string) => name.startsWith('bus');
  const isOther = (name: string) => !isOfRooms(name) && !isOfBus(name);
  addTable(command, 'Rooms:', partOf(serveLimits, isOfRooms));
  const several = 'Rooms over several machines:';
  addBusFlags(command.optionsGroup(several));
  addBusServerFlags(command);
  addTable(command, several, partOf(serveLimits, isOfBus));
  addTable(command, 'Limits of a connection:', partOf(sessionOptions, isOther));
  addTable(command, 'Limits of the server:', partOf(serverOptions, isOther));
}

function partOf<Spec>(table: Readonly<Record<string, Spec>>, isIn: (name: string) => boolean): Record<string, Spec> {
  return Object.fromEntries(Object.entries(table).filter(([name]) => isIn(name)));
}

/** Adds the flags for what is served, where, and by how many processes. */
function addServingFlags(command: Command): void {
  command
    .addOption(
      new Option(
        '--config <file>',
        'read settings from this file, TOML or JSON; flags and environment override it',
      ).env(envName('config')),
    )
    // Hidden, because it exists only for settings files.
    .addOption(new Option('--handler <handler>').hideHelp())
    .addOption(
      new Option('--listen <address>', 'listen on this address; can be repeated (default: tcp://127.0.0.1:7878)')
        .argParser(collect)
        .env('YODEL_LISTEN'),
    );
  addWireFlags(command, 'lines, or that of a transcript');
  addRecordFlags(
    command,
    'path',
    'write a transcript of each connection into this directory, or of all into this file, if its name ends with .transcript',
  );
  command
    .addOption(
      new Option(
        '--encoding <encoding>',
        'utf8 validates messages, binary accepts any bytes (default: depends on the framing)',
      )
        .choices(['utf8', 'binary'])
        .env('YODEL_ENCODING'),
    )
    .addOption(
      new Option('--workers <number>', 'number of processes that share the work, or auto for one per processor core')
        .argParser(readWorkers)
        .env(envName('workers'))
        .default(1),
    );
}

/** Adds the flags for the log and the metrics. */
function addOutputFlags(command: Command): void {
  command
    .optionsGroup('Output:')
    .option('--quiet', 'log nothing; print only addresses and errors')
    .addOption(
      new Option('--log-format <format>', 'format of the log; auto: text on a terminal, JSON elsewhere')
        .choices(['auto', 'text', 'json'])
        .env(envName('log-format'))
        .default('auto'),
    )
    .option('--json', 'log one JSON object per line; same as --log-format json')
    .addOption(
      new Option('--log-level <level>', 'minimum severity to log')
        .choices(['info', 'warn', 'error'])
        .env(envName('log-level'))
        .default('info'),
    )
    .option('--no-messages', 'log connections, but not their messages')
    .addOption(
      rateOption(
        '--log-rate <n/s>',
        'lines per second of messages, and as many of everything else; further ones are only counted; 0 or off: no limit',
        defaultLogRate,
      ).env(envName('log-rate')),
    )
    .addOption(
      new Option(
        '--metrics <address>',
        'serve /metrics (Prometheus), /healthz and /readyz over HTTP at this address: :9100',
      ).env(envName('metrics')),
    )
    .addOption(
      new Option(
        '--metrics-host <names>',
        'answer HTTP requests for these host names too; * for any (default: loopback, the address of --metrics, IP addresses unless that is loopback)',
      )
        .argParser((value, previous: string[] | undefined) => [...(previous ?? []), ...splitList(value)])
        .env(envName('metrics-host')),
    );
}

/** Adds the flags for access control. */
function addAdmissionFlags(command: Command): void {
  const list = (value: string, previous: string[] | undefined) => [...(previous ?? []), ...splitList(value)];
  const option = (flag: string, form: string, text: string) =>
    new Option(`--${flag} <${form}>`, text).argParser(list).env(envName(flag));
  command
    .optionsGroup('Access control:')
    .addOption(
      option('allow', 'networks', 'allow only these networks: 10.0.0.0/8,2001:db8::/32,192.0.2.7 (default: all)'),
    )
    .addOption(option('deny', 'networks', 'deny these networks, even if they are allowed (default: none)'))
    .addOption(
      option(
        'proxy-protocol',
        'networks',
        'require a PROXY header, version 1 or 2, from load balancers in these networks',
      ),
    )
    .addOption(
      option('origin', 'origins', 'allow WebSocket connections from these web origins: https://app.example.org, or *'),
    );
}

/** More than enough for any machine: a typo should not start ten thousand processes. */
const maxWorkers = 256;

function readWorkers(text: string): number {
  if (text === 'auto') return Math.min(maxWorkers, availableParallelism());
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= maxWorkers) return count;
  throw new InvalidArgumentError(`It takes a number from 1 to ${maxWorkers}, or auto.`);
}

function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

/**
 * Parses words, environment and settings file as `yodel serve` would, without serving.
 *
 * @param file the settings file, instead of the one that the words or the environment name
 * @throws UsageError, CommanderError
 */
export async function parseServe(words: readonly string[], file?: string): Promise<Command> {
  const command = serveCommand()
    .exitOverride()
    .configureOutput({ outputError: () => undefined })
    .action(() => undefined);
  await command.parseAsync([...words], { from: 'user' });
  if (file !== undefined) command.setOptionValue('config', file);
  await applyConfigOf(command);
  return command;
}

async function applyConfigOf(command: Command): Promise<void> {
  const file = command.getOptionValue('config') as string | undefined;
  if (file !== undefined) await (await import('../config/config.ts')).applyConfig(command, file);
  applyPrecedence(command);
}

/** The settings of a parsed command. */
export function settingsOf(command: Command): ServeSettings {
  const flags = withSeed(command.opts());
  const listen = flags.listen as string[] | undefined;
  const fromEnv = command.getOptionValueSource('listen') === 'env';
  return {
    handler: command.args[0] ?? String(flags.handler ?? 'echo'),
    flags: { ...flags, listen: fromEnv ? splitAddresses(listen) : listen, logFormat: logFormatOf(command) },
  };
}

/** `--json` is short for `--log-format json`. Of the two, the one with the higher precedence counts; if equal, `--json`. */
function logFormatOf(command: Command): unknown {
  const precedence = (name: string) => ['config', 'env', 'cli'].indexOf(command.getOptionValueSource(name) ?? '');
  const isJson = command.getOptionValue('json') === true && precedence('json') >= precedence('logFormat');
  return isJson ? 'json' : command.getOptionValue('logFormat');
}

/** YODEL_LISTEN contains all addresses in one string; if it is empty, it counts as not set. */
function splitAddresses(listen: readonly string[] = []): string[] | undefined {
  const addresses = listen.flatMap(splitList);
  return addresses.length > 0 ? addresses : undefined;
}
