/** Clients on two servers that leave and come back while the broker between them is killed, or loses its data. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, onTestFinished } from 'vitest';
import { openBus } from '../../../src/bus/open.ts';
import type { Client } from '../../../src/client/client.ts';
import { connect } from '../../../src/client/connect.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import type { HandlerObject } from '../../../src/session/handler.ts';
import { waitUntil } from '../../support/process/process.ts';
import { BrokerProgram, kinds, withBrokers } from './programs.ts';

/** `join POSITION` joins the room, and each message is sent as `POSITION TEXT`. */
const handler: HandlerObject = {
  async message({ text }, session) {
    const [, since = '0'] = text.split(' ');
    try {
      const { recovered } = await session.join('news', { since });
      return `joined ${recovered}`;
    } catch (error) {
      return `failed ${(error as Error).message}`;
    }
  },
  stored: ({ message, position }) => `${position} ${message.text}`,
  missed: (_session, _room, messages) => `missed ${messages}`,
};

async function startNode(url: string): Promise<Server> {
  const server = await serve({ listen: 0, handler, roomBuffer: 67_108_864, bus: await openBus(url) });
  onTestFinished(async () => void (await server.close({ timeoutMs: 1000 })));
  return server;
}

/** A client that continues from its position. */
class Member {
  readonly #servers: readonly Server[];
  position = '0';
  readonly texts: string[] = [];
  /** How often it has joined, and how often it had to try again. */
  joins = 0;
  failures = 0;
  /** What it was told that must not be. */
  readonly unexpected: string[] = [];
  #client: Client | undefined;

  constructor(servers: readonly Server[]) {
    this.#servers = servers;
  }

  /** Joins at a server that changes each time, and tries again until it can. */
  async join(): Promise<void> {
    const server = this.#servers[(this.joins + this.failures) % this.#servers.length] as Server;
    const client = await connect(server.addresses[0] as never);
    this.#client = client;
    const answered = Promise.withResolvers<string>();
    void this.#receive(client, answered.resolve);
    await client.send(`join ${this.position}`);
    const answer = await answered.promise;
    if (answer.startsWith('failed')) {
      this.failures++;
      await this.leave();
      await delay(100);
      return await this.join();
    }
    this.joins++;
    if (answer !== 'joined true') this.unexpected.push(answer);
  }

  async leave(): Promise<void> {
    await this.#client?.close();
  }

  async #receive(client: Client, answered: (answer: string) => void): Promise<void> {
    for await (const { text } of client) {
      if (/^(joined|failed) /.test(text)) answered(text);
      else if (text.startsWith('missed')) this.unexpected.push(text);
      else {
        const [position = '', rest = ''] = text.split(' ');
        this.position = position;
        this.texts.push(rest);
      }
    }
    answered('failed');
  }
}

/** Stores numbered messages at both servers until it is stopped. */
function storeAlways(servers: readonly Server[]) {
  const acknowledged: string[] = [];
  const failed: string[] = [];
  const pending: Promise<void>[] = [];
  let [isStopped, count] = [false, 0];
  const run = (async () => {
    for (; !isStopped; count++) {
      const text = String(count);
      const stored = (servers[count % servers.length] as Server).room('news').store(text);
      pending.push(
        stored.then(
          () => void acknowledged.push(text),
          () => void failed.push(text),
        ),
      );
      if (count % 5 === 0) await delay(5);
    }
    await Promise.all(pending);
  })();
  return {
    acknowledged,
    failed,
    async stop() {
      isStopped = true;
      await run;
    },
  };
}

/** Stores a message, as soon as the broker is there. */
async function store(server: Server, text: string): Promise<void> {
  for (;;) {
    try {
      await server.room('news').store(text);
      return;
    } catch (error) {
      // Otherwise it is not known whether it is stored.
      expect((error as Error).message).toContain('not stored');
      await delay(50);
    }
  }
}

async function wholeHistory(server: Server): Promise<string[]> {
  const texts: string[] = [];
  let since = '0';
  for (let hasMore = true; hasMore; ) {
    const part = await server.room('news').read({ since });
    texts.push(...part.messages.map(({ message }) => message.text));
    ({ position: since, hasMore } = part);
  }
  return texts;
}

describe.each(kinds)('%s', (kind) => {
  withBrokers(
    'killed three times: nothing is lost, doubled or out of order for members that rejoin a hundred times',
    async () => {
      const broker = await BrokerProgram.startWithStore(kind);
      const servers = [await startNode(broker.url()), await startNode(broker.url())];
      const members = Array.from({ length: 12 }, () => new Member(servers));
      await Promise.all(members.map((member) => member.join()));
      const load = storeAlways(servers);
      for (let kill = 0; kill < 3; kill++) {
        for (let round = 0; round < 34; round++) {
          const member = members[round % members.length] as Member;
          await member.leave();
          // In the middle of it; those who come then have to try again.
          const restarted = round === 17 ? broker.restart() : undefined;
          await member.join();
          await restarted;
        }
      }
      await load.stop();
      await store(servers[0] as Server, 'end');
      const history = await wholeHistory(servers[0] as Server);
      expect(new Set(history).size, 'nothing is stored twice').toBe(history.length);
      expect(history).toEqual(expect.arrayContaining(load.acknowledged));
      await waitUntil('all have everything', () => members.every(({ texts }) => texts.at(-1) === 'end'));
      for (const { texts, unexpected } of members) {
        expect(unexpected).toEqual([]);
        expect(texts).toEqual(history);
      }
      const joins = members.reduce((sum, member) => sum + member.joins, 0);
      expect(joins).toBeGreaterThanOrEqual(100);
      process.stdout.write(
        `${kind}: ${history.length} messages, ${load.failed.length} refused, ${joins} joins, ` +
          `${members.reduce((sum, { failures }) => sum + failures, 0)} more while the broker was away\n`,
      );
    },
    60_000,
  );

  withBrokers(
    'started again without its data: positions are not found, and what is new is taken for new',
    async () => {
      const broker = await BrokerProgram.startWithStore(kind);
      const servers = [await startNode(broker.url()), await startNode(broker.url())];
      const [stays, returns] = [new Member(servers), new Member([...servers].reverse())];
      await Promise.all([stays.join(), returns.join()]);
      const before = Array.from({ length: 50 }, (_, index) => `before-${index}`);
      for (const text of before) await (servers[0] as Server).room('news').store(text);
      await waitUntil('both have them', () => [stays, returns].every(({ texts }) => texts.length === 50));
      await returns.leave();
      await broker.restart('without data');
      const after = Array.from({ length: 60 }, (_, index) => `after-${index}`);
      for (const [index, text] of after.entries()) await store(servers[index % 2] as Server, text);
      await waitUntil('who stayed has them', () => stays.texts.length >= 110);
      expect(stays.texts).toEqual([...before, ...after]);
      expect(stays.unexpected).toEqual([]);
      await returns.join();
      expect(returns.unexpected).toEqual(['joined false']);
      await (servers[0] as Server).room('news').store('last');
      await waitUntil('who returns receives the next one', () => returns.texts.at(-1) === 'last');
      expect(returns.texts).toEqual([...before, 'last']);
    },
    60_000,
  );
});
