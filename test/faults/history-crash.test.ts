/** kill -9 while rooms store. */
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { openJournal } from '../../src/journal/sqlite.ts';
import { Verification } from '../../src/journal/verify.ts';
import { contentOf, expectChain, readAll, recording } from '../rooms/stored/conformance.ts';
import { temporaryFolder } from '../support/files.ts';
import { dial, type Peer } from '../support/peer.ts';
import { serve, start } from '../support/process/command.ts';
import { waitUntil } from '../support/process/process.ts';

const program = new URL('./appending-program.ts', import.meta.url).pathname;
const storingHandler = new URL('./storing-handler.ts', import.meta.url).pathname;
const times = 3;

/** Starts the program, and kills it at any moment. Returns what it has printed. */
async function killed(
  file: string,
  run: number,
): Promise<readonly (readonly [room: string, number: number, id: string])[]> {
  const running = start([process.execPath, program, file, `${run}`]);
  const printed = () => running.stdout().split('\n').slice(0, -1);
  let hasEnded = false;
  void running.ended.finally(() => {
    hasEnded = true;
  });
  await waitUntil('something is stored in each room', () => hasEnded || printed().length >= 40);
  await delay(Math.random() * 100);
  const { signal, stderr } = await running.stop('SIGKILL');
  expect({ signal, stderr }).toEqual({ signal: 'SIGKILL', stderr: '' });
  return printed().map((line) => {
    const [room = '', number = '', id = ''] = line.split(' ');
    return [room, Number(number), id];
  });
}

test(`after kill -9, ${times} times, everything that was stored is there, once and in order`, {
  timeout: 180_000,
}, async () => {
  const file = join(temporaryFolder(), 'rooms.journal');
  const stored: Awaited<ReturnType<typeof killed>>[number][] = [];
  for (let run = 0; run < times; run++) stored.push(...(await killed(file, run)));
  const journal = await openJournal(file);
  onTestFinished(() => journal.close());
  const store = journal.openStore();
  store.start(recording({}).receiver);
  for (const room of ['a', 'b', 'c', 'd']) {
    const batches = await readAll(store, room);
    const contents = expectChain(batches);
    const ends = new Map(batches.map(({ first, count, id }) => [id, first + count - 1]));
    expect(ends.size).toBe(batches.length);
    const own = stored.filter(([name]) => name === room);
    expect(own.filter(([, number, id]) => ends.get(id) !== number)).toEqual([]);
    for (let run = 0; run < times; run++) {
      const kept = contents.filter((content) => content.startsWith(`${run} `));
      expect(kept).toEqual(kept.map((_, index) => `${run} ${index}`));
      expect(kept.length).toBeGreaterThan(0);
    }
    // One batch after another: at most the last one is not known to be stored.
    expect(batches.length - own.length).toBeLessThanOrEqual(times);
    expect(contentOf(batches[0] as (typeof batches)[0])).toBe('0 0');
  }
  const verification = new Verification(file);
  for await (const step of verification.run()) void step;
  verification.close();
  expect(verification.problems).toEqual([]);
});

/** Resolves when the server has ended or broken the connection. */
function over({ ended }: Peer): Promise<unknown> {
  return ended.catch(() => undefined);
}

/** A member that returns with the position of the last message it has received. */
class Member {
  readonly texts: string[] = [];
  /** Of its returns: whether nothing was missing. */
  readonly recovered: string[] = [];
  #position = '0';

  /** Joins. Receives until the server is gone. */
  async join(port: number): Promise<{ readonly gone: Promise<unknown> }> {
    const peer = await dial(port);
    await peer.send(`join ${this.#position}\n`);
    const [, recovered = ''] = await peer.saw(/^joined (\w+) \d+$/m);
    this.recovered.push(recovered);
    const gone = over(peer).then(() => {
      // A line that the end has cut was not received.
      for (const line of peer.text.split('\n').slice(0, -1)) {
        const [position = '', text = ''] = line.split(' ');
        if (position === 'joined') continue;
        this.#position = position;
        this.texts.push(text);
      }
    });
    return { gone };
  }
}

test('members of a server that is killed twice have everything, once and in order', { timeout: 180_000 }, async () => {
  const file = join(temporaryFolder(), 'rooms.journal');
  const members = [new Member(), new Member(), new Member()];
  const stored: string[] = [];
  for (let run = 0; run < 3; run++) {
    const server = await serve(['--quiet', '--journal', file, '--journal-durability', 'normal', storingHandler]);
    const joined = await Promise.all(members.map((member) => member.join(server.port)));
    const source = await dial(server.port);
    await source.send(Array.from({ length: 30 }, (_, index) => `store ${run}-${index}\n`).join(''));
    if (run < 2) await source.saw(new RegExp(`^stored ${run}-${5 + run * 5} `, 'm'));
    else await source.saw(/^stored 2-29 /m);
    // The last one ends as servers usually do: members have what was stored by then.
    await server.stop(run < 2 ? 'SIGKILL' : 'SIGTERM');
    await over(source);
    await Promise.all(joined.map(({ gone }) => gone));
    stored.push(...[...source.text.matchAll(/^stored (\S+) \S+$/gm)].map(([, text = '']) => text));
  }
  const { texts } = members[0] as Member;
  expect(new Set(texts).size).toBe(texts.length);
  expect(stored.filter((text) => !texts.includes(text))).toEqual([]);
  for (let run = 0; run < 3; run++) {
    const own = texts.filter((text) => text.startsWith(`${run}-`));
    expect(own).toEqual(own.map((_, index) => `${run}-${index}`));
  }
  for (const member of members) {
    expect(member.texts).toEqual(texts);
    expect(member.recovered).toEqual(['true', 'true', 'true']);
  }
});
