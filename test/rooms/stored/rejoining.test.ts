/** Clients that leave and come back receive what was stored meanwhile: all of it, once, in order. */
import { expect, onTestFinished, test } from 'vitest';
import type { Client } from '../../../src/client/client.ts';
import { connect } from '../../../src/client/connect.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import type { HandlerObject } from '../../../src/session/handler.ts';

/** Joins with `join ROOM POSITION`, and is sent each message as `POSITION TEXT`. */
const handler: HandlerObject = {
  async message({ text }, session) {
    const [word, room = '', since, history] = text.split(' ');
    if (word !== 'join') return;
    const options = since ? { since, history: Number(history ?? 0) } : { history: Number(history ?? 0) };
    const { recovered, messages, position } = await session.join(room, options);
    return `joined ${recovered} ${messages} ${position}`;
  },
  stored: ({ message, position }) => `${position} ${message.text}`,
  missed: (_session, _room, messages) => `missed ${messages}`,
};

async function start(): Promise<Server> {
  const server = await serve({ listen: 0, handler });
  onTestFinished(() => server.close());
  return server;
}

class Member {
  position: string;
  readonly texts: string[] = [];
  readonly outcomes: string[] = [];
  #client: Client | undefined;

  constructor(position: string) {
    this.position = position;
  }

  async join(server: Server): Promise<void> {
    const client = await connect(server.addresses[0] as never);
    this.#client = client;
    await client.send(`join news ${this.position} 0`);
    const joined = Promise.withResolvers<void>();
    void this.#receive(client, joined.resolve);
    await joined.promise;
  }

  async leave(): Promise<void> {
    await this.#client?.close();
  }

  async #receive(client: Client, joined: () => void): Promise<void> {
    for await (const { text } of client) {
      if (text.startsWith('joined ')) {
        this.outcomes.push(text.split(' ')[1] as string);
        joined();
      } else {
        const [position = '', rest = ''] = text.split(' ');
        this.position = position;
        this.texts.push(rest);
      }
    }
  }
}

test('members that leave and rejoin at random have everything, once and in order', async () => {
  const server = await start();
  const members = Array.from({ length: 10 }, () => new Member('0'));
  await Promise.all(members.map((member) => member.join(server)));
  const room = server.room('news');
  const stored: Promise<string>[] = [];
  for (let round = 0; round < 30; round++) {
    for (let index = 0; index < 20; index++) stored.push(room.store(`${round * 20 + index}`));
    const member = members[round % members.length] as Member;
    await member.leave();
    stored.push(room.store(`between-${round}`));
    await member.join(server);
  }
  await Promise.all(stored);
  const expected = (await room.read({ since: '0' })).messages.map(({ message }) => message.text);
  expect(expected).toHaveLength(30 * 21);
  for (const member of members) {
    await expect.poll(() => member.texts.length).toBeGreaterThanOrEqual(expected.length);
    expect(member.texts).toEqual(expected);
    expect(new Set(member.outcomes)).toEqual(new Set(['true']));
  }
});
