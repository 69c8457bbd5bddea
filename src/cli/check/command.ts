/** The flags of `yodel check`. `run.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { connectTimeoutOption, durationOption, envName, positiveCount } from '../flags.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { variableOption } from '../transcript-variables.ts';
import { addRecordedWireFlags } from '../wire-flags.ts';

const examples = `Examples:
  yodel check talk.transcript 127.0.0.1:7878        test a server against a file
  yodel check tests/*.transcript :7878              several transcripts, one after the other
  yodel check talk.transcript :7878 --update        update the expected replies in the file
  yodel check talk.transcript :7878 --format junit > report.xml
  yodel check talk.transcript :0 --start './server --port {port}'   start and stop the server
  yodel check talk.transcript --against other.transcript  propose masks for what differs
  yodel check talk.transcript exec:./server         test a program on its stdin and stdout
`;

/** `yodel check`. */
export function checkCommand(): Command {
  const command = new Command('check')
    .summary('test a server against transcripts of conversations')
    .description(
      'Plays the clients of each transcript against a server, and compares the replies with those in the file. ' +
        'In a transcript, "> " sends a message, "< " expects one, "# " is a comment; see docs/transcripts.md.',
    )
    .argument(
      '<file...>',
      "transcripts, then the server's address or @CONTEXT (default: the transcript's @address, or tcp://127.0.0.1:7878)",
    )
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  every reply was as expected
  1  a server could not be reached or started, or failed
  2  wrong usage, or a file that cannot be read, has an error or expects nothing
  3  a reply was not as expected, or missing
  4  a time-out while connecting or starting
An error has precedence over differences. Files are checked whatever came of the others.`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--format <format>', 'format of the report')
        .choices(['text', 'tap', 'junit'])
        .env('YODEL_CHECK_FORMAT')
        .default('text'),
    )
    .addOption(
      new Option('--update', 'replace the expected replies in the files with the received ones').conflicts('mask'),
    )
    .option('--mask', 'replace what differs in the files with names, whose defaults are the recorded text')
    .addOption(
      new Option(
        '--against <file>',
        'propose names for what differs between two recordings, without a server; --mask writes them',
      ).conflicts(['update', 'start', 'restart', 'repeat', 'jobs']),
    )
    .addOption(
      durationOption('--timeout <time>', 'time limit for each message, unless the transcript sets @timeout', 5000).env(
        envName('timeout'),
      ),
    )
    .addOption(connectTimeoutOption())
    .addOption(variableOption())
    .addOption(positiveCount('--repeat <n>', 'play each file n times: one that differs now and then is flaky'))
    .addOption(positiveCount('--jobs <n>', 'play n files at once').env(envName('check-jobs')))
    .optionsGroup('The server under test:')
    .addOption(
      new Option(
        '--start <command>',
        'start the server before the files, wait until it listens, and end it with all that it started after them; ' +
          '{port} is the port of ADDRESS, or a free one, which is in PORT too',
      ),
    )
    .addOption(new Option('--restart', 'with --start: a new server for each file, and for each run with --repeat'))
    .addOption(
      durationOption('--start-timeout <time>', 'with --start: how long the server may take to listen', 30_000),
    );
  addRecordedWireFlags(command);
  addTlsFlags(command);
  return command.action(async (words: string[]) => {
    const last = words.at(-1) ?? '';
    if (last.startsWith('@')) {
      words.splice(-1, 1, await (await import('../context/use-context.ts')).resolveAddress(command, last));
    }
    const { runCheck } = await import('./run.ts');
    process.exitCode = await runCheck(words, command.opts());
  });
}
