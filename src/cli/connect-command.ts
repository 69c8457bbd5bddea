/** The flags of `yodel connect`. What it does is in `connect.ts`, loaded only when it runs. */
import { Command, Option } from 'commander';
import { framingForms } from '../framing/notation.ts';
import { clientOptions } from '../options.ts';
import { durationOption, envName, positiveCount } from './flags.ts';
import { addTlsFlags } from './tls-flags.ts';

const examples = `Examples:
  yodel connect                            talk to 127.0.0.1:7878
  yodel connect example.org 7000           the host and port that netcat users write
  yodel connect :7000 < questions.txt      send lines from a file, print the replies
  printf 'hello\\n' | yodel connect unix:///run/app.sock
`;

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
      'tcp://HOST:PORT, HOST:PORT, :PORT, HOST PORT, tls://HOST:PORT, or unix:///PATH (default: tcp://127.0.0.1:7878)',
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
  4  no connection, or replies missing, within the time`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(new Option('--framing <framing>', framingForms).env('YODEL_FRAMING').default('lines'))
    .addOption(new Option('-C, --crlf', 'end the lines that are typed with CRLF').env(envName('crlf')))
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
    );
  addByHandFlags(command);
  addTlsFlags(command);
  return command.action(
    async (address: string | undefined, port: string | undefined, flags: Record<string, unknown>) => {
      const { runConnect } = await import('./connect.ts');
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
