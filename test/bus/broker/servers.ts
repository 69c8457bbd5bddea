/** Servers whose rooms are connected by real brokers, and members of them. */
import { expect, onTestFinished } from 'vitest';
import { type OpenBusOptions, openBus } from '../../../src/bus/open.ts';
import type { Client } from '../../../src/client/client.ts';
import { connect } from '../../../src/client/connect.ts';
import { length } from '../../../src/framing/counted/length.ts';
import type { Message } from '../../../src/framing/message.ts';
import { type Server, serve } from '../../../src/server/server.ts';
import { waitUntil } from '../../support/process/process.ts';

/** One server, and what its bus has reported. */
export interface Node {
  readonly server: Server;
  readonly events: string[];
}

/** Starts one, with `length` as framing. What its clients send is the name of a room to join. */
export async function startNode(url: string, options: OpenBusOptions = {}, busBuffer = 1_048_576): Promise<Node> {
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
export class Member {
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

/** All know how many members the room has. */
export async function settled(nodes: readonly Node[], room: string, size: number): Promise<void> {
  await waitUntil('all nodes know the size', () => nodes.every(({ server }) => server.room(room).size === size));
}

/** Each server sends numbered messages to the room `a` until it is stopped, which resolves with how many all have sent. */
export function loadOn(nodes: readonly Node[], everyMs = 2, text = ''): { stop(): number } {
  const sent = nodes.map(() => 0);
  const timer = setInterval(() => {
    for (const [index, { server }] of nodes.entries()) {
      sent[index] = (sent[index] as number) + 1;
      server.room('a').send(`${index} ${sent[index]} ${text}`);
    }
  }, everyMs);
  onTestFinished(() => clearInterval(timer));
  return {
    stop() {
      clearInterval(timer);
      return sent.reduce((sum, count) => sum + count, 0);
    },
  };
}

/** Each member has received every message or was told that it missed it, and those of each server in order, once. */
export async function expectExact(members: readonly Member[], total: number): Promise<void> {
  const accounts = () => members.map(({ messages, missed, error }) => `${messages.length + missed} ${error}`);
  const isSettled = () => members.every(({ messages, missed }) => messages.length + missed === total);
  await waitUntil(`every message was received or told as missed: ${accounts()} of ${total}`, isSettled);
  // Nothing more comes, such as a message that was counted as lost.
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(accounts()).toEqual(members.map(() => `${total} `));
  for (const { texts } of members) {
    const bySender = Map.groupBy(texts, (text) => text.split(' ', 1)[0]);
    for (const sent of bySender.values()) {
      const numbers = sent.map((text) => Number(text.split(' ', 2)[1]));
      expect(numbers).toEqual([...new Set(numbers)].sort((a, b) => a - b));
    }
  }
}

/** How often the bus of a server was connected, or lost. */
export function countOf({ events }: Node, event: 'connected' | 'disconnected'): number {
  return events.filter((text) => text.startsWith(`${event}:`)).length;
}
