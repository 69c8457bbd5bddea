/** Servers whose rooms are connected by real brokers. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished } from 'vitest';
import { type OpenBusOptions, openBus } from '../../../src/bus/open.ts';
import type { Client } from '../../../src/client/client.ts';
import { connect } from '../../../src/client/connect.ts';
import { length } from '../../../src/framing/counted/length.ts';
import { Message } from '../../../src/framing/message.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import { temporaryFile } from '../../support/files.ts';
import { waitUntil } from '../../support/process/process.ts';
import { Passage } from './passage.ts';
import { BrokerProgram, kinds, withBrokers } from './programs.ts';

/** One server, and what its bus has reported. */
interface Node {
  readonly server: Server;
  readonly events: string[];
}

async function startNode(url: string, options: OpenBusOptions = {}, busBuffer = 1_048_576): Promise<Node> {
  const events: string[] = [];
  const server = await serve({
    listen: 0,
    framing: length(),
    busBuffer,
    // Members read in this process, too: on a busy machine much waits for them, and for long.
    roomBuffer: 1_073_741_824,
    maxPendingBytes: 1_073_741_824,
    drainTimeout: 60_000,
    maxMessageLength: 8_388_608,
    bus: await openBus(url, options),
    handler: {
      message({ text }, session) {
        session.join(text);
        return 'joined';
      },
      missed: (_session, _room, messages) => `missed ${messages}`,
    },
    telemetry: { bus: (event, reason) => events.push(`${event}: ${reason}`) },
  });
  onTestFinished(async () => void (await server.close({ timeoutMs: 1000 })));
  return { server, events };
}

/** A member of a room, and what it has received. */
class Member {
  readonly client: Client;
  readonly messages: Message[] = [];
  missed = 0;
  error = '';

  private constructor(client: Client) {
    this.client = client;
  }

  static async of({ server }: Node, room: string): Promise<Member> {
    const client = await connect(server.addresses[0] as never, { framing: length(), maxMessageLength: 8_388_608 });
    onTestFinished(() => client.close());
    expect((await client.request(room)).text).toBe('joined');
    const member = new Member(client);
    member.#receive().catch((error: Error) => {
      member.error = error.message;
    });
    return member;
  }

  async #receive(): Promise<void> {
    for await (const message of this.client) {
      if (message.size < 30 && message.text.startsWith('missed ')) this.missed += Number(message.text.slice(7));
      else this.messages.push(message.copy());
    }
  }

  get texts(): string[] {
    return this.messages.map(({ text }) => text);
  }
}

function timesConnected({ events }: Node): number {
  return events.filter((event) => event.startsWith('connected')).length;
}

/** All know how many members the room has. */
async function settled(nodes: readonly Node[], room: string, size: number): Promise<void> {
  await waitUntil('all nodes know the size', () => nodes.every(({ server }) => server.room(room).size === size));
}

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
      const sent = nodes.map(() => 0);
      const timer = setInterval(() => {
        for (const [index, { server }] of nodes.entries()) {
          sent[index] = (sent[index] as number) + 1;
          server.room('a').send(`${index} ${sent[index]}`);
        }
      }, 2);
      onTestFinished(() => clearInterval(timer));
      for (let kill = 1; kill <= 3; kill++) {
        await delay(200);
        const before = nodes.map(timesConnected);
        await broker.restart();
        await waitUntil('all nodes are connected again', () =>
          nodes.every((node, index) => timesConnected(node) > (before[index] as number)),
        );
      }
      await delay(100);
      clearInterval(timer);
      const total = sent.reduce((sum, count) => sum + count, 0);
      const isSettled = () => members.every(({ messages, missed }) => messages.length + missed === total);
      await waitUntil('every message was received or told as missed', isSettled);
      // Nothing more comes, such as a message that was counted as lost.
      await delay(300);
      expect(isSettled()).toBe(true);
      for (const { texts, missed } of members) {
        expect(missed).toBeGreaterThan(0);
        for (const sender of nodes.keys()) {
          const numbers = texts.filter((text) => text.startsWith(`${sender} `)).map((text) => Number(text.slice(2)));
          expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
        }
      }
    },
  );

  withBrokers('stopped for 7 s: noticed within 6 s, rooms work locally, and back within a second', async () => {
    const broker = await BrokerProgram.start(kind);
    const nodes = [await startNode(broker.url()), await startNode(broker.url())] as const;
    const members = [await Member.of(nodes[0], 'a'), await Member.of(nodes[0], 'a'), await Member.of(nodes[1], 'a')];
    await settled(nodes, 'a', 3);
    expect(nodes[0].server.room('a').send('1')).toBe('all');
    await waitUntil('it has arrived', () => members.every(({ texts }) => texts.length === 1));
    broker.signal('SIGSTOP');
    // nodes.test.ts measures these times on a clock of its own; a busy machine may take longer.
    await waitUntil('it is noticed', () => nodes.every(({ events }) => events.length === 2), 15_000);
    expect(nodes[0].events[1]).toMatch(/^disconnected: .* has not responded for 5 s$/);
    expect(nodes[0].server.room('a').send('2')).toBe('local');
    await waitUntil('members of the same server receive it', () => members[0]?.texts.length === 2);
    await delay(1500);
    broker.signal('SIGCONT');
    await waitUntil('it is back', () => nodes.every(({ events }) => events.length === 3), 15_000);
    await waitUntil('the other server is told', () => members[2]?.missed === 1);
    await settled(nodes, 'a', 3);
    expect(nodes[0].server.room('a').send('3')).toBe('all');
    await waitUntil('it has arrived', () => members.every(({ texts }) => texts.at(-1) === '3'));
    expect(members.map(({ texts, missed }) => `${texts} ${missed}`)).toEqual(['1,2,3 0', '1,2,3 0', '1,3 1']);
  });
});

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
