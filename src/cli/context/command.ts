/** `yodel context`: named addresses with flags, for `yodel connect @NAME`. */
import { Command, type Option } from 'commander';
import { connectCommand } from '../connect/command.ts';
import { print } from '../output.ts';

const examples = `Examples:
  yodel context save prod tls://example.org:7000 --cacert ca.pem
  yodel context save meter unix:///run/meter.sock --framing length:2
  yodel connect @prod              connect to it
  yodel bench @prod -d 1s          every command that takes an address
  yodel context ls                 list all contexts
  yodel context show prod          show one, in the format of its file
  yodel context rm meter           remove it
`;

/** `yodel context` with its subcommands. */
export function contextCommand(): Command {
  const context = new Command('context')
    .summary('save addresses and flags under a name')
    .description(
      'Saves addresses with their flags under a name. @NAME then works wherever a command takes an address.\n' +
        'Flags and the environment override what is saved. YODEL_CONTEXT names the context that yodel connect uses if no ' +
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
    .summary('save an address and flags, replacing any context of that name')
    .description(
      'Saves an address and flags of yodel connect, in a file that only its owner can read. It contains paths of key ' +
        'files, but no secrets.',
    )
    .argument('<context>', 'the name: letters, digits and . _ -')
    // Not called "address", because @NAME cannot be saved.
    .argument('<target>', 'the address, in any form that yodel connect accepts')
    .argument('[port]', 'the port, if the address is only a host')
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
    .summary('list all contexts')
    .description('Lists all contexts: name, address and flags, one per line.')
    .addHelpText('before', 'Examples:\n  yodel context ls\n  yodel context ls --json\n')
    .helpOption('-h, --help', 'show this help')
    .option('--json', 'print one JSON object per line')
    .action(async (flags: { json?: boolean }) => {
      const { listContexts } = await import('./run.ts');
      await print(await listContexts(flags.json === true));
      process.exitCode = 0;
    });
}

function showCommand(): Command {
  return new Command('show')
    .summary('show a context')
    .description('Shows a context in the format of its file, which can also be written by hand.')
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
    .summary('remove contexts')
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
 * The flags of `yodel connect`, saved as they were typed: checked, but not converted to numbers, and without values from
 * the environment or defaults.
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
