/** The flags of `yodel serve`. What it does is in `serve.ts`, loaded only when it runs. */
import { availableParallelism } from 'node:os';
import { Command, InvalidArgumentError, Option } from 'commander';
import { framingForms } from '../../framing/notation.ts';
import { serverOptions, sessionOptions } from '../../options.ts';
import { addTable, envName, oneMore } from '../flags.ts';
import { addServerTlsFlags } from '../tls-flags.ts';
import { addHandlerFlags, withSeed } from './handler-flags.ts';
import { addJournalFlags } from './journal-flags.ts';
import type { ServeSettings } from './settings.ts';

const examples = `Examples:
  yodel serve                                      echo on 127.0.0.1:7878
  yodel serve ./handler.ts --listen 9000           your own handler, on port 9000
  yodel serve --listen :0 --listen unix:///tmp/y   a free port and a Unix socket
  yodel serve --max-message 512 --rate 1/s         short messages, one a second
  yodel serve --framing length:4 --json            binary messages, logged as JSON
  yodel serve --listen tls://:0 --tls-self-signed  encrypted, with a certificate for a try
  yodel serve --listen :7878 --listen ws://:8080   for browsers too
  yodel serve ./handler.ts --workers auto          a process for each processor core
  yodel serve ./handler.ts --watch                 loaded again whenever you save it
  yodel serve --journal messages.journal           each message on the disk before its reply
  yodel serve exec:'sed -u s/a/b/'                 a program answers
  yodel serve proxy:127.0.0.1:6379 --delay 50ms    another server answers, but later
`;

/** `yodel serve`. */
export function serveCommand(): Command {
  const command = new Command('serve')
    .summary('serve clients: echo, or a handler of your own')
    .description(
      'Serves any number of clients: takes their messages, prints them, and answers.\n' +
        'SIGTERM or Ctrl-C answers what has arrived and ends with status 0; a second one ends at once.',
    )
    .argument(
      '[handler]',
      'echo, discard, time, chargen, exec:COMMAND, proxy:ADDRESS, a TypeScript or JavaScript file that default-exports a handler, or a transcript (default: echo)',
    )
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--config <file>', 'settings from a file, TOML or JSON; flags and environment go over it').env(
        envName('config'),
      ),
    )
    // Only so that a file can name it.
    .addOption(new Option('--handler <handler>').hideHelp())
    .addOption(
      new Option('--listen <address>', 'where to listen; may be given several times (default: tcp://127.0.0.1:7878)')
        .argParser(oneMore)
        .env('YODEL_LISTEN'),
    )
    .addOption(
      new Option('--framing <framing>', `${framingForms} (default: lines, or that of a transcript)`).env(
        'YODEL_FRAMING',
      ),
    )
    .option('--lenient', 'serve a transcript to clients that keep to no order, and say things again')
    .addOption(
      new Option('--record <folder>', 'write a transcript of each connection into this folder').env(envName('record')),
    )
    .addOption(
      new Option('--encoding <encoding>', 'utf8 checks messages, binary takes any bytes (default: as the framing)')
        .choices(['utf8', 'binary'])
        .env('YODEL_ENCODING'),
    )
    .addOption(
      new Option('--workers <number>', 'processes that share the work: a number, or auto for one a processor core')
        .argParser(readWorkers)
        .env(envName('workers'))
        .default(1),
    )
    .optionsGroup('Output:')
    .option('--quiet', 'print no connections and messages, only where it listens and what goes wrong')
    .addOption(
      new Option('--log-format <format>', 'how it is printed; auto: text on a terminal, else JSON')
        .choices(['auto', 'text', 'json'])
        .env(envName('log-format'))
        .default('auto'),
    )
    .option('--json', 'print one JSON object a line: the same as --log-format json')
    .addOption(
      new Option('--log-level <level>', 'how grave a line must be to be printed')
        .choices(['info', 'warn', 'error'])
        .env(envName('log-level'))
        .default('info'),
    )
    .option('--no-messages', 'print connections, but not their messages')
    .addOption(
      new Option('--metrics <address>', 'answer /metrics (Prometheus), /healthz and /readyz there by HTTP: :9100').env(
        envName('metrics'),
      ),
    )
    .action(async (_handler, _flags, command: Command) => {
      const { runServe } = await import('./run.ts');
      await applyConfigOf(command);
      // As the command line, the environment and the file are then.
      const words = command.parent?.args.slice(1) ?? [];
      const reread = async () => settingsOf(await parseServe(words));
      await runServe(settingsOf(command), reread);
    });
  addHandlerFlags(command);
  addServerTlsFlags(command);
  addAdmissionFlags(command);
  addJournalFlags(command);
  addTable(command, 'Limits of a connection:', sessionOptions);
  addTable(command, 'Limits of the server:', serverOptions);
  return command;
}

/** Who may connect. */
function addAdmissionFlags(command: Command): void {
  const list = (value: string, previous: string[] | undefined) => [...(previous ?? []), ...splitList(value)];
  const option = (flag: string, form: string, text: string) =>
    new Option(`--${flag} <${form}>`, text).argParser(list).env(envName(flag));
  command
    .optionsGroup('Who may connect:')
    .addOption(option('allow', 'networks', 'only these: 10.0.0.0/8,2001:db8::/32,192.0.2.7 (default: all)'))
    .addOption(option('deny', 'networks', 'not these, also when they are allowed (default: none)'))
    .addOption(
      option(
        'proxy-protocol',
        'networks',
        'load balancers whose connections begin with a PROXY header, version 1 or 2',
      ),
    )
    .addOption(option('origin', 'origins', 'web pages that may connect by WebSocket: https://app.example.org, or *'));
}

/** More than any machine has cores for: a slip of the finger should not start ten thousand processes. */
const mostWorkers = 256;

function readWorkers(text: string): number {
  if (text === 'auto') return Math.min(mostWorkers, availableParallelism());
  const count = /^\d{1,3}$/.test(text) ? Number(text) : 0;
  if (count >= 1 && count <= mostWorkers) return count;
  throw new InvalidArgumentError(`It takes a number from 1 to ${mostWorkers}, or auto.`);
}

function splitList(text: string): string[] {
  return text.split(/[\s,]+/).filter(Boolean);
}

/**
 * The command with what these words, the environment and the file of settings say, without serving.
 *
 * @param file in place of the one that they name
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
}

/** What a parsed command asks for. */
export function settingsOf(command: Command): ServeSettings {
  const flags = withSeed(command.opts());
  const listen = flags.listen as string[] | undefined;
  const fromEnv = command.getOptionValueSource('listen') === 'env';
  return {
    handler: command.args[0] ?? String(flags.handler ?? 'echo'),
    flags: { ...flags, listen: fromEnv ? splitAddresses(listen) : listen, logFormat: logFormatOf(command) },
  };
}

/** `--json` and `--log-format` say the same thing: the one that comes from nearer counts, and on the same line `--json`. */
function logFormatOf(command: Command): unknown {
  const nearness = (name: string) => ['config', 'env', 'cli'].indexOf(command.getOptionValueSource(name) ?? '');
  const saysJson = command.getOptionValue('json') === true && nearness('json') >= nearness('logFormat');
  return saysJson ? 'json' : command.getOptionValue('logFormat');
}

/** The environment has one text for all addresses; an empty one is as good as none. */
function splitAddresses(listen: readonly string[] = []): string[] | undefined {
  const addresses = listen.flatMap(splitList);
  return addresses.length > 0 ? addresses : undefined;
}
