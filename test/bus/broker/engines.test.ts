/** Servers whose rooms are connected by real brokers. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect } from 'vitest';
import { Message } from '../../../src/framing/message.ts';
import { waitUntil } from '../../support/process/process.ts';
import { BrokerProgram, kinds, withBrokers } from './programs.ts';
import { countOf, expectExact, loadOn, Member, settled, startNode } from './servers.ts';

describe.each(kinds)('%s', (kind) => {
  withBrokers('passes on messages of every kind and length, in rooms of every name', async () => {
    const broker = await BrokerProgram.start(kind);
    const nodes = [await startNode(broker.url()), await startNode(broker.url(), {}, 16_777_216)] as const;
    const names = ['a', '>', '*', 'a..b', 'a.b', '你好', 'with space', '=20', 'x'.repeat(128)];
    const members = await Promise.all(names.map((name) => Member.of(nodes[0], name)));
    for (const name of names) await settled(nodes, name, 1);
    for (const name of names) nodes[1].server.room(name).send(`to ${name}`);
    const room = nodes[1].server.room('a');
    const bytes = Buffer.from([0, 10, 255]);
    room.send(bytes);
    room.send(Message.of('with a kind', { kind: 'binary' }));
    const sizes = [262_000, 1_047_552, 1_048_576, 5_000_000];
    for (const size of sizes) room.send(Buffer.alloc(size, 'x'));
    const [first] = members as [Member];
    await waitUntil(
      `all messages have arrived: ${nodes.map(({ events }) => events)}`,
      () => first.messages.length === 3 + sizes.length,
    );
    for (const [index, { texts, missed }] of members.entries()) {
      expect(texts[0]).toBe(`to ${names[index]}`);
      expect(missed).toBe(0);
      if (index > 0) expect(texts).toHaveLength(1);
    }
    expect(Buffer.from(first.messages[1]?.bytes ?? [])).toEqual(bytes);
    expect(first.texts[2]).toBe('with a kind');
    expect(first.messages.slice(3).map(({ size }) => size)).toEqual(sizes);
    for (const { events } of nodes) expect(events).toEqual([expect.stringMatching(/^connected/)]);
  });

  withBrokers(
    'killed and started again three times under load: what members missed is what they are told, exactly',
    async () => {
      const broker = await BrokerProgram.start(kind);
      const nodes = await Promise.all([1, 2, 3].map(() => startNode(broker.url())));
      const members = await Promise.all([...nodes, ...nodes].map((node) => Member.of(node, 'a')));
      await settled(nodes, 'a', members.length);
      const load = loadOn(nodes);
      for (let kill = 1; kill <= 3; kill++) {
        await delay(200);
        const before = nodes.map((node) => countOf(node, 'connected'));
        await broker.restart();
        await waitUntil('all nodes are connected again', () =>
          nodes.every((node, index) => countOf(node, 'connected') > (before[index] as number)),
        );
      }
      await delay(100);
      await expectExact(members, load.stop());
      for (const { missed } of members) expect(missed).toBeGreaterThan(0);
    },
  );
});
