/** Brokers with low limits: each loss is counted, each is reported, and the connection comes back. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { temporaryFile } from '../../support/files.ts';
import { waitUntil } from '../../support/process/process.ts';
import { Passage } from './passage.ts';
import { BrokerProgram, kinds, withBrokers } from './programs.ts';
import { countOf, Member, settled, startNode } from './servers.ts';

/** Limits for a subscriber that does not read. */
const limits = {
  redis: () => ['--client-output-buffer-limit', 'pubsub', '300kb', '200kb', '1'],
  nats: () => ['-c', temporaryFile('nats.conf', 'max_payload: 200000\nmax_pending: 300000\nwrite_deadline: "1s"\n')],
};

describe.each(kinds)('%s with low limits for slow subscribers', (kind) => {
  withBrokers('cuts them off, and every loss is counted', async () => {
    const broker = await BrokerProgram.start(kind, limits[kind]());
    const passage = await Passage.to(broker.port);
    const slow = `${kind}://127.0.0.1:${passage.port}`;
    const nodes = [await startNode(broker.url(), {}, 8_388_608), await startNode(slow)] as const;
    const member = await Member.of(nodes[1], 'a');
    await settled(nodes, 'a', 1);
    const room = nodes[0].server.room('a');
    let sent = 1;
    room.send('1 first');
    await waitUntil('it has arrived', () => member.messages.length === 1);
    passage.block();
    while (!/slow consumer|output buffer limits/i.test(broker.output)) {
      for (let message = 0; message < 20; message++) room.send(`${++sent} ${'x'.repeat(100_000)}`);
      await delay(10);
    }
    passage.open();
    await waitUntil('it has noticed', () => nodes[1].events.length > 1);
    await waitUntil('it is back', () => nodes[1].events.at(-1)?.startsWith('connected') === true);
    room.send(`${++sent} last`);
    const account = () => ({
      sent,
      account: member.messages.length + member.missed,
      error: member.error,
      events: nodes.map(({ events }) => events.length),
    });
    await expect.poll(account, { timeout: 30_000 }).toMatchObject({ account: sent });
    expect(member.missed).toBeGreaterThan(0);
  });
});

/** Brokers that take no more than this in a packet. */
const smallest = {
  redis: { longest: 1_048_576, args: () => ['--proto-max-bulk-len', '1mb', '--client-query-buffer-limit', '1mb'] },
  nats: { longest: 1024, args: () => ['-c', temporaryFile('nats.conf', 'max_payload: 1024\n')] },
};
/** What a packet has besides a single message. */
const head = 74;

describe.each(kinds)('%s with the least limits for packets', (kind) => {
  withBrokers('passes on messages around its limits, alone and together', async () => {
    const { longest, args } = smallest[kind];
    const broker = await BrokerProgram.start(kind, args());
    const nodes = [await startNode(broker.url(), {}, 67_108_864), await startNode(broker.url())] as const;
    const member = await Member.of(nodes[1], 'a');
    await settled(nodes, 'a', 1);
    const limits = [longest, longest - head, 1_000_000, 1_000_000 - head, 262_144];
    const sizes = limits.flatMap((limit) => [-2, -1, 0, 1, 2].map((more) => limit + more));
    const room = nodes[0].server.room('a');
    for (const [index, size] of sizes.entries()) {
      room.send(Buffer.alloc(size, 'x'));
      // Every other one leaves in the same turn as the one before it.
      if (index % 2 > 0) await delay(5);
    }
    await waitUntil(`all have arrived: ${nodes[1].events}`, () => member.messages.length === sizes.length);
    expect(member.messages.map(({ size }) => size)).toEqual(sizes);
    expect(member.missed).toBe(0);
    for (const node of nodes) expect(node.events).toHaveLength(1);
  });
});

withBrokers(
  'a Redis that cuts a subscriber off at each long message: all are counted, and each cut is reported',
  async () => {
    const broker = await BrokerProgram.start('redis', ['--client-output-buffer-limit', 'pubsub', '64kb', '0', '0']);
    const nodes = [await startNode(broker.url()), await startNode(broker.url())] as const;
    const member = await Member.of(nodes[1], 'a');
    await settled(nodes, 'a', 1);
    const room = nodes[0].server.room('a');
    for (let cut = 1; cut <= 3; cut++) {
      room.send(`short ${cut}`);
      room.send('x'.repeat(500_000));
      await waitUntil('it was cut off', () => countOf(nodes[1], 'disconnected') === cut);
      await waitUntil('it is back', () => countOf(nodes[1], 'connected') === cut + 1);
    }
    room.send('last');
    await waitUntil('the last one has arrived', () => member.texts.at(-1) === 'last');
    await waitUntil('all are counted', () => member.messages.length + member.missed === 7);
    expect(member.missed).toBeGreaterThanOrEqual(3);
    expect(nodes[0].events).toHaveLength(1);
  },
);

withBrokers('a NATS that takes next to nothing is refused, with the reason', async () => {
  const broker = await BrokerProgram.start('nats', ['-c', temporaryFile('nats.conf', 'max_payload: 256\n')]);
  const node = await startNode(broker.url());
  expect(node.events).toEqual([
    expect.stringMatching(/^disconnected: .* max_payload is 256 bytes; a bus needs at least 512/),
  ]);
});
