/** An event loop that is blocked by a handler: it is reported while it lasts. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { allGone, isRunning } from '../../support/process/children.ts';
import { serve } from '../../support/process/command.ts';
import { serveWithWorkers } from './workers.ts';

/** A handler that computes from `block` until a file exists. */
function blockingHandler(): { readonly file: string; release(): void } {
  const end = join(temporaryFolder(), 'end');
  const file = handlerFile(
    `import { existsSync } from 'node:fs';
    export default ({ text }) => {
      if (text === 'block') while (!existsSync(${JSON.stringify(end)}));
      return text;
    };`,
  );
  return { file, release: () => writeFileSync(end, '') };
}

test('a handler that blocks the event loop is reported while it does, by its name and session, and when it is over', async () => {
  const { file, release } = blockingHandler();
  const server = await serve([file, '--quiet', '--blocked-warning', '300ms']);
  const first = await dial(server.port);
  await first.ask('hello');
  const second = await dial(server.port);
  await second.send('block\n');
  await server.saw(/yodel: the event loop has been blocked for \d\.\d s, in the handler (\S+), session #2\n/);
  expect(server.stderr()).toContain(`in the handler ${file},`);
  expect(server.stderr()).not.toMatch(/session #2\n[\s\S]*runs again/);
  release();
  await server.saw(/session #2\nyodel: the event loop runs again; it was blocked for \d+\.\d s\n/);
  expect(await first.ask('hello')).toBe('hello');
  expect((await server.stop()).status).toBe(0);
});

test('a server that was stopped by a signal, or whose warning is off, reports nothing', async () => {
  const { file, release } = blockingHandler();
  const [stopped, silent] = await Promise.all([
    serve([file, '--quiet']),
    serve([file, '--quiet', '--blocked-warning', 'off']),
  ]);
  const blocked = await dial(silent.port);
  await blocked.send('block\n');
  const peer = await dial(stopped.port);
  process.kill(stopped.pid, 'SIGSTOP');
  // Longer than the threshold.
  await new Promise((resolve) => setTimeout(resolve, 1500));
  process.kill(stopped.pid, 'SIGCONT');
  expect(await peer.ask('hello')).toBe('hello');
  release();
  for (const server of [stopped, silent]) {
    const { status, stderr } = await server.stop();
    expect([status, stderr.includes('blocked')]).toEqual([0, false]);
  }
});

test('a worker that is blocked says so, and does not outlive its parent', async () => {
  const { file, release } = blockingHandler();
  const server = await serveWithWorkers([file, '--quiet']);
  const workers = [...server.workers];
  const peer = await dial(server.port);
  peer.ended.catch(() => undefined);
  await peer.send('block\n');
  await server.saw(
    /yodel: worker \d: the event loop has been blocked for \d\.\d s, in the handler \S+, session #\d\.1\n/,
  );
  expect(workers.every(isRunning)).toBe(true);
  process.kill(server.pid, 'SIGKILL');
  await allGone(...workers);
  release();
});
