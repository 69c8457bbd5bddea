/** The whole command line: what `main.ts` runs and what the reference is made from. */
import { Command } from 'commander';
import { benchCommand } from './bench-command.ts';
import { configCommand } from './config-command.ts';
import { connectCommand } from './connect-command.ts';
import { serveCommand } from './serve-command.ts';
import { version } from './version.ts';

const examples = `Examples:
  yodel serve                          an echo server on 127.0.0.1:7878
  yodel connect                        talk to it; Ctrl-D ends
  yodel serve ./handler.ts             your own server: export default (message) => message.text
  yodel connect HOST:PORT < questions  send lines, print the replies
  yodel bench HOST:PORT                measure what a server holds
  yodel config check yodel.toml        look at settings without serving
`;

/** `yodel` with all its commands. */
export function createProgram(): Command {
  const program = new Command('yodel')
    .description('Messages over TCP: a server and a client that keep them whole.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .addHelpText('beforeAll', ({ command }) => (command.parent ? '' : examples))
    .addCommand(serveCommand())
    .addCommand(connectCommand())
    .addCommand(benchCommand())
    .addCommand(configCommand());
  for (const command of allCommands(program)) {
    command
      .exitOverride()
      .configureOutput({ outputError: () => undefined })
      .configureHelp({ helpWidth: Math.min(process.stdout.columns ?? 100, 100) });
  }
  return program;
}

/** The program itself, its commands, and theirs. */
export function allCommands(program: Command): Command[] {
  return [program, ...program.commands, ...program.commands.flatMap(({ commands }) => commands)];
}
