/** Workers whose event loop is blocked, or whose process is stopped. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { handlerFile, temporaryFolder } from '../../support/files.ts';
import { dial } from '../../support/peer.ts';
import { serveWithWorkers } from './workers.ts';

/** On a busy machine another worker may be late, too. */
const poll = { timeout: 15_000 };

describe('a worker that hangs', () => {
  const blocking = () =>
    handlerFile(`export default ({ text }) => {
      if (text === 'block') for (const end = Date.now() + 60_000; Date.now() < end; );
      return text;
    };`);

  it('is reported while it hangs, and the server is not ready until it responds again', async () => {
    const server = await serveWithWorkers();
    await expect.poll(() => server.status('/readyz'), poll).toBe(200);
    const [, stopped] = server.workers as [number, number];
    process.kill(stopped, 'SIGSTOP');
    await server.saw(new RegExp(`worker 2 \\(process ${stopped}\\) hangs: it has not responded for 3 s`));
    expect(await server.status('/readyz')).toBe(503);
    expect(await server.status('/healthz')).toBe(200);
    await expect.poll(() => server.metric('yodel_worker_up'), poll).toEqual({ 1: 1, 2: 0 });
    process.kill(stopped, 'SIGCONT');
    await server.saw(/worker 2 responds again/);
    await expect.poll(() => server.status('/readyz'), poll).toBe(200);
    expect((await server.stop()).status).toBe(0);
  });

  it('is killed and replaced after --worker-timeout, and gets no connections of a Unix socket before', async () => {
    const path = join(temporaryFolder(), 'y.sock');
    const args = [blocking(), '--quiet', '--worker-timeout', '4s', '--listen', `unix://${path}`];
    const server = await serveWithWorkers(args);
    const blocked = await dial(path);
    const isReset = blocked.ended.catch(() => 'reset');
    await blocked.send('block\n');
    await server.saw(/worker \d .* hangs/);
    for (let client = 0; client < 8; client++) expect(await (await dial(path)).ask('hello')).toBe('hello');
    await server.saw(/worker (\d) has not responded for 4 s \(--worker-timeout\): it is killed/);
    await server.saw(/worker \d died \(SIGKILL\)[\s\S]*restarted/);
    await isReset;
    await expect.poll(() => server.status('/readyz'), poll).toBe(200);
    expect((await server.stop()).status).toBe(0);
  });
});
