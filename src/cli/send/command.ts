/** The flags of `yodel send`. */
import { Command, Option } from 'commander';
import { addMessageFlags } from '../connect/command.ts';
import { addPartsFlags } from '../connect/message-parts.ts';
import { connectTimeoutOption, envName, verboseOption } from '../flags.ts';
import { addInputFlags } from '../message-input.ts';
import { addRecordFlags } from '../record-flags.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { addWireFlags } from '../wire-flags.ts';
import { addRepeatFlags } from './repeat-flags.ts';

const examples = `Examples:
  yodel send :7878 hello                    send a message, print its reply
  yodel send example.org:6379 PING --json   the same, with time, size and round-trip time
  yodel send :7878 one two three            several messages, one after the other
  yodel send :11211 --protocol memcached -e 'set k 0 0 5\\r\\nhello'
  yodel send :6379 PING --repeat 10 --interval 1s
  yodel send :6379 PING --latency           min, avg and max of the round-trip time, until Ctrl-C
`;

/** `yodel send`. */
export function sendCommand(): Command {
  const command = new Command('send')
    .summary('send messages, print the replies')
    .description('Sends each message after the previous one is answered, prints the replies, and exits.')
    .argument(
      '<address>',
      'tcp://HOST:PORT, HOST:PORT, :PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, unix:///PATH, exec:COMMAND, or @CONTEXT',
    )
    .argument('<message...>', 'one or more messages')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  every message was answered, and no reply reports an error
  1  the connection failed or broke
  2  wrong usage
  3  a message was not answered, or a reply reports an error; stderr says which`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(connectTimeoutOption())
    .addOption(verboseOption());
  addWireFlags(command);
  command.addOption(new Option('-C, --crlf', 'end lines with CRLF').env(envName('crlf')));
  addInputFlags(command);
  addPartsFlags(command);
  addMessageFlags(command, 'Messages:');
  addRecordFlags(command, 'file', 'write a transcript of the conversation');
  addRepeatFlags(command);
  addTlsFlags(command);
  return command.action(async (address: string, messages: string[], flags: Record<string, unknown>) => {
    const { runSend } = await import('./run.ts');
    process.exitCode = await runSend(address, messages, flags);
  });
}
