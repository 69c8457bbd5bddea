/** The flags of `yodel journal`. What it does is in `journal.ts`, loaded only when it runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { JournalFlags } from './flags.ts';
import { parseMoment } from './moment.ts';

const examples = `Examples:
  yodel serve --journal messages.journal           record each message before it is answered
  yodel journal ls messages.journal                who talked, when, how much
  yodel journal cat messages.journal --since 10m   the messages of the last ten minutes
  yodel journal cat messages.journal --follow --peer 10.0.0.7
  yodel journal export messages.journal talks/     each session as a transcript
  yodel journal verify messages.journal            is all of it there?
`;

/** `yodel journal` with its commands. */
export function journalCommand(): Command {
  const journal = new Command('journal')
    .summary('look into what was recorded')
    .description('Reads a journal, also while a server writes to it. docs/journal.md has its tables.')
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false);
  const add = (name: string, description: string, help: string) => {
    const command = journal
      .command(name)
      .description(description)
      .argument('<file>', 'the journal')
      .addHelpText('before', help)
      .helpOption('-h, --help', 'show this help');
    return command;
  };
  const run =
    (name: 'listSessions' | 'printMessages' | 'printStats' | 'verify') => async (file: string, flags: JournalFlags) => {
      process.exitCode = await (await import('./run.ts'))[name](file, flags);
    };

  const ls = add(
    'ls',
    'Lists sessions: number, begin, duration, peer, messages and bytes each way, and how they ended.',
    'Examples:\n  yodel journal ls messages.journal\n  yodel journal ls messages.journal --since 1h --peer 10.0.0.7 --json\n',
  );
  addTimes(addPeer(ls)).option('--json', 'print one JSON object a line').action(run('listSessions'));

  const cat = add(
    'cat',
    'Prints messages in the order in which they were recorded: time, session, peer, > for what came and < for what was sent.',
    'Examples:\n  yodel journal cat messages.journal --since 10m\n' +
      "  yodel journal cat messages.journal --session 3 --grep '^ERR'\n" +
      '  yodel journal cat messages.journal --session 3 --transcript > talk.transcript\n',
  );
  addTimes(addPeer(cat))
    .addOption(sequenceOption('--session <number>', 'only this session'))
    .addOption(sequenceOption('--from <number>', 'from this message on'))
    .addOption(sequenceOption('--to <number>', 'up to this message'))
    .addOption(new Option('--way <way>', 'only what came, or what was sent').choices(['in', 'out']))
    .addOption(
      new Option(
        '--grep <pattern>',
        'only messages in which this is found: a regular expression of JavaScript',
      ).argParser(readPattern),
    )
    .option('-f, --follow', 'go on with what is recorded from now on')
    .addOption(new Option('--transcript', 'print a session as a transcript').conflicts(['json', 'follow', 'grep']))
    .option('--json', 'print one JSON object a line')
    .action(run('printMessages'));

  add('stats', 'Prints how much there is, from when to when.', 'Examples:\n  yodel journal stats messages.journal\n')
    .option('--json', 'print a JSON object')
    .action(run('printStats'));

  const exporting = add(
    'export',
    'Writes each session as a transcript into a folder, which it makes: <session>.transcript.',
    'Examples:\n  yodel journal export messages.journal talks/ --since 1d\n',
  );
  addTimes(addPeer(exporting.argument('<folder>', 'where to')))
    .addOption(sequenceOption('--session <number>', 'only this session'))
    .action(async (file: string, folder: string, flags: JournalFlags) => {
      process.exitCode = await (await import('./run.ts')).exportSessions(file, folder, flags);
    });

  add(
    'verify',
    "Checks the file's pages, that no message is missing, and that all sums are right.",
    'Examples:\n  yodel journal verify messages.journal\n',
  )
    .addHelpText('after', '\nExit status: 0 all is right, 1 it cannot be read, 3 something is missing or wrong')
    .action(run('verify'));
  return journal;
}

/** From when to when. */
export function addTimes(command: Command): Command {
  return command
    .addOption(
      new Option('--since <time>', 'from then on: 2026-01-31T12:00, or 10m for ten minutes ago').argParser((text) =>
        parseMoment(text),
      ),
    )
    .addOption(new Option('--until <time>', 'before then').argParser((text) => parseMoment(text)));
}

/** Whose. */
export function addPeer(command: Command): Command {
  return command.option('--peer <address>', 'only of this peer: 10.0.0.7, or with its port');
}

/** A number of a message or a session. */
export function sequenceOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < 1 || !Number.isSafeInteger(number)) {
      throw new InvalidArgumentError('It takes a number from 1.');
    }
    return number;
  });
}

function readPattern(text: string): RegExp {
  try {
    return new RegExp(text, 'u');
  } catch (error) {
    throw new InvalidArgumentError(`${(error as Error).message}.`);
  }
}
