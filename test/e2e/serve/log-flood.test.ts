/** What peers cause does not fill the log, and nothing is missing from it without a word. */
import { expect, test } from 'vitest';
import { handlerFile } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serve, yodel } from '../../support/process/command.ts';

/** The messages that a log as JSON accounts for, by session: those it has, and those it counts. */
function accountOf(log: string): Map<number, { logged: number; leftOut: number }> {
  const sessions = new Map<number, { logged: number; leftOut: number }>();
  for (const line of log.trimEnd().split('\n')) {
    const { event, of, session = 0, lines = 0 } = JSON.parse(line) as Record<string, never>;
    if (event !== 'message' && !(event === 'left-out' && of === 'message')) continue;
    const account = sessions.get(session) ?? { logged: 0, leftOut: 0 };
    sessions.set(session, account);
    if (event === 'message') account.logged++;
    else account.leftOut += lines;
  }
  return sessions;
}

test('a flood of empty lines costs a few lines of the log, which count the rest; other clients keep all of theirs', async () => {
  const server = await serve(['--json']);
  const flood = await dial(server.port);
  const innocent = await dial(server.port);
  const block = '\n'.repeat(65_536);
  const blocks = 16;
  for (let sent = 0; sent < blocks; sent++) {
    await flood.send(block);
    expect(await innocent.ask(`question ${sent}`)).toBe(`question ${sent}`);
  }
  await flood.sawBytes(blocks * block.length);
  for (const peer of [flood, innocent]) {
    peer.end();
    await peer.closed;
  }
  const { stdout } = await server.stop();
  const account = accountOf(stdout.toString());
  expect(account.get(2)).toEqual({ logged: blocks, leftOut: 0 });
  const { logged, leftOut } = account.get(1) ?? { logged: 0, leftOut: 0 };
  expect(logged + leftOut).toBe(blocks * block.length);
  expect(logged).toBeGreaterThan(100);
  expect(logged).toBeLessThan((blocks * block.length) / 10);
});

test('messages at a moderate rate are all logged, also many at once', async () => {
  const server = await serve(['--log-format', 'text']);
  const input = Array.from({ length: 1000 }, (_, number) => `${number}\n`).join('');
  const { stdout: replies } = await yodel(['connect', server.address], { input });
  expect(replies.toString()).toBe(input);
  const { stdout } = await server.stop();
  const messages = stdout.toString().match(/ \d B \d+$/gm) ?? [];
  expect(messages.map((line) => line.split(' B ')[1]).join('\n')).toBe(input.trimEnd());
});

test('a handler that fails for every client is reported on stderr, at most a thousand times a second, and counted', async () => {
  const handler = handlerFile('export default { open() { throw new Error("as always"); } };');
  const server = await serve([handler, '--quiet']);
  const connections = 1500;
  for (let count = 0; count < connections; count += 100) {
    const peers = await Promise.all(Array.from({ length: 100 }, () => dial(server.port)));
    for (const peer of peers) peer.end();
    await Promise.all(peers.map((peer) => peer.closed));
  }
  const { stderr } = await server.stop();
  const shown = stderr.match(/^yodel: the handler failed for \S+: Error: as always$/gm)?.length ?? 0;
  const counts = [...stderr.matchAll(/^yodel: 127\.0\.0\.1 … ([\d,]+) more failures? of the handler not logged$/gm)];
  const counted = counts.reduce((sum, [, count = '']) => sum + Number(count.replaceAll(',', '')), 0);
  expect(shown + counted).toBe(connections);
});

test('with workers, lines about long messages stay whole, and have their beginning', async () => {
  const handler = handlerFile("export default () => 'ok';");
  const server = await serve([handler, '--workers', '2', '--json', '--max-message', '4MiB']);
  const text = 'ä'.repeat(1_048_576);
  const peer = await dial(server.port);
  await peer.send(`${text}\n`);
  await peer.saw(/ok\n/);
  peer.end();
  await peer.closed;
  await server.saw(/"closed"/);
  const { stdout } = await server.stop();
  const objects = stdout
    .toString()
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(objects.find(({ event }) => event === 'message')).toMatchObject({
    bytes: 2 * text.length,
    text: text.slice(0, 32_768),
    truncated: true,
  });
});
