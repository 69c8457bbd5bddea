/** The flags of `yodel subscribe`. `subscribe.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { envName, positiveCount } from '../flags.ts';
import { addRoomFlags, framingOption, type SubscribeFlags } from './flags.ts';

const examples = `Examples:
  yodel subscribe news --bus redis://127.0.0.1:6379
  yodel subscribe log --history 100 --bus nats://127.0.0.1:4222 | grep error
  YODEL_BUS=redis://127.0.0.1:6379 yodel subscribe news --since 0 --strict --json
`;

/** `yodel subscribe`. */
export function subscribeCommand(): Command {
  const command = new Command('subscribe')
    .summary('print the messages of a room of servers that share a bus')
    .description(
      'Becomes a member of a room of the servers of a bus (yodel serve --bus), and prints what it is sent, until Ctrl-C. What is ' +
        'missed is counted, on stderr. It goes on when the bus was away.',
    )
    .argument('<room>', 'the name of the room')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0    as many messages as --count says, or the reader of the output is gone
  1    the bus cannot be reached, or is lost, with --bus-required; the history cannot be read
  2    wrong usage
  4    with --strict: messages were missed, or --since is not in the history any more
  130  ended by Ctrl-C; stderr says from which position to go on`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(new Option('--since <position>', 'print what was stored after this position first'))
    .addOption(
      positiveCount(
        '--history <number>',
        'print the last stored messages first, at most this number; with --since, only if it is not in the history any more',
      ),
    )
    .addOption(new Option('--strict', 'end with status 4 once messages are missed').env(envName('strict')))
    .addOption(positiveCount('--count <number>', 'end after this number of messages'))
    .addOption(
      new Option('--positions', 'print the position of each message before it, and a tab; - if it is not stored'),
    )
    .addOption(
      new Option('--json', 'print a JSON object for each message, with its position and time').conflicts('positions'),
    )
    .addOption(framingOption('how messages are printed in a pipe').conflicts('json'))
    .addOption(new Option('-q, --quiet', 'do not say from which position to go on'))
    .addOption(new Option('-v, --verbose', 'say when the subscription begins').env(envName('verbose')));
  addRoomFlags(command, ['roomBuffer']);
  command
    .optionsGroup('Bus:')
    .addOption(new Option('--bus-required', 'end with status 1 when the connection to the bus is lost'));
  return command.action(async (room: string, _flags: SubscribeFlags) => {
    await (await import('./subscribe.ts')).subscribe(room, command.opts());
  });
}
