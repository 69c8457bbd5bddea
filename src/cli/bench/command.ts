/** The flags of `yodel bench`. What it does is in `bench.ts`, loaded only when it runs. */
import { Command, Option } from 'commander';
import { framingForms } from '../../framing/notation.ts';
import { clientOptions } from '../../options.ts';
import { durationOption, envName, quantityOption, sizeOption } from '../flags.ts';
import { addTlsFlags } from '../tls-flags.ts';

const examples = `Examples:
  yodel bench                                 50 connections for 10 s, to 127.0.0.1:7878
  yodel bench example.org 7000 -c 200 -P 16   more connections, 16 messages under way on each
  yodel bench :7878 --rate 50k/s -d 30s       a fixed rate, whether the server keeps up or not
  yodel bench :7878 -n 100k --message PING    this message, 100,000 times
  yodel bench wss://example.org/chat          WebSocket; TLS as tls://HOST:PORT
  yodel bench :7878 --json > old.json         keep the result
  yodel bench :7878 --compare old.json        compare with it
  yodel bench :7878 --assert 'p99 < 5ms' 'errors == 0' --html report.html
`;

/** `yodel bench`. */
export function benchCommand(): Command {
  const { connectTimeout } = clientOptions;
  const command = new Command('bench')
    .summary('measure what a server holds')
    .description(
      'Sends messages over many connections, holds each reply against what was sent, and says how many there were a ' +
        'second and how long they took. Ctrl-C ends early and prints what was measured.\n' +
        'Closed loop: each connection sends the next message when a reply has come. With --rate, open loop: messages go ' +
        'when they are due, and latency counts from then, so that a stall of the server shows.',
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
  min mean stdev max p50 p90 p99 p99.9 (any pN) in ms, us or s; rate in messages a second (50k/s);
  errors, messages (answered ones), unanswered, lost (connections). Compared with < <= > >= == !=

Exit status:
  0  all went well, and every --assert holds
  1  the connection failed or broke, or there were other errors
  2  wrong usage
  3  an --assert does not hold, or replies were wrong or more than was asked for
  4  nothing but time-outs`,
    )
    .helpOption('-h, --help', 'show this help')
    .addOption(quantityOption('-c, --connections <number>', 'how many connections', 'count', 50))
    .addOption(
      quantityOption('-P, --pipeline <number>', 'messages under way on each connection at once (default: 1)', 'count'),
    )
    .addOption(quantityOption('-n, --count <number>', 'how many messages to send over all connections', 'count'))
    .addOption(
      quantityOption(
        '-d, --duration <time>',
        'how long to send; with -n, whichever comes first (default: 10s)',
        'duration',
      ),
    )
    .addOption(
      quantityOption('--rate <n/s>', 'open loop: so many messages a second over all connections', 'rate').conflicts(
        'pipeline',
      ),
    )
    .optionsGroup('Messages:')
    .addOption(
      sizeOption('--size <size>', 'bytes of a message, its delimiter or length field not counted (default: 64)'),
    )
    .addOption(new Option('--message <text>', 'send this message').conflicts('size'))
    .addOption(
      new Option('--message-file <file>', 'send the lines of this file in turn').conflicts(['size', 'message']),
    )
    .addOption(new Option('--framing <framing>', framingForms).env('YODEL_FRAMING').default('lines'))
    .addOption(
      new Option('--replies <kind>', 'echo: the same bytes; count: one message for each; none: do not wait for any')
        .choices(['echo', 'count', 'none'])
        .default('echo'),
    )
    .optionsGroup('How:')
    .addOption(quantityOption('--threads <number>', 'processes that send', 'count', 1))
    .addOption(
      durationOption('-w, --connect-timeout <time>', 'how long connecting may take', connectTimeout.default).env(
        envName('connect-timeout'),
      ),
    )
    .addOption(
      quantityOption('--timeout <time>', 'how long a reply may take before it counts as an error', 'duration', 10_000),
    );
  addTlsFlags(command);
  return command
    .optionsGroup('Results:')
    .addOption(new Option('--json', 'print one JSON object instead of the summary'))
    .addOption(new Option('--html <file>', 'write a page with charts, in one file'))
    .addOption(new Option('--hdr <file>', 'write the percentiles as HdrHistogram does'))
    .addOption(new Option('--assert <expression...>', "what must hold, such as 'p99 < 5ms' 'errors == 0'"))
    .addOption(new Option('--compare <file>', 'compare with a result of --json'))
    .action(async (address: string | undefined, port: string | undefined, flags: Record<string, unknown>) => {
      const { runBench } = await import('./run.ts');
      await runBench(address, port, flags);
    });
}
