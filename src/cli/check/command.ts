/** The flags of `yodel check`. `run.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { connectTimeoutOption, durationOption, envName } from '../flags.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { variableOption } from '../transcript-variables.ts';
import { addRecordedWireFlags } from '../wire-flags.ts';

const examples = `Examples:
  yodel check talk.transcript 127.0.0.1:7878        test a server against a file
  yodel check tests/*.transcript :7878              several transcripts, one after the other
  yodel check talk.transcript :7878 --update        update the expected replies in the file
  yodel check talk.transcript :7878 --format junit > report.xml
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
  1  the connection failed
  2  wrong usage, or a transcript with an error
  3  a reply was not as expected, or missing`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--format <format>', 'format of the report')
        .choices(['text', 'tap', 'junit'])
        .env('YODEL_CHECK_FORMAT')
        .default('text'),
    )
    .option('--update', 'replace the expected replies in the files with the received ones')
    .addOption(
      durationOption('--timeout <time>', 'time limit for each message, unless the transcript sets @timeout', 5000).env(
        envName('timeout'),
      ),
    )
    .addOption(connectTimeoutOption());
  command.addOption(variableOption());
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
