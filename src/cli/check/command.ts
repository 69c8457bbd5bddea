/** The flags of `yodel check`. What it does is in `check.ts`, loaded only when it runs. */
import { Command, Option } from 'commander';
import { clientOptions } from '../../options.ts';
import { durationOption, envName } from '../flags.ts';
import { addTlsFlags } from '../tls-flags.ts';

const examples = `Examples:
  yodel check talk.transcript 127.0.0.1:7878        does the server answer as the file says?
  yodel check tests/*.transcript :7878              several conversations, one after the other
  yodel check talk.transcript :7878 --update        rewrite what was expected with what came
  yodel check talk.transcript :7878 --format junit > report.xml
`;

/** `yodel check`. */
export function checkCommand(): Command {
  const { connectTimeout } = clientOptions;
  const command = new Command('check')
    .summary('hold a server against transcripts of conversations')
    .description(
      'Plays the clients of each transcript against a server, and compares what comes with what the file expects. ' +
        'In a transcript "> " is sent, "< " is expected, "# " is a comment; docs/transcripts.md has all of it.',
    )
    .argument(
      '<file...>',
      'transcripts, and at last the address or @CONTEXT (default: what @address says, or tcp://127.0.0.1:7878)',
    )
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  all came as expected
  1  the connection failed
  2  wrong usage, or a line of a transcript cannot be read
  3  something came otherwise`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--format <format>', 'how the result is printed')
        .choices(['text', 'tap', 'junit'])
        .env('YODEL_CHECK_FORMAT')
        .default('text'),
    )
    .option('--update', 'rewrite what the files expect with what came')
    .addOption(
      durationOption('--timeout <time>', 'how long a message is waited for, until a @timeout says otherwise', 5000).env(
        envName('timeout'),
      ),
    )
    .addOption(
      durationOption('-w, --connect-timeout <time>', 'how long connecting may take', connectTimeout.default).env(
        envName('connect-timeout'),
      ),
    );
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
