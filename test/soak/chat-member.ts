/** A member of the chat: it receives the messages of each other member in order, without gaps. */
import { setTimeout as delay } from 'node:timers/promises';
import { Conversation, dial, Replies } from './conversation.ts';
import type { Random } from './random.ts';

export interface Membership {
  readonly received: number;
  /** What is wrong with the end of the connection. */
  readonly problems: string[];
  /** What is wrong with the messages. */
  readonly wrong: string[];
}

/** Messages of others instead of replies. The first one of each member may have any number, because that member came earlier. */
export class OthersMessages extends Replies {
  received = 0;
  readonly #last = new Map<string, number>();

  override check(message: string): void {
    const [name = '', number = ''] = message.split('.');
    const last = this.#last.get(name);
    if (message.startsWith('error: ')) {
      this.error = message;
      return;
    }
    if (last !== undefined && Number(number) !== last + 1) {
      this.problems.push(`message ${number} of ${name} after ${last}`);
    }
    this.#last.set(name, Number(number));
    this.received++;
  }
}

/** Joins, talks and leaves: it ends, resets, or reads nothing for a while first. */
export async function joinChat(name: string, port: number, random: Random): Promise<Membership> {
  const opened = await dial(port);
  const { socket } = opened;
  const messages = new OthersMessages();
  const talk = new Conversation(name, opened, random, messages);
  if (random.chance(0.2)) socket.pause();
  for (let count = random.between(1, 30); count > 0; count--) {
    await talk.say(`${name}.${messages.sent}.${'z'.repeat(random.between(0, 500))}`);
    await delay(random.between(0, 60));
  }
  socket.resume();
  if (random.chance(0.3)) {
    talk.reset();
    return { received: messages.received, problems: [], wrong: messages.problems };
  }
  const broken = (await talk.end()) === 'end' ? [] : ['the connection was reset'];
  socket.destroy();
  const problems = messages.error === undefined ? broken : [...broken, messages.error];
  return { received: messages.received, problems, wrong: messages.problems };
}
