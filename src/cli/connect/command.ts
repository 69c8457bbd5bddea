/** The flags of `yodel connect`. `run.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { connectTimeoutOption, durationOption, envName, positiveCount, verboseOption } from '../flags.ts';
import { addRecordFlags } from '../record-flags.ts';
import { addReplyFlags } from '../reply-flags.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { addWireFlags } from '../wire-flags.ts';
import { formatLetters } from './message-format.ts';
import { addPartsFlags } from './message-parts.ts';

const examples = `Examples:
  yodel connect                            talk to 127.0.0.1:7878
  yodel connect example.org 7000           host and port, as with netcat
  yodel connect :7000 < questions.txt      send the lines of a file, print the replies
  printf 'hello\\n' | yodel connect unix:///run/app.sock
  yodel connect :7000 --wait-replies --json < questions.txt
`;

/** `yodel connect`. */
export function connectCommand(): Command {
  const command = new Command('connect')
    .summary('talk to a server, by hand or from a pipe')
    .description(
      'On a terminal: type a message and press Enter. Replies show their round-trip time. :help lists commands, Ctrl-D ends.\n' +
        'In a pipe: input is sent as it arrives, and replies are printed byte for byte. At the end of input, yodel closes ' +
        'the sending side and waits until the server ends, too.',
    )
    .argument(
      '[address]',
      'tcp://HOST:PORT, HOST:PORT, :PORT, HOST PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, unix:///PATH, exec:COMMAND, or ' +
        '@CONTEXT (default: tcp://127.0.0.1:7878)',
    )
    .argument('[port]', 'the port, when the address is only a host')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  the connection took all of the input, and the server ended it
  1  the connection failed or broke, or did not take all of the input; stderr says how much was left
  2  wrong usage
  3  with --wait-replies, --lockstep or --count-replies: a reply is missing or reports an error;
     on a terminal: after Ctrl-D the server ended, and messages got no reply
  4  no connection within the time limit, or the server did not end it within --wait`,
    )
    .helpOption('-h, --help', 'show this help');
  addConnectionFlags(command);
  addPartsFlags(command);
  addMessageFlags(command, 'In a pipe, message by message:');
  addTerminalFlags(command);
  addTlsFlags(command);
  return command.action(
    async (address: string | undefined, port: string | undefined, flags: Record<string, unknown>) => {
      const { runConnect } = await import('./run.ts');
      await runConnect(address, port, flags);
    },
  );
}

function addConnectionFlags(command: Command): void {
  command.addOption(
    new Option('--context <context>', 'saved context to use if no address is given; same as @CONTEXT').env(
      envName('context'),
    ),
  );
  addWireFlags(command);
  command
    .addOption(new Option('-C, --crlf', 'end sent lines with CRLF').env(envName('crlf')))
    .addOption(positiveCount('--count <number>', 'send this many messages, then end the input'))
    .addOption(connectTimeoutOption())
    .addOption(
      durationOption(
        '--wait <time>',
        'after the end of input, disconnect if the server sends nothing for this long',
        10_000,
      ).env(envName('wait')),
    )
    .addOption(
      new Option(
        '--no-shutdown',
        'keep the sending side open at the end of input, for servers that would disconnect; exit after --wait',
      ),
    )
    .addOption(new Option('-z, --probe', 'connect, print how long that took, and exit'))
    .addOption(verboseOption());
  addRecordFlags(command, 'file', 'write a transcript of the conversation');
}

/** Adds the flags that make a pipe work message by message. */
export function addMessageFlags(command: Command, heading: string): void {
  const letters = Object.entries(formatLetters).map(([letter, text]) => `%${letter} ${text}`);
  command
    .optionsGroup(heading)
    .addOption(new Option('--lockstep', 'wait for a reply before sending the next message').env(envName('lockstep')))
    .addOption(durationOption('--interval <time>', 'pause between messages', 0).env(envName('interval')))
    .addOption(
      new Option(
        '--wait-replies',
        'wait for a reply to each message; list messages without one, and exit with status 3',
      ).env(envName('wait-replies')),
    )
    .addOption(positiveCount('--count-replies <number>', 'end after this many replies; fewer are exit status 3'))
    .addOption(durationOption('--timeout <time>', 'time limit for a reply', 5000).env(envName('timeout')));
  addReplyFlags(command);
  command
    .addOption(new Option('--json', 'print one JSON object per message, in both directions'))
    .addOption(
      new Option('--format <format>', `print each message in this format: ${letters.join('; ')}; \\n, \\t`).env(
        envName('format'),
      ),
    );
}

/** Adds the flags for a conversation on a terminal. Commands can change all but --reconnect while it runs. */
function addTerminalFlags(command: Command): void {
  command.optionsGroup('On a terminal:');
  const flags: readonly (readonly [name: string, summary: string])[] = [
    ['reconnect', 'keep trying to connect, and connect again when the connection is lost'],
    ['hex', 'show messages as hexdump -C does, including their framing'],
    ['timestamps', 'show when each message was sent or received'],
    ['escapes', 'interpret \\n \\r \\t \\0 \\\\ \\xHH in what is typed or pasted'],
    ['raw', 'do not escape what the server sends: it can control the terminal'],
  ];
  for (const [name, summary] of flags) command.addOption(new Option(`--${name}`, summary).env(envName(name)));
}
