/** The command `yodel`: its parts, its help, and how it fails. */
import { Command, CommanderError } from 'commander';
import { connectCommand } from './connect-command.ts';
import { exitStatus, report, statusOf } from './fail.ts';
import { serveCommand } from './serve-command.ts';
import { version } from './version.ts';

const examples = `Examples:
  yodel serve                          an echo server on 127.0.0.1:7878
  yodel connect                        talk to it; Ctrl-D ends
  yodel serve ./handler.ts             your own server: export default (message) => message.text
  yodel connect HOST:PORT < questions  send lines, print the replies
`;

/** Runs the command with these arguments. Sets the exit status. */
async function main(argv: readonly string[]): Promise<void> {
  try {
    await createProgram().parseAsync(argv);
  } catch (error) {
    process.exitCode = meet(error);
  }
}

/** The whole command line, for running it and for its documentation. */
export function createProgram(): Command {
  const program = new Command('yodel')
    .description('Messages over TCP: a server and a client that keep them whole.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('beforeAll', ({ command }) => (command.parent ? '' : examples))
    .addCommand(serveCommand())
    .addCommand(connectCommand());
  for (const command of [program, ...program.commands]) {
    command
      .exitOverride()
      .configureOutput({ outputError: () => undefined })
      .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 100) });
  }
  return program;
}

/** Says what went wrong and gives the exit status for it. */
function meet(error: unknown): number {
  if (!(error instanceof CommanderError)) {
    report(error);
    return statusOf(error);
  }
  if (error.exitCode === 0) return exitStatus.good;
  if (error.code === 'commander.help') return exitStatus.usage;
  const text = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
  process.stderr.write(`yodel: ${text}${text.endsWith(')') || text.endsWith('.') ? '' : '.'} See: yodel --help\n`);
  return exitStatus.usage;
}

await main(process.argv);
