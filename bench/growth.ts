/**
 * Does a journal get slower as it grows? Writes `messages` messages (default: ten million) and reports the processor time
 * per message for each million, then how long reading takes.
 *
 *     node bench/growth.ts [messages] [node|bun]
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build, buildFolder, loadGenerator } from './build.ts';
import { groupSeconds } from './machine.ts';
import { capture } from './processes.ts';
import { freePort, startServer } from './server.ts';

const [messageCount = '10000000', runtime = 'node'] = process.argv.slice(2);
const command = fileURLToPath(new URL('../dist/cli/yodel.cjs', import.meta.url));
const slice = 1_000_000;

await build([]);
const folder = mkdtempSync(join(buildFolder, 'data-'));
const file = join(folder, 'growth.journal');
const port = await freePort();
const serve = ['serve', '--quiet', '--listen', `127.0.0.1:${port}`, '--journal', file];
const server = await startServer([runtime, command, ...serve], port, 64, undefined);
try {
  let total = 0;
  let shown = { total: 0, seconds: groupSeconds(server.pid) };
  while (total < Number(messageCount)) {
    const load = [loadGenerator, '127.0.0.1', `${port}`, '-c', '64', '-p', '64', '-s', '64', '-t', '0.5', '-w', '0.01'];
    const outcome = await capture(load as [string, ...string[]], { withinMs: 20_000 });
    if (outcome.status !== 0) throw new Error(outcome.stderr);
    total = stats().messages;
    if (total - shown.total < slice) continue;
    const seconds = groupSeconds(server.pid);
    const each = ((seconds - shown.seconds) / (total - shown.total)) * 1e6;
    print(`${(total / 1e6).toFixed(1).padStart(6)} million messages: ${each.toFixed(2)} µs of processor time each`);
    shown = { total, seconds };
  }
  print(`the file has ${(statSync(file).size / total).toFixed(0)} bytes a message`);
  const { last, to } = stats();
  const since = new Date(to - 100).toISOString();
  for (const args of [
    ['stats'],
    ['ls'],
    ['cat', '--from', `${last - 10}`],
    ['cat', '--since', since],
    ['cat', '--session', '1', '--to', '1'],
  ]) {
    const began = performance.now();
    yodel(args[0] as string, ...args.slice(1));
    print(`yodel journal ${args.join(' ')}: ${Math.round(performance.now() - began)} ms`);
  }
} finally {
  await server.kill();
  rmSync(folder, { recursive: true, force: true });
}

function yodel(name: string, ...args: string[]): string {
  const words = [command, 'journal', name, file, ...args];
  return execFileSync(runtime, words, { maxBuffer: 1e9, encoding: 'utf8' });
}

function stats(): { messages: number; last: number; to: number } {
  return JSON.parse(yodel('stats', '--json'));
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}
