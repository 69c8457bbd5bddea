/** `yodel help`: the help of a command or topic. */
import { Command } from 'commander';
import { hintFor } from '../../suggestion.ts';
import { commandAt } from '../commands.ts';
import { UsageError } from '../fail.ts';
import { print } from '../output.ts';
import { type TopicName, topicNames } from './topic-names.ts';

const examples = `Examples:
  yodel help connect       the help of a command, same as yodel connect --help
  yodel help config check  the help of a subcommand
  yodel help framing       read about framings
`;

/** `yodel help`. */
export function helpCommand(): Command {
  return new Command('help')
    .summary('show the help of a command or topic')
    .description('Shows the help of a command or topic.')
    .argument('[topic...]', `a command, or one of: ${topicNames.join(', ')}`)
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .action(async (words: readonly string[], _flags, command: Command) => {
      await showHelp(command.parent as Command, words);
      process.exitCode = 0;
    });
}

async function showHelp(program: Command, words: readonly string[]): Promise<void> {
  const [word = ''] = words;
  const topic = aliases[word] ?? word;
  if (words.length === 1 && isTopic(topic)) return await print(await textOf(topic, program));
  const command = commandAt(program, words);
  const depth = depthOf(command);
  if (depth === words.length) return command.outputHelp();
  const known = command.commands.map((one) => one.name());
  const wrong = words[depth] ?? '';
  if (depth === 0) {
    throw new UsageError(`there is no command or topic "${wrong}". ${hintFor(wrong, [...known, ...topicNames])}`);
  }
  const above = words.slice(0, depth).join(' ');
  throw new UsageError(
    known.length === 0
      ? `yodel ${above} has no subcommands`
      : `yodel ${above} has no command "${wrong}". ${hintFor(wrong, known)}`,
  );
}

async function textOf(topic: TopicName, program: Command): Promise<string> {
  const [{ topicParts }, { topicText }] = await Promise.all([import('./topics.ts'), import('./topic-text.ts')]);
  return topicText(topicParts(topic, program), Math.min(process.stdout.columns || 100, 100));
}

/** Other names of topics, which a user of the flag may try. */
const aliases: Readonly<Record<string, TopicName>> = { framings: 'framing', protocol: 'protocols' };

function isTopic(word: string): word is TopicName {
  return (topicNames as readonly string[]).includes(word);
}

function depthOf(command: Command): number {
  return command.parent ? depthOf(command.parent) + 1 : 0;
}
