/** The flags of `yodel journal`. `run.ts` does the work and is loaded only when a command runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import type { JournalFlags } from './flags.ts';
import { parseMoment } from './moment.ts';

const examples = `Examples:
  yodel serve --journal messages.journal           record each message before it is answered
  yodel journal ls messages.journal                list sessions
  yodel journal cat messages.journal --since 10m   the messages of the last ten minutes
  yodel journal cat messages.journal --follow --peer 10.0.0.7
  yodel journal export messages.journal talks/     each session as a transcript
  yodel journal verify messages.journal            check for missing or damaged messages
`;

const lsExamples = `Examples:
  yodel journal ls messages.journal
  yodel journal ls messages.journal --since 1h --peer 10.0.0.7 --json
`;

const catExamples = `Examples:
  yodel journal cat messages.journal --since 10m
  yodel journal cat messages.journal --session 3 --grep '^ERR'
  yodel journal cat messages.journal --session 3 --transcript > talk.transcript
`;

/** `yodel journal` with its commands. */
export function journalCommand(): Command {
  const journal = new Command('journal')
    .summary('read what a server recorded')
    .description('Reads a journal, even while a server writes to it. docs/journal.md describes its tables.')
    .addHelpText('before', examples)
    .helpOption('-h, --help', 'show this help')
    .helpCommand(false);
  addLs(journal);
  addCat(journal);
  addSubcommand(
    journal,
    'stats',
    'Prints the number of messages and sessions, their times, and the size.',
    'Examples:\n  yodel journal stats messages.journal\n',
  )
    .option('--json', 'print a JSON object')
    .action(run('printStats'));
  addExport(journal);
  addSubcommand(
    journal,
    'verify',
    'Checks the pages of the file and the checksums, and that no message is missing.',
    'Examples:\n  yodel journal verify messages.journal\n',
  )
    .addHelpText('after', '\nExit status: 0 no problems, 1 the file cannot be read, 3 messages are missing or damaged')
    .action(run('verify'));
  return journal;
}

function addLs(journal: Command): void {
  const ls = addSubcommand(
    journal,
    'ls',
    'Lists sessions: number, start, duration, messages and bytes in each direction, peer, and the error that ended it.',
    lsExamples,
  );
  addTimes(addPeer(ls)).option('--json', 'print one JSON object per line').action(run('listSessions'));
}

function addCat(journal: Command): void {
  const cat = addSubcommand(
    journal,
    'cat',
    'Prints messages in the order they were recorded: number, time, peer, session, > for received or < for sent, content.',
    catExamples,
  );
  addTimes(addPeer(cat))
    .addOption(sequenceOption('--session <number>', 'only this session'))
    .addOption(sequenceOption('--from <number>', 'start with this message'))
    .addOption(sequenceOption('--to <number>', 'end with this message'))
    .addOption(new Option('--way <way>', 'only received (in) or only sent (out) messages').choices(['in', 'out']))
    .addOption(
      new Option('--grep <pattern>', 'only messages that match this JavaScript regular expression').argParser(
        readPattern,
      ),
    )
    .option('-f, --follow', 'continue with messages as they are recorded')
    .addOption(new Option('--transcript', 'print a session as a transcript').conflicts(['json', 'follow', 'grep']))
    .option('--json', 'print one JSON object per line')
    .action(run('printMessages'));
}

function addExport(journal: Command): void {
  const command = addSubcommand(
    journal,
    'export',
    'Writes each session to a transcript, <session>.transcript, in a directory. Creates the directory if needed.',
    'Examples:\n  yodel journal export messages.journal talks/ --since 1d\n',
  );
  addTimes(addPeer(command.argument('<directory>', 'the directory for the transcripts')))
    .addOption(sequenceOption('--session <number>', 'only this session'))
    .action(async (file: string, directory: string, flags: JournalFlags) => {
      process.exitCode = await (await import('./run.ts')).exportSessions(file, directory, flags);
    });
}

function addSubcommand(journal: Command, name: string, description: string, examplesText: string): Command {
  return journal
    .command(name)
    .description(description)
    .argument('<file>', 'the journal')
    .addHelpText('before', examplesText)
    .helpOption('-h, --help', 'show this help');
}

function run(name: 'listSessions' | 'printMessages' | 'printStats' | 'verify') {
  return async (file: string, flags: JournalFlags): Promise<void> => {
    process.exitCode = await (await import('./run.ts'))[name](file, flags);
  };
}

/** Adds --since and --until. */
export function addTimes(command: Command): Command {
  return command
    .addOption(
      new Option('--since <time>', 'only from this time: 2026-01-31T12:00, or 10m for ten minutes ago').argParser(
        (text) => parseMoment(text),
      ),
    )
    .addOption(new Option('--until <time>', 'only before this time').argParser((text) => parseMoment(text)));
}

/** Adds --peer. */
export function addPeer(command: Command): Command {
  return command.option('--peer <address>', 'only this peer: 10.0.0.7, or 10.0.0.7:50312');
}

/** A flag that takes the number of a message or a session. */
export function sequenceOption(flags: string, description: string): Option {
  return new Option(flags, description).argParser((text) => {
    const number = Number(text);
    if (!/^\d+$/.test(text) || number < 1 || !Number.isSafeInteger(number)) {
      throw new InvalidArgumentError('It takes a number, 1 or more.');
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
