/** `yodel send` again and again: `--repeat`, `--watch`, `--latency`. */
import { describe, expect, test } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { commandPath, serve, start, yodel } from '../../support/process/command.ts';
import { listen } from '../../support/servers.ts';
import { exitStatusIn } from '../../support/talk.ts';
import { Terminal } from '../../support/terminal.ts';
import { testWith } from '../../support/tools.ts';

const tmux = testWith('tmux', 'apt-get install tmux');

/** Answers with the number of the message. */
const counting = 'let count = 0; export default () => String(++count);';
/** Answers a, a, a, b, b, b, … */
const changing = "let count = 0; export default () => 'abcdefgh'[Math.floor(count++ / 3)] ?? 'z';";

describe('--repeat', () => {
  test('sends the messages this often, and sums up on stderr', async () => {
    const { address } = await serve([handlerFile(counting)]);
    const { status, stdout, stderr } = await yodel(['send', address, 'a', 'b', '--repeat', '3', '--interval', '1ms']);
    expect([status, stdout.toString()]).toEqual([0, '1\n2\n3\n4\n5\n6\n']);
    expect(stderr).toMatch(/^yodel: 6 messages answered: min [\d.]+, avg [\d.]+, p99 [\d.]+, max [\d.]+ ms\n$/);
  });

  test.each([['--repeat'], ['--repeat', '0'], ['--repeat', '-1']].map((flags) => [flags]))(
    '%j sends until a signal, whose status it has, and then sums up',
    async (flags) => {
      const { address } = await serve();
      const sending = start([process.execPath, commandPath, 'send', address, 'hello', '--interval', '5ms', ...flags]);
      await sending.saw(/hello\nhello\n/);
      const { status, stderr } = await sending.stop('SIGINT');
      expect(status).toBe(130);
      expect(stderr).toMatch(/^yodel: \d+ messages answered: min /);
    },
  );

  test('a server that ends meanwhile is exit status 1', async () => {
    const { address } = await listen((socket) => {
      socket.once('data', (bytes) => void socket.end(bytes));
    });
    const { status, stdout, stderr } = await yodel(['send', address, 'hello', '--repeat', '--interval', '10s']);
    expect([status, stdout.toString()]).toEqual([1, 'hello\n']);
    expect(stderr).toContain('ended the connection');
  });
});

describe('--watch', () => {
  test('prints in a pipe only what has changed', async () => {
    const { address } = await serve([handlerFile(changing)]);
    const args = ['send', address, 'x', '--watch', '--repeat', '9', '--interval', '1ms'];
    const { status, stdout, stderr } = await yodel(args);
    expect([status, stdout.toString()]).toEqual([0, 'a\nb\nc\n']);
    expect(stderr).toMatch(/^yodel: 9 rounds, 2 changes; min /);
  });

  tmux('shows the newest reply on a terminal, until Ctrl-C', async () => {
    const { address } = await serve([handlerFile(counting)]);
    const terminal = new Terminal();
    terminal.enter(`yodel send ${address} count --watch --interval 50ms`);
    await terminal.sees(/^every 50ms: count {2}[\d:.]+ {2}[\d.]+ ms\n\n[3-9]\d*$/);
    terminal.press('C-c');
    await terminal.sees(/\nyodel: \d+ rounds, \d+ changes; min .* ms\n\$$/);
    expect(await exitStatusIn(terminal)).toBe(130);
  });
});

const line = 'min [\\d.]+, avg [\\d.]+, p99 [\\d.]+, max [\\d.]+ ms';

describe('--latency', () => {
  test('prints in a pipe one line after as many samples as --repeat says', async () => {
    const { address } = await serve();
    const { status, stdout } = await yodel(['send', address, 'x', '--latency', '--repeat', '20', '--interval', '1ms']);
    expect(stdout.toString()).toMatch(new RegExp(`^${line} \\(20 samples in [\\d.]+ s\\)\\n$`));
    expect(status).toBe(0);
  });

  test('prints a JSON object with --json', async () => {
    const { address } = await serve();
    const args = ['send', address, 'x', '--latency', '--repeat', '5', '--json'];
    const { minMs, avgMs, maxMs, samples } = JSON.parse((await yodel(args)).stdout.toString());
    expect(samples).toBe(5);
    expect(minMs <= avgMs && avgMs <= maxMs).toBe(true);
  });

  test('prints a line for each period with --latency-history, and one for the last, on SIGTERM too', async () => {
    const { address } = await serve();
    const history = ['--latency-history', '50ms', '--interval', '1ms'];
    const sending = start([process.execPath, commandPath, 'send', address, 'x', ...history]);
    await sending.saw(new RegExp(`\\n(?:${line} \\(\\d+ samples? in [\\d.]+ s\\)\\n){3}`));
    const { status, stderr } = await sending.stop('SIGTERM');
    expect([status, stderr]).toEqual([143, '']);
  });

  tmux('replaces its line on a terminal, until Ctrl-C', async () => {
    const { address } = await listen((socket) => {
      socket.on('data', (bytes) => socket.write(bytes));
    });
    const terminal = new Terminal();
    terminal.enter(`clear; yodel send ${address} x --latency`);
    await terminal.sees(new RegExp(`^${line} \\(\\d{2,} samples in [\\d.]+ s\\)$`));
    terminal.press('C-c');
    await terminal.sees(new RegExp(`^${line} \\(\\d+ samples in [\\d.]+ s\\)\\n\\$$`));
    expect(await exitStatusIn(terminal)).toBe(130);
  });
});

test('flags that exclude each other, and values that are none, are refused', async () => {
  const both = await yodel(['send', ':1', 'x', '--watch', '--latency']);
  expect([both.status, both.stderr]).toEqual([2, 'yodel: --watch and --latency cannot be used together\n']);
  const noNumber = await yodel(['send', ':1', '--repeat', 'x']);
  expect([noNumber.status, noNumber.stderr]).toEqual([2, expect.stringContaining('write it last')]);
});
