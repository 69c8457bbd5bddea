/** The flags of `yodel bench`. `run.ts` does the work and is loaded only when the command runs. */
import { Command, Option } from 'commander';
import { parseStages } from '../../load/stages.ts';
import { addPartsFlags } from '../connect/message-parts.ts';
import { collect, connectTimeoutOption, envName, quantityOption, sizeOption } from '../flags.ts';
import { addReplyFlags } from '../reply-flags.ts';
import { addTlsFlags } from '../tls-flags.ts';
import { variableOption } from '../transcript-variables.ts';
import { addWireFlags } from '../wire-flags.ts';

const examples = `Examples:
  yodel bench                                 50 connections for 10 s, to 127.0.0.1:7878
  yodel bench example.org 7000 -c 200 -P 16   more connections, 16 messages in flight on each
  yodel bench :7878 --rate 50k/s -d 30s       a fixed rate, whether the server keeps up or not
  yodel bench :7878 --stages 10s:100,60s:1k   rates one after another
  yodel bench :7878 -n 100k --message PING    this message, 100,000 times
  yodel bench :6379 --protocol redis --message 'GET key'
  yodel bench :7878 --transcript talk.transcript --rate 100/s
  yodel bench wss://example.org/chat          WebSocket; for TLS, tls://HOST:PORT
  yodel bench :7878 --json > old.json         save the result
  yodel bench :7878 --compare old.json        compare with a saved result
  yodel bench :7878 --assert 'p99 < 5ms' 'errors == 0' --html report.html
`;

/** `yodel bench`. */
export function benchCommand(): Command {
  const command = new Command('bench')
    .summary('load-test a server')
    .description(
      'Sends messages over many connections, checks every reply, and reports throughput and latency. Warns when the load ' +
        'generator was the bottleneck. Ctrl-C stops the test and prints the results so far.\n' +
        'Closed loop (the default): each connection sends its next message when a reply arrives. Open loop (--rate): ' +
        'messages are sent on schedule, and latency counts from the scheduled time, so that server stalls show.',
    )
    .argument(
      '[address]',
      'tcp://HOST:PORT, HOST:PORT, :PORT, HOST PORT, tls://HOST:PORT, ws://HOST:PORT/PATH, wss://…, unix:///PATH, ' +
        'or @CONTEXT (default: tcp://127.0.0.1:7878)',
    )
    .argument('[port]', 'the port, when the address is only a host')
    .addHelpText('before', examples)
    .addHelpText(
      'after',
      `
Metrics of --assert:
  min mean stdev max p50 p90 p99 p99.9 (any pN) in ms, us or s; rate in messages per second (50k/s);
  errors; messages (answered), unanswered (messages), lost (connections). Operators: < <= > >= == !=

Exit status:
  0  no errors, and every assertion passed
  1  the connection failed or broke, or there were other errors
  2  wrong usage
  3  an assertion failed, or there were wrong or unexpected replies, or some that report an error
  4  the only errors were time-outs`,
    )
    .helpOption('-h, --help', 'show this help');
  addLoadFlags(command);
  addBenchMessageFlags(command);
  addGeneratorFlags(command);
  addTlsFlags(command);
  addResultFlags(command);
  return command.action(
    async (address: string | undefined, port: string | undefined, flags: Record<string, unknown>) => {
      const { runBench } = await import('./run.ts');
      await runBench(address, port, flags);
    },
  );
}

function addLoadFlags(command: Command): void {
  command
    .addOption(quantityOption('-c, --connections <number>', 'number of connections', 'count', 50))
    .addOption(quantityOption('-P, --pipeline <number>', 'messages in flight on each connection (default: 1)', 'count'))
    .addOption(quantityOption('-n, --count <number>', 'number of messages to send over all connections', 'count'))
    .addOption(
      quantityOption(
        '-d, --duration <time>',
        'how long to send; with -n, whichever is reached first (default: 10s)',
        'duration',
      ),
    )
    .addOption(
      quantityOption('--rate <n/s>', 'open loop: messages per second over all connections', 'rate').conflicts(
        'pipeline',
      ),
    )
    .addOption(
      new Option(
        '--stages <stages>',
        'open loop: rates one after another, 10s:100,60s:1000; evenly from one to another, 30s:100..1000',
      )
        .argParser(parseStages)
        .conflicts(['rate', 'pipeline']),
    )
    .addOption(
      new Option('--reconnect-each', 'a new connection for each message; -c is then how many at a time').conflicts(
        'pipeline',
      ),
    );
}

function addBenchMessageFlags(command: Command): void {
  command
    .optionsGroup('Messages:')
    .addOption(sizeOption('--size <size>', 'bytes per message, without delimiter or length field (default: 64)'))
    .addOption(
      new Option('--message <text>', 'send this message; several are sent in turn')
        .argParser(collect)
        .conflicts('size'),
    )
    .addOption(
      new Option('--message-file <file>', 'send the lines of this file in turn').conflicts(['size', 'message']),
    )
    .addOption(
      new Option(
        '--transcript <file>',
        'play this transcript: what is between @repeat and @end over and over, the rest once for each connection',
      ).conflicts(['size', 'message', 'messageFile', 'replies', 'header', 'binary', 'pipeline', 'crlf', 'greeting']),
    )
    .addOption(variableOption('with --transcript'))
    .addOption(new Option('-e, --escapes', 'interpret \\n \\r \\t \\0 \\\\ \\xHH in messages').conflicts('hex'))
    .addOption(new Option('--hex', 'messages are hexadecimal digits: "00 ff"'))
    .addOption(new Option('-C, --crlf', 'end messages of lines with CRLF').env(envName('crlf')))
    .addOption(
      new Option(
        '--replies <kind>',
        'echo: each reply equals its message; count: one reply per message; none: do not wait for replies (default: echo, or count if replies have another framing)',
      ).choices(['echo', 'count', 'none']),
    );
  addPartsFlags(command);
  addReplyFlags(command);
  addWireFlags(command);
}

function addGeneratorFlags(command: Command): void {
  command
    .optionsGroup('Load generator:')
    .addOption(quantityOption('--threads <number>', 'number of processes that send', 'count', 1))
    .addOption(connectTimeoutOption())
    .addOption(
      quantityOption('--timeout <time>', 'time limit for a reply; a later one counts as an error', 'duration', 10_000),
    );
}

function addResultFlags(command: Command): void {
  command
    .optionsGroup('Results:')
    .addOption(new Option('--json', 'print one JSON object instead of the summary'))
    .addOption(new Option('--html <file>', 'write a self-contained page with charts'))
    .addOption(new Option('--hdr <file>', 'write the percentiles in HdrHistogram format'))
    .addOption(new Option('--assert <expression...>', "conditions to check, such as 'p99 < 5ms' 'errors == 0'"))
    .addOption(new Option('--compare <file>', 'compare with a result saved by --json'));
}
