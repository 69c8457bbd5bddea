/** `yodel serve chat --workers`: people do not see that there are several processes. */
import { expect, test } from 'vitest';
import { eventually } from '../../support/eventually.ts';
import { dial, type Peer } from '../../support/peer.ts';
import { waitUntil } from '../../support/process/process.ts';
import { type ServerWithWorkers, serveWithWorkers } from './workers.ts';

/** The last answer to `/who` that a peer has. */
function listed({ text }: Peer): string[] {
  return (
    text
      .match(/^\* In lobby: (.*)$/gm)
      ?.at(-1)
      ?.slice('* In lobby: '.length)
      .split(', ')
      .sort() ?? []
  );
}

/** Asks everybody who is there, until all have the same answer, with so many names, and all of these among them. */
async function allKnow(peers: readonly Peer[], size: number, expected: readonly string[] = []): Promise<string[]> {
  await eventually(async () => {
    await Promise.all(peers.map((peer) => peer.ask('/who')));
    const lists = peers.map(listed);
    for (const list of lists) expect(list).toEqual(lists[0]);
    expect(lists[0]).toHaveLength(size);
    expect(new Set(lists[0]).size).toBe(size);
    expect(lists[0]).toEqual(expect.arrayContaining([...expected]));
  });
  return listed(peers[0] as Peer);
}

/** People at both workers, at least three each. The kernel distributes them. */
async function peersOfBoth(server: ServerWithWorkers): Promise<Peer[]> {
  const peers: Peer[] = [];
  const isEnough = (each: Record<string, number>) => Object.values(each).filter((count) => count >= 3).length === 2;
  while (peers.length < 12 || !isEnough(await server.metric('yodel_connections_open'))) {
    if (peers.length > 90) throw new Error('the kernel has given almost all connections to one worker');
    peers.push(...(await Promise.all(Array.from({ length: 6 }, () => dial(server.port)))));
    await Promise.all(peers.map((peer) => peer.saw(/ joined lobby$/m)));
  }
  return peers;
}

test('nicknames are unique, private messages reach everybody, and /who lists all, also when a worker dies', async () => {
  const server = await serveWithWorkers(['chat', '--quiet', '--rate', '1000/s', '--room-history', '3'], 2);
  const peers = await peersOfBoth(server);
  const { length } = peers;
  await allKnow(peers, length);

  // All want one name at once. One has it in the end, and each of the others was told why not.
  await Promise.all(peers.map((peer) => peer.send('/nick ana\n')));
  const isLoser = ({ text }: Peer) => /^error: ana is somebody else$|^\* Somebody else was called ana /m.test(text);
  await waitUntil('all but one have lost the name', () => peers.filter(isLoser).length === length - 1);
  const names = await allKnow(peers, length);
  expect(names.filter((name) => name === 'ana')).toHaveLength(1);
  const ana = peers.find((peer) => !isLoser(peer)) as Peer;
  await peers.find(isLoser)?.send('/msg ANA is it you?\n');
  await ana.saw(/^\(private\) guest-\d+ to ana: is it you\?$/m);

  for (const [index, peer] of peers.entries()) await peer.send(`/nick n${index}\n`);
  const numbered = peers.map((_, index) => `n${index}`);
  await allKnow(peers, length, numbered);
  const [sender] = peers as [Peer];
  for (const name of numbered) await sender.send(`/msg ${name} for ${name}\n`);
  for (const [index, peer] of peers.entries()) {
    await peer.saw(new RegExp(`^\\(private\\) n0 to n${index}: for n${index}$`, 'm'));
    if (peer !== sender) expect(peer.text.match(/: for n/g)).toHaveLength(1);
  }

  const gone = new Set<number>();
  for (const [index, peer] of peers.entries())
    void peer.ended.then(
      () => gone.add(index),
      () => gone.add(index),
    );
  process.kill(server.workers[0] as number, 'SIGKILL');
  await waitUntil('the clients of a worker are gone', () => gone.size > 0);
  // All of them at once, and nobody else.
  await waitUntil('the worker is replaced', () => /worker 1 restarted/.test(server.stderr()));
  const rest = peers.filter((_, index) => !gone.has(index));
  expect(rest.length).toBeGreaterThan(0);
  await allKnow(
    rest,
    rest.length,
    numbered.filter((_, index) => !gone.has(index)),
  );
  // The names of those who are gone are free.
  await rest[0]?.send(`/nick n${[...gone][0]}\n`);
  await rest.at(-1)?.saw(new RegExp(` is now n${[...gone][0]}$`, 'm'));
  // Those who come see what was said, also at the process that is new.
  await eventually(async () => {
    await rest[0]?.send('welcome\n');
    const late = await peersOfBoth(server);
    try {
      for (const peer of late)
        expect(peer.text).toMatch(/^\* Before you joined lobby:\n(\[lobby\] .*\n)*\[lobby\] n\d+: welcome$/m);
    } finally {
      for (const peer of late) peer.end();
    }
  });
  expect((await server.stop()).status).toBe(0);
});
