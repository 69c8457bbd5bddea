/** A broker that is stopped, and says nothing: in each server, rooms are as fast as before. */
import { setTimeout as delay } from 'node:timers/promises';
import { expect } from 'vitest';
import { waitUntil } from '../../support/process/process.ts';
import { BrokerProgram, type Kind, kinds, withBrokers } from './programs.ts';
import { countOf, Member, type Node, settled, startNode } from './servers.ts';

/** How long messages take from a server to its own member, in milliseconds. */
class Latency {
  readonly #node: Node;
  readonly #times: number[] = [];
  #seen: number;
  readonly #member: Member;

  constructor(node: Node, member: Member) {
    this.#node = node;
    this.#member = member;
    this.#seen = member.messages.length;
  }

  /** One message. */
  async measure(): Promise<void> {
    const start = performance.now();
    this.#node.server.room('a').send('x');
    this.#seen++;
    while (this.#member.messages.length < this.#seen) await new Promise(setImmediate);
    this.#times.push(performance.now() - start);
  }

  get p50(): number {
    return this.#times.sort((a, b) => a - b)[Math.floor(this.#times.length / 2)] as number;
  }
}

/** Two servers at a broker, with a member each. */
async function startPair(broker: BrokerProgram) {
  const nodes = [await startNode(broker.url()), await startNode(broker.url())] as const;
  const [local, remote] = [await Member.of(nodes[0], 'a'), await Member.of(nodes[1], 'a')];
  await settled(nodes, 'a', 2);
  return { nodes, local, remote };
}

type Pair = Awaited<ReturnType<typeof startPair>>;

/** What messages take here, by what they take at the same time where the broker runs: other tests run beside this one. */
async function compare(pair: Pair, healthy: Pair, isOver: () => boolean): Promise<number> {
  const [mine, others] = [pair, healthy].map(({ nodes, local }) => new Latency(nodes[0], local)) as [Latency, Latency];
  for (let count = 0; count < 100 || !isOver(); count++) {
    // Each is the first one after a pause as often as the other.
    const [first, second] = count % 2 === 0 ? [mine, others] : [others, mine];
    await first.measure();
    await second.measure();
    await delay(5);
  }
  return mine.p50 / others.p50;
}

async function stopFor7s(kind: Kind): Promise<void> {
  const [broker, running] = await Promise.all([BrokerProgram.start(kind), BrokerProgram.start(kind)]);
  const [pair, healthy] = [await startPair(broker), await startPair(running)];
  const { nodes, local, remote } = pair;
  expect(nodes[0].server.room('a').send('1')).toBe('all');
  await waitUntil('it has arrived', () => [local, remote].every(({ texts }) => texts.length === 1));
  broker.signal('SIGSTOP');
  const stopped = performance.now();
  const isNoticed = () => nodes.every((node) => countOf(node, 'disconnected') > 0);
  expect(await compare(pair, healthy, isNoticed)).toBeLessThan(2);
  // 6 s, and what a busy machine adds.
  expect(performance.now() - stopped).toBeLessThan(15_000);
  expect(nodes[0].events[1]).toMatch(/^disconnected: .* has not responded for 5 s$/);
  expect(nodes[0].server.room('a').send('2')).toBe('local');
  await waitUntil('its own member has received it', () => local.texts.at(-1) === '2');
  expect(await compare(pair, healthy, () => performance.now() - stopped > 7000)).toBeLessThan(2);
  broker.signal('SIGCONT');
  await waitUntil('it is back', () => nodes.every((node) => countOf(node, 'connected') > 1), 15_000);
  await settled(nodes, 'a', 2);
  expect(nodes[0].server.room('a').send('last')).toBe('all');
  await waitUntil('it has arrived', () => [local, remote].every(({ texts }) => texts.at(-1) === 'last'));
  // What was passed on before it was noticed has arrived, and the rest was counted.
  expect(remote.messages.length + remote.missed).toBe(local.messages.length);
  expect(remote.missed).toBeGreaterThan(0);
  expect(local.missed).toBe(0);
}

withBrokers(
  'a broker that is stopped for 7 s is noticed within 6 s, rooms are as fast as before, and it is back at once',
  async () => {
    await Promise.all(kinds.map(stopFor7s));
  },
);
