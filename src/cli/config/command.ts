/** The flags of `yodel config`, which checks and prints settings without serving. */
import { Command } from 'commander';
import { exitStatus } from '../fail.ts';
import { print } from '../output.ts';
import { parseServe, settingsOf } from '../serve/command.ts';
import type { Setting } from './config.ts';

const examples = `Examples:
  yodel config check yodel.toml                  check the settings of the file
  yodel config print                             every setting and its source
  yodel config print yodel.toml --rate 5/s       with a file, and flags of yodel serve
`;

/** `yodel config` with its commands. */
export function configCommand(): Command {
  const config = new Command('config')
    .summary('check settings, or print them')
    .description(
      'Checks or prints the settings of `yodel serve`. Flags override the environment, which overrides the file, which ' +
        'overrides the defaults.',
    )
    .addHelpText('before', examples)
    .addHelpText('after', '\nSee also: yodel help settings')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false);
  config
    .command('check')
    .description(
      'Checks whether `yodel serve` can start with this file: every setting is known and valid, certificates and keys are ' +
        'usable, and the handler can be loaded (which runs its file). Does not listen.',
    )
    .argument('<file>', 'TOML, or JSON if its name ends with .json')
    .addHelpText('before', 'Examples:\n  yodel config check yodel.toml\n')
    .helpOption('-h, --help', 'show this help')
    .action(async (file: string) => {
      const { checkServe } = await import('./check.ts');
      await checkServe(settingsOf(await parseServe([], file)));
      await print(`${file}: all settings are valid\n`);
      // The handler's file was run and may have left timers or sockets open.
      process.exit(exitStatus.good);
    });
  config
    .command('print')
    .description('Prints every setting and its source, in the format of a file for --config.')
    .argument('[file]', 'TOML, or JSON if its name ends with .json')
    .option('--json', 'print one JSON object per line')
    .addHelpText(
      'before',
      'Examples:\n  yodel config print\n  yodel config print yodel.toml --rate 5/s   with flags of yodel serve\n',
    )
    .helpOption('-h, --help', 'show this help')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (file: string | undefined, flags: { json?: boolean }, command: Command) => {
      // Unknown options are flags of `yodel serve`, also where the file is expected.
      const isFlag = file?.startsWith('-') === true;
      const settings = await resolve(isFlag ? undefined : file, isFlag ? command.args : command.args.slice(1));
      await print(`${settings.map(flags.json ? jsonLine : tomlLine).join('\n')}\n`);
      process.exitCode = 0;
    });
  return config;
}

/** The settings that `yodel serve` would use. @throws UsageError, CommanderError */
async function resolve(file: string | undefined, flags: readonly string[]): Promise<Setting[]> {
  const { settingsOf } = await import('./config.ts');
  const serve = await parseServe(flags, file);
  return settingsOf(serve, serve.getOptionValue('config') as string | undefined);
}

function jsonLine(setting: Setting): string {
  return JSON.stringify(setting);
}

function tomlLine({ name, value, source }: Setting): string {
  const isGiven = value !== undefined;
  const text = isGiven ? `${name} = ${JSON.stringify(value)}` : `# ${name}`;
  return `${text.padEnd(48)} # ${isGiven ? source : 'not set'}`;
}
