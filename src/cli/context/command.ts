/** `yodel context`: addresses and flags under a name, for `yodel connect @NAME`. */
import { Command, type Option } from 'commander';
import { connectCommand } from '../connect/command.ts';
import { print } from '../output.ts';

const examples = `Examples:
  yodel context save prod tls://example.org:7000 --cacert ca.pem
  yodel context save meter unix:///run/meter.sock --framing length:2
  yodel connect @prod              talk to it
  yodel bench @prod -d 1s          wherever a command takes an address
  yodel context ls                 what is saved
  yodel context show prod          one of them, as it stands in its file
  yodel context rm meter           forget it
`;

/** `yodel context` with its commands. */
export function contextCommand(): Command {
  const context = new Command('context')
    .summary('save addresses and flags under a name')
    .description(
      'Saves addresses with their flags under a name; @NAME stands for them wherever a command takes an address.\n' +
        'Flags and the environment go over what is saved. YODEL_CONTEXT names the one that yodel connect takes when no ' +
        'address is given.',
    )
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false);
  return context
    .addCommand(saveCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(removeCommand());
}

function saveCommand(): Command {
  const command = new Command('save')
    .summary('save an address and flags, in place of what had the name')
    .description(
      'Saves an address and flags of yodel connect. No secret is saved, only the paths of files; the file can be read by ' +
        'nobody else.',
    )
    .argument('<context>', 'the name: letters, digits and . _ -')
    // Not called "address": @NAME is no address that could be saved.
    .argument('<target>', 'the address, as yodel connect takes it')
    .argument('[port]', 'the port, when the address is only a host')
    .addHelpText(
      'before',
      `Examples:
  yodel context save prod tls://example.org:7000 --cacert ca.pem
  yodel context save local localhost 7000 --connect-timeout 1s
`,
    )
    .helpOption('-h, --help', 'show this help');
  for (const option of savedOptions()) command.addOption(option);
  return command.action(
    async (name: string, target: string, port: string | undefined, flags: Record<string, unknown>) => {
      const { saveContext } = await import('./run.ts');
      const given = Object.entries(flags).filter(([flag]) => command.getOptionValueSource(flag) === 'cli');
      await saveContext(name, target, port, Object.fromEntries(given));
      process.exitCode = 0;
    },
  );
}

function listCommand(): Command {
  return new Command('ls')
    .summary('list what is saved')
    .description('Lists all contexts: name, address and flags, one a line.')
    .addHelpText('before', 'Examples:\n  yodel context ls\n  yodel context ls --json\n')
    .helpOption('-h, --help', 'show this help')
    .option('--json', 'print one JSON object a line')
    .action(async (flags: { json?: boolean }) => {
      const { listContexts } = await import('./run.ts');
      await print(await listContexts(flags.json === true));
      process.exitCode = 0;
    });
}

function showCommand(): Command {
  return new Command('show')
    .summary('show one')
    .description('Shows a context as it stands in its file, which may be written by hand as well.')
    .argument('<context>', 'its name')
    .addHelpText('before', 'Examples:\n  yodel context show prod\n  yodel context show prod --json\n')
    .helpOption('-h, --help', 'show this help')
    .option('--json', 'print a JSON object')
    .action(async (name: string, flags: { json?: boolean }) => {
      const { showContext } = await import('./run.ts');
      await print(await showContext(name, flags.json === true));
      process.exitCode = 0;
    });
}

function removeCommand(): Command {
  return new Command('rm')
    .summary('remove one or several')
    .description('Removes contexts.')
    .argument('<context...>', 'their names')
    .addHelpText('before', 'Examples:\n  yodel context rm prod\n')
    .helpOption('-h, --help', 'show this help')
    .action(async (names: readonly string[]) => {
      const { removeContext } = await import('./contexts.ts');
      for (const name of names) removeContext(name);
      process.exitCode = 0;
    });
}

/**
 * The flags of `yodel connect`, to be saved as they were written: checked, but not changed into numbers, and without what
 * the environment or a default would say when nothing was given.
 */
function savedOptions(): Option[] {
  const options = connectCommand().options.filter((option) => !option.hidden && option.attributeName() !== 'context');
  for (const option of options) {
    delete option.envVar;
    delete option.defaultValue;
    delete option.defaultValueDescription;
    const { parseArg } = option;
    if (!parseArg) continue;
    option.argParser((text: string, previous: unknown) => {
      const isOneOfSeveral = Array.isArray(parseArg(text, undefined));
      return isOneOfSeveral ? [...((previous as string[] | undefined) ?? []), text] : text;
    });
  }
  return options;
}
