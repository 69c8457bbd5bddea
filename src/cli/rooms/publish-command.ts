/** The flags of `yodel publish`. `publish.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { durationOption, envName } from '../flags.ts';
import { addInputFlags } from '../message-input.ts';
import { addRoomFlags, framingOption, type PublishFlags } from './flags.ts';

const examples = `Examples:
  yodel publish news 'hello, all' --bus redis://127.0.0.1:6379
  tail -f app.log | yodel publish log --bus nats://127.0.0.1:4222
  YODEL_BUS=redis://127.0.0.1:6379 yodel publish news --store < questions.txt
`;

/** `yodel publish`. */
export function publishCommand(): Command {
  const command = new Command('publish')
    .summary('send messages to a room of servers that share a bus')
    .description(
      'Sends each line of the input, or each TEXT, to all members of a room, on all servers of the bus (yodel serve --bus). ' +
        'While the bus is away, the input waits.',
    )
    .argument('<room>', 'the name of the room')
    .argument('[text...]', 'messages, instead of the input')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  the bus took every message; with --store: every message is stored
  1  it did not; stderr says how many it took
  2  wrong usage`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--store', 'store the messages in the history of the room, and wait until they are').env(
        envName('store'),
      ),
    )
    .addOption(new Option('--positions', 'with --store: print the position of each message, once it is stored'))
    .addOption(framingOption('how the input is divided into messages'))
    .addOption(durationOption('--wait <time>', 'give up if the bus is away for this long; 0 is never', 10_000))
    .addOption(new Option('-q, --quiet', 'do not say how many messages were sent, unless some were not'))
    .addOption(new Option('-v, --verbose', 'say when the bus is connected').env(envName('verbose')));
  addInputFlags(command);
  addRoomFlags(command, ['busBuffer', 'storedMessages', 'storedAge', 'storedBytes']);
  return command.action(async (room: string, texts: string[], flags: PublishFlags) => {
    await (await import('./publish.ts')).publish(room, texts, flags);
  });
}
