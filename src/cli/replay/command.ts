/** The flags of `yodel replay`. `run.ts` does the work and is loaded only when the command runs. */
import { Command, InvalidArgumentError, Option } from 'commander';
import { connectTimeoutOption, durationOption, envName } from '../flags.ts';
import { addPeer, addTimes, sequenceOption } from '../journal/command.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { variableOption } from '../transcript-variables.ts';
import { addRecordedWireFlags } from '../wire-flags.ts';
import type { ReplayFlags } from './flags.ts';

const examples = `Examples:
  yodel replay messages.journal 127.0.0.1:7878     as recorded, pauses included
  yodel replay messages.journal :7878 --speed 10   ten times as fast
  yodel replay messages.journal :7878 --speed max  as fast as the server replies
  yodel replay messages.journal :7878 --session 3  one session
  yodel replay talk.transcript :7878               a transcript
`;

/** `yodel replay`. */
export function replayCommand(): Command {
  const command = new Command('replay')
    .summary('replay recorded clients against a server, and compare the replies')
    .description(
      'Replays the clients of a journal or a transcript, with their original concurrency. Each message is sent after the ' +
        'replies that preceded it. Replies are compared if they were recorded (yodel serve --journal-replies), and their ' +
        'latencies are reported.',
    )
    .argument('<recording>', 'a journal, or a transcript')
    .argument('<address>', 'the server, or @CONTEXT')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Exit status:
  0  all replies were as recorded
  1  the server cannot be reached, or the journal cannot be read
  2  wrong usage
  3  a reply was different or missing`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(
      new Option('--speed <factor>', '1: the recorded speed; 10: ten times as fast; max: wait only for replies')
        .argParser(readSpeed)
        .default(1),
    )
    .addOption(sequenceOption('--session <number>', 'only this session of a journal'));
  addTimes(addPeer(command))
    .option('--json', 'print a JSON object instead of text')
    .addOption(durationOption('--timeout <time>', 'time limit for a reply', 5000).env(envName('timeout')))
    .addOption(connectTimeoutOption());
  command.addOption(variableOption('transcript'));
  addRecordedWireFlags(command);
  addTlsFlags(command);
  return command.action(async (recording: string, address: string, flags: ReplayFlags) => {
    process.exitCode = await (await import('./run.ts')).runReplay(recording, address, flags);
  });
}

function readSpeed(text: string): number {
  if (text === 'max') return Number.POSITIVE_INFINITY;
  const speed = /^\d+(\.\d+)?x?$/.test(text) ? Number.parseFloat(text) : 0;
  if (speed >= 0.001) return speed;
  throw new InvalidArgumentError('It takes a factor of at least 0.001, such as 10 or 0.5, or max.');
}
