/** The whole command line: what `main.ts` runs and what the reference is made from. */
import { Command } from 'commander';
import { benchCommand } from './bench/command.ts';
import { checkCommand } from './check/command.ts';
import { withCommandsBelow } from './commands.ts';
import { completionCommand } from './completion/command.ts';
import { configCommand } from './config/command.ts';
import { connectCommand } from './connect/command.ts';
import { contextCommand } from './context/command.ts';
import { helpCommand, topicList } from './help/command.ts';
import { journalCommand } from './journal/command.ts';
import { writeHelp } from './output.ts';
import { replayCommand } from './replay/command.ts';
import { sendCommand } from './send/command.ts';
import { serveCommand } from './serve/command.ts';
import { version } from './version.ts';

const examples = `Examples:
  yodel serve                          an echo server on 127.0.0.1:7878
  yodel connect                        talk to it; Ctrl-D ends
  yodel serve ./handler.ts             your own server: export default (message) => message.text
  yodel connect HOST:PORT < questions  send lines, print the replies
  yodel bench HOST:PORT                measure what a server holds
  yodel check talk.transcript :7878    does a server answer as the file says?
  yodel journal cat messages.journal   what \`yodel serve --journal\` has recorded
  yodel replay messages.journal :7878  the recorded clients again, against a server
  yodel config check yodel.toml        look at settings without serving
  yodel context save prod HOST:PORT    a name for it: yodel connect @prod
  yodel help framing                   what there is to know of framings
`;

/** `yodel` with all its commands. */
export function createProgram(): Command {
  const program = new Command('yodel')
    .description('Messages over TCP: a server and a client that keep them whole.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .option('--no-color', 'no colours, as with NO_COLOR in the environment')
    .helpCommand(false)
    .addHelpText('beforeAll', ({ command }) => (command.parent ? '' : examples))
    .addCommand(serveCommand())
    .addCommand(connectCommand())
    .addCommand(sendCommand())
    .addCommand(benchCommand())
    .addCommand(checkCommand())
    .addCommand(journalCommand())
    .addCommand(replayCommand())
    .addCommand(configCommand())
    .addCommand(contextCommand())
    .addCommand(completionCommand())
    .addCommand(helpCommand())
    .addHelpText('after', topicList())
    .hook('preAction', async (_program, command) => {
      if (program.getOptionValue('color') === false) process.env.NO_COLOR = '1';
      if (command.registeredArguments.some((argument) => argument.name() === 'address')) {
        await (await import('./context/use-context.ts')).useContext(command);
      }
    });
  for (const command of withCommandsBelow(program)) {
    command
      .exitOverride()
      .configureOutput({ outputError: () => undefined, writeOut: writeHelp })
      .configureHelp({ helpWidth: Math.min(process.stdout.columns || 100, 100), showGlobalOptions: true });
  }
  return program;
}
