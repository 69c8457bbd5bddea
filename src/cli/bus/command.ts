/** The flags of `yodel bus`. `check.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { addBusConnectionFlags } from '../bus-flags.ts';
import { envName } from '../flags.ts';
import type { BusCheckFlags } from './flags.ts';

const examples = `Examples:
  yodel bus check redis://127.0.0.1:6379           what a cluster may expect of this Redis
  yodel bus check nats://127.0.0.1:4222 --monitor http://127.0.0.1:8222
  YODEL_BUS=redis://chat:secret@127.0.0.1 yodel bus check --strict --json
`;

const checkExamples = `Examples:
  yodel bus check redis://127.0.0.1:6379
  yodel bus check tls://127.0.0.1:4222 --bus-credentials chat.creds --bus-ca ca.pem
  yodel bus check nats://127.0.0.1:4222 --monitor http://127.0.0.1:8222
  YODEL_BUS=redis://chat:secret@127.0.0.1 yodel bus check --strict
`;

/** `yodel bus` with its command. */
export function busCommand(): Command {
  const bus = new Command('bus')
    .summary('check the NATS or Redis that servers share rooms through')
    .description('For those who run several servers that share their rooms (yodel serve --bus). See docs/clusters.md.')
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false);
  bus.addCommand(checkCommand());
  return bus;
}

function checkCommand(): Command {
  const command = new Command('check')
    .summary('print what servers may expect of a bus')
    .description(
      'Connects as a server would, tries what servers do, and prints versions, permissions, limits, what an acknowledgement ' +
        'is worth, and round trips; then warnings and problems. What may not be read is "unknown". It leaves nothing behind.',
    )
    .argument('[url]', 'nats://HOST:4222, redis://HOST:6379; with TLS tls:// (NATS) or rediss:// (default: $YODEL_BUS)')
    .addHelpText('before', checkExamples)
    .addHelpText(
      'after',
      '\nExit status: 0 it can be used, 1 it cannot, 2 wrong usage, 3 there are warnings, with --strict',
    )
    .helpOption('-h, --help', 'show this help');
  addBusConnectionFlags(command);
  return command
    .addOption(
      new Option('--monitor <url>', 'the monitoring page of NATS, for what clients are not told').env(
        envName('bus-monitor'),
      ),
    )
    .option('--strict', 'exit with status 3 if there are warnings')
    .option('--json', 'print a JSON object')
    .action(async (url: string | undefined, flags: BusCheckFlags) => {
      await (await import('./check.ts')).checkBus(url, flags);
    });
}
