/** `yodel config`: looks at settings without serving. */
import { Command } from 'commander';
import { exitStatus } from '../fail.ts';
import { print } from '../output.ts';
import { parseServe, settingsOf } from '../serve/command.ts';
import type { Setting } from './config.ts';

const examples = `Examples:
  yodel config check yodel.toml                  are all settings of the file right?
  yodel config print                             every setting, and where it comes from
  yodel config print yodel.toml --rate 5/s       the same with a file and flags of yodel serve
`;

/** `yodel config` with its commands. */
export function configCommand(): Command {
  const config = new Command('config')
    .summary('check settings, or print them')
    .description(
      'Settings of `yodel serve`: flags go over the environment, the environment over a file, the file over the defaults.',
    )
    .addHelpText('before', examples)
    .addHelpText('after', '\nSee also: yodel help settings')
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false);
  config
    .command('check')
    .description(
      'Says whether `yodel serve` could begin with this file: every setting is known and allowed, certificates and keys can be ' +
        'used, the handler can be loaded (which runs its file). It does not listen.',
    )
    .argument('<file>', 'TOML, or JSON when its name ends with .json')
    .addHelpText('before', 'Examples:\n  yodel config check yodel.toml\n')
    .helpOption('-h, --help', 'show this help')
    .action(async (file: string) => {
      const { checkServe } = await import('./check.ts');
      await checkServe(settingsOf(await parseServe([], file)));
      await print(`${file}: all settings are right\n`);
      // The handler's file was run, and may have left something behind that runs on.
      process.exit(exitStatus.good);
    });
  config
    .command('print')
    .description('Prints every setting with where it comes from, as a file that can be given to --config.')
    .argument('[file]', 'TOML, or JSON when its name ends with .json')
    .option('--json', 'print one JSON object a line')
    .addHelpText(
      'before',
      'Examples:\n  yodel config print\n  yodel config print yodel.toml --rate 5/s   flags of yodel serve, too\n',
    )
    .helpOption('-h, --help', 'show this help')
    .allowUnknownOption()
    .allowExcessArguments()
    .action(async (file: string | undefined, flags: { json?: boolean }, command: Command) => {
      // What this command does not know are flags of `yodel serve`. A flag in place of the file is one, too.
      const isFlag = file?.startsWith('-') === true;
      const settings = await resolve(isFlag ? undefined : file, isFlag ? command.args : command.args.slice(1));
      await print(`${settings.map(flags.json ? jsonLine : tomlLine).join('\n')}\n`);
      process.exitCode = 0;
    });
  return config;
}

/** What `yodel serve` would take. @throws UsageError, CommanderError */
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
