/** The supervisor, running a program of the test. */
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { ProcessEnd } from '../../src/process/program-process.ts';
import { Workers } from '../../src/server/workers.ts';
import { temporaryFile } from '../support/files.ts';

interface Work {
  readonly name: string;
  /** The worker that refuses it. */
  readonly refusedBy?: number;
}

/** Reports its work as its metrics, and that it lives: while others start, it would seem to hang. */
const program = `
setInterval(() => process.send({ alive: true }), 500).unref();
let work;
const number = Number(process.argv[2]);
process.on('message', (command) => {
  if (command.serve) {
    work = command.serve;
    if (work.name === 'none') process.exit(7);
    process.send({ listening: true });
  } else if (command.reload) {
    if (command.reload.name === 'stuck') return;
    const refused = command.reload.refusedBy === number ? 'refused' : undefined;
    if (!refused) work = command.reload;
    process.send({ reloaded: command.number, refused });
  } else if (command.metrics) process.send({ metrics: command.metrics, text: work.name });
  else if (command.drain) process.exit(number === 2 && work.name === 'bad end' ? 3 : 0);
});
`;

/** Long enough for processes on a busy machine. */
const withinMs = 60_000;

function workers(work: Work, count = 3, reloadTimeout = 0) {
  const deaths: [number, ProcessEnd, number][] = [];
  const all = new Workers<Work>({
    count,
    program: temporaryFile('worker.mjs', program),
    work,
    listener: {
      line: () => undefined,
      died: ({ number }, end, restartInMs) => void deaths.push([number, end, restartInMs]),
      replaced: () => undefined,
      hangs: () => undefined,
      responds: () => undefined,
      givenUp: () => undefined,
    },
    workerTimeout: 0,
    reloadTimeout,
  });
  onTestFinished(() => all.kill());
  return { all, deaths };
}

describe('workers', () => {
  it('are started, queried, and ended', async () => {
    const { all } = workers({ name: 'first' });
    await all.start();
    expect(all.all.map(({ number, isUp, restarts }) => [number, isUp, restarts])).toEqual([
      [1, true, 0],
      [2, true, 0],
      [3, true, 0],
    ]);
    expect(await all.metrics(withinMs)).toEqual(['first', 'first', 'first']);
    expect(await all.end(withinMs)).toEqual([0, 0, 0].map((status) => ({ status, signal: null })));
  });

  it('all fail to start when one of them fails', async () => {
    const { all } = workers({ name: 'none' });
    await expect(all.start()).rejects.toMatchObject({ end: { status: 7, signal: null } });
  });

  it('change their work; when one refuses, all keep their old work', async () => {
    const { all } = workers({ name: 'first' });
    await all.start();
    await all.reload({ name: 'second' });
    expect(await all.metrics(withinMs)).toEqual(['second', 'second', 'second']);
    await expect(all.reload({ name: 'third', refusedBy: 2 })).rejects.toThrow('refused');
    expect(await all.metrics(withinMs)).toEqual(['second', 'second', 'second']);
  });

  it('that do not change their work in time are killed and replaced', async () => {
    const { all, deaths } = workers({ name: 'first' }, 1, 50);
    await all.start();
    await expect(all.reload({ name: 'stuck' })).rejects.toThrow('worker 1 did not respond within 0.05 s');
    await vi.waitFor(() => expect(deaths).toMatchObject([[1, { signal: 'SIGKILL' }, 100]]), 20_000);
  });

  it('report how each of them ended', async () => {
    const { all, deaths } = workers({ name: 'bad end' });
    await all.start();
    expect(await all.end(withinMs)).toMatchObject([{ status: 0 }, { status: 3 }, { status: 0 }]);
    expect(deaths).toEqual([]);
  });
});
