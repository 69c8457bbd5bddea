/** What the page about several machines shows of `yodel publish` and `yodel subscribe`, and its program, with a real Redis. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import { openRooms } from '../../src/members/shared-rooms.ts';
import { BrokerProgram, withBrokers } from '../bus/broker/programs.ts';
import { temporaryFolder } from '../support/files.ts';
import { run, start } from '../support/process/command.ts';
import { folderWithYodel } from '../support/shell.ts';

const page = readFileSync(new URL('../../docs/clusters.md', import.meta.url), 'utf8');
const position = /\b[0-9a-z]+-[0-9a-z]+-[\w-]{16}/g;

/** The lines of a block of the page. */
function linesOf(name: string): string[] {
  const [, text] = new RegExp(`<!-- ${name} -->\n\`\`\`\\w+\n(.*?)\n\`\`\``, 's').exec(page) ?? [];
  if (text === undefined) throw new Error(`the page has no block ${name}`);
  return text.split('\n');
}

const environment = (broker: BrokerProgram) => ({
  YODEL_BUS: broker.url(),
  PATH: `${folderWithYodel()}:${process.env.PATH}`,
});

withBrokers('the commands print what the page shows', async () => {
  const broker = await BrokerProgram.startWithStore('redis');
  const [, ...lines] = linesOf('publish');
  while (lines.length > 0) {
    const command = (lines.shift() as string).replace(/^\$ /, '');
    const end = lines.findIndex((line) => line.startsWith('$ '));
    const expected = lines.splice(0, end < 0 ? lines.length : end);
    const { stdout, stderr, status } = await run(['sh', '-c', command], { env: environment(broker) });
    const printed = `${stdout}${stderr}`.replace(position, 'POSITION');
    expect(
      printed
        .replace(/"time":"[^"]*"/g, '"time":"TIME"')
        .trim()
        .split('\n'),
      command,
    ).toEqual(expected);
    expect(status).toBe(0);
  }
});

withBrokers('the script goes on where it was, although it was killed', async () => {
  const broker = await BrokerProgram.startWithStore('redis');
  const [env, cwd] = [environment(broker), temporaryFolder()];
  const log = () => (existsSync(join(cwd, 'news.log')) ? readFileSync(join(cwd, 'news.log'), 'utf8') : '');
  const store = (text: string) => run(['sh', '-c', `yodel publish news ${text} --store --quiet`], { env });
  for (const [index, text] of ['one', 'two'].entries()) {
    await store(text);
    // A group of processes, which ends as a whole.
    const script = start(['sh', '-c', linesOf('resume').join('\n')], { env, cwd, hasChildren: true });
    await expect.poll(() => log().split('\n').length - 1).toBe(index + 1);
    process.kill(-script.pid, 'SIGKILL');
  }
  expect(log().replace(position, '')).toBe('\tone\n\ttwo\n');
});

withBrokers('the program prints what is stored, and what is sent', async () => {
  const broker = await BrokerProgram.startWithStore('redis');
  const program = new URL('../../examples/room-feed.ts', import.meta.url).pathname;
  const running = start([process.execPath, program], { env: { BUS: broker.url() } });
  await running.saw(/\S+: the program has started\n/);
  const rooms = await openRooms(broker.url(), { prefix: 'example' });
  onTestFinished(() => rooms.close());
  rooms.room('news').send('hello');
  await running.saw(/not stored: hello\n/);
  await rooms.room('news').store('the end');
  const { stdout, status } = await running.ended;
  expect(stdout.toString()).toMatch(/: the end\n$/);
  expect(status).toBe(0);
});
