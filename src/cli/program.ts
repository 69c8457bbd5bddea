/** The command line as a commander program, which `main.ts` runs, and from which help, reference and completion scripts are generated. */
import { Command } from 'commander';
import { commandLoaders } from './command-loaders.ts';
import { withCommandsBelow } from './commands.ts';
import { topicList } from './help/topic-names.ts';
import { writeHelp } from './output.ts';
import { version } from './version.ts';

const examples = `Examples:
  yodel serve                          an echo server on 127.0.0.1:7878
  yodel connect                        talk to it; Ctrl-D ends
  yodel serve ./handler.ts             your own server: export default (message) => message.text
  yodel connect HOST:PORT < questions  send lines, print the replies
  yodel bench HOST:PORT                load-test a server
  yodel check talk.transcript :7878    test a server against a transcript
  yodel journal cat messages.journal   print what \`yodel serve --journal\` recorded
  yodel replay messages.journal :7878  replay the recorded clients against a server
  yodel bus check redis://HOST:PORT    check what several servers share their rooms through
  yodel config check yodel.toml        check settings without serving
  yodel context save prod HOST:PORT    save an address: yodel connect @prod
  yodel help framing                   read about framings
`;

/** The columns at which help is wrapped, unless the terminal is narrower. */
export const helpWidth = 100;

/** `yodel` with these commands. Default: all of them. */
export async function createProgram(names: readonly string[] = Object.keys(commandLoaders)): Promise<Command> {
  const commands = await Promise.all(names.map((name) => commandLoaders[name]?.()));
  const program = new Command('yodel')
    .description('Messages over TCP: a server and a client that keep them whole.')
    .version(version, '-V, --version', 'show the version')
    .helpOption('-h, --help', 'show this help')
    .option('--no-color', 'no colours, as with NO_COLOR in the environment')
    .helpCommand(false)
    .addHelpText('beforeAll', ({ command }) => (command.parent ? '' : examples))
    .addHelpText('after', topicList())
    .hook('preAction', async (_program, command) => {
      if (program.getOptionValue('color') === false) process.env.NO_COLOR = '1';
      await useContextOf(command);
    });
  for (const command of commands) if (command) program.addCommand(command);
  const width = Math.min(process.stdout.columns || helpWidth, helpWidth);
  for (const command of withCommandsBelow(program)) {
    command
      .exitOverride()
      .configureOutput({ outputError: () => undefined, writeOut: writeHelp })
      .configureHelp({ helpWidth: width, showGlobalOptions: true });
  }
  return program;
}

/** Replaces `@NAME` by the saved address and flags. The code for contexts is loaded only if the command names one. */
async function useContextOf(command: Command): Promise<void> {
  const place = command.registeredArguments.findIndex((argument) => argument.name() === 'address');
  if (place === -1) return;
  const given = command.processedArgs[place] as string | undefined;
  if (!given?.startsWith('@') && command.getOptionValue('context') === undefined) return;
  await (await import('./context/use-context.ts')).useContext(command);
}
