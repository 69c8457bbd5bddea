/** The number of children of `yodel serve exec:COMMAND`, whatever clients and children do. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { allGone, childrenOf, isRunning } from '../../support/process/children.ts';
import { serve } from '../../support/process/command.ts';
import { waitUntil } from '../../support/process/process.ts';

/** Prints its process id, and ends only when it is killed. */
const stubborn = 'trap "" TERM; echo $$; while :; do sleep 0.1; done';

test('a client that reconnects never has more children than connections are allowed, also while they die slowly', async () => {
  const server = await serve([`exec:${stubborn}`, '--shell', '--max-connections', '3', '--quiet']);
  let refused = 0;
  let most = 0;
  for (let attempt = 0; attempt < 12; attempt++) {
    const peer = await dial(server.port);
    const [, reason] = await peer.saw(/^(?:\d+\n|(error: .*)\n)/);
    if (reason !== undefined) {
      expect(reason).toMatch(/^error: the server has reached its limit of 3 connections/);
      refused++;
    }
    most = Math.max(most, childrenOf(server.pid).length);
    peer.reset();
  }
  expect(most).toBe(3);
  expect(refused).toBeGreaterThan(0);
  // Their places are free when they are dead, and not before.
  await waitUntil('a child is killed', () => childrenOf(server.pid).length < 3);
  for (let isServed = false; !isServed; ) {
    const next = await dial(server.port);
    const [, child] = await next.saw(/^(?:(\d+)\n|error: .*\n)/);
    isServed = child !== undefined;
    if (!isServed) next.reset();
    expect(childrenOf(server.pid).length).toBeLessThanOrEqual(3);
  }
});

test('with a child for each message, the next one starts when nothing of the last one is left', async () => {
  const folder = temporaryFolder();
  const pid = join(folder, 'pid');
  const script = join(folder, 'run.sh');
  writeFileSync(pid, '0');
  // Replies whether what the previous call left behind still runs, and leaves something behind.
  writeFileSync(
    script,
    `case $(sed 's/.*) //' /proc/$(cat ${pid})/stat 2>/dev/null) in ''|Z*) echo gone;; *) echo running;; esac
     (trap "" TERM; while :; do sleep 0.1; done) >/dev/null 2>&1 &
     echo $! > ${pid}`,
  );
  const server = await serve([`exec:/bin/sh ${script}`, '--exec-per-message']);
  const peer = await dial(server.port);
  expect(await peer.ask('one')).toBe('gone');
  expect(await peer.ask('two')).toBe('gone');
});

test.each([
  ['one process', []],
  ['several', ['--workers', '2']],
])('%s: when the server is killed, its children end, with what they started', async (_, workers) => {
  const family = `trap "" TERM; (trap "" TERM; while :; do sleep 0.1; done) & echo $$ $!; while :; do sleep 0.1; done`;
  const server = await serve([`exec:${family}`, '--shell', ...workers]);
  const peer = await dial(server.port);
  const [, child, grandchild] = await peer.saw(/^(\d+) (\d+)\n/);
  for (const pid of [server.pid, ...(workers.length > 0 ? childrenOf(server.pid) : [])]) process.kill(pid, 'SIGKILL');
  await allGone(Number(child), Number(grandchild));
  expect(isRunning(server.pid)).toBe(false);
});
