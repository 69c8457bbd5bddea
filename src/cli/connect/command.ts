/** The flags of `yodel connect`. What it does is in `connect.ts`, loaded only when it runs. */
import { Command, Option } from 'commander';
import { framingForms } from '../../framing/notation.ts';
import { clientOptions } from '../../options.ts';
import { durationOption, envName, positiveCount } from '../flags.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { formatLetters } from './message-format.ts';

const examples = `Examples:
  yodel connect                            talk to 127.0.0.1:7878
  yodel connect example.org 7000           the host and port that netcat users write
  yodel connect :7000 < questions.txt      send lines from a file, print the replies
  printf 'hello\\n' | yodel connect unix:///run/app.sock
  yodel connect :7000 --wait-replies --json < questions.txt
`;

/** What makes a pipe go message by message. */
export function addMessageFlags(command: Command, heading: string): void {
  const letters = Object.entries(formatLetters).map(([letter, text]) => `%${letter} ${text}`);
  command
    .optionsGroup(heading)
    .addOption(
      new Option('--lockstep', 'send the next message when the one before is answered').env(envName('lockstep')),
    )
    .addOption(durationOption('--interval <time>', 'the pause between two messages', 0).env(envName('interval')))
    .addOption(
      new Option('--wait-replies', 'wait for a reply to each message; fewer are exit status 3, and named').env(
        envName('wait-replies'),
      ),
    )
    .addOption(
      durationOption('--timeout <time>', 'how long a reply may take that is waited for', 5000).env(envName('timeout')),
    )
    .addOption(new Option('--json', 'print one JSON object a message, of both directions'))
    .addOption(
      new Option('--format <format>', `print messages so: ${letters.join('; ')}; \\n and \\t too`).env(
        envName('format'),
      ),
    );
}

/** `yodel connect`. */
export function connectCommand(): Command {
  const { connectTimeout } = clientOptions;
  const command = new Command('connect')
    .summary('talk to a server, by hand or from a pipe')
    .description(
      'By hand: type a message and press Enter; replies show their round-trip time; :help lists commands; Ctrl-D ends.\n' +
        'From a pipe: input goes out as it comes, replies come out byte for byte; at the end of input the sending side ' +
        'is closed, and the command waits for what is still due.',
    )
    .argument(
      '[address]',
      'tcp://HOST:PORT, HOST:PORT, :PORT, HOST PORT, tls://HOST:PORT, unix:///PATH, or @CONTEXT (default: ' +
        'tcp://127.0.0.1:7878)',
    )
    .argument('[port]', 'the port, when the address is only a host')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  all was sent, and the server ended the conversation (or answered every message)
  1  the connection failed or broke, or the server ended it early or answered only some messages
  2  wrong usage
  3  with --wait-replies or --lockstep: not every message was answered
  4  no connection, or replies missing, within the time`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--context <context>', 'when no address is given: a saved context, as the address @CONTEXT').env(
        envName('context'),
      ),
    )
    .addOption(new Option('--framing <framing>', framingForms).env('YODEL_FRAMING').default('lines'))
    .addOption(new Option('-C, --crlf', 'end the lines that are sent with CRLF').env(envName('crlf')))
    .addOption(positiveCount('--count <number>', 'send this many messages, then end'))
    .addOption(
      durationOption('-w, --connect-timeout <time>', 'how long connecting may take', connectTimeout.default).env(
        envName('connect-timeout'),
      ),
    )
    .addOption(
      durationOption(
        '--wait <time>',
        'after the end of input, how long the server may be silent before it is given up',
        10_000,
      ).env(envName('wait')),
    )
    .addOption(
      new Option(
        '--no-shutdown',
        'do not tell the server of the end of input: for one that then leaves; ends after --wait',
      ),
    );
  addMessageFlags(command, 'In a pipe, message by message:');
  command
    .addOption(new Option('-z, --probe', 'only connect, say how long that took, and end'))
    .addOption(new Option('--record <file>', 'write a transcript of the conversation').env(envName('record')));
  addByHandFlags(command);
  addTlsFlags(command);
  return command.action(
    async (address: string | undefined, port: string | undefined, flags: Record<string, unknown>) => {
      const { runConnect } = await import('./run.ts');
      await runConnect(address, port, flags);
    },
  );
}

/** What is about a conversation by hand; all but the first can be switched while it runs. */
function addByHandFlags(command: Command): void {
  command.optionsGroup('By hand:');
  const flags: readonly (readonly [name: string, summary: string])[] = [
    ['reconnect', 'connect again when the connection is lost, and until there is one'],
    ['hex', 'show messages as hexdump -C does, with what frames them'],
    ['timestamps', 'show when each message was sent or came'],
    ['escapes', 'read \\n \\r \\t \\0 \\\\ \\xHH in what is typed or pasted'],
    ['raw', 'show what the server sends as it is: it can steer the terminal'],
  ];
  for (const [name, summary] of flags) command.addOption(new Option(`--${name}`, summary).env(envName(name)));
}
