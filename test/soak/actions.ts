/** What clients do in a soak. Each action is one connection; it reports what is wrong, as text. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Conversation } from './conversation.ts';
import type { Random } from './random.ts';

/** The limits of the servers, which the actions run into on purpose. */
export const limits = { messageLength: 16_384, messageTimeoutMs: 2000, idleTimeoutMs: 3000, drainTimeoutMs: 2000 };

export interface Action {
  readonly name: string;
  /** How often it is chosen, compared with others. */
  readonly weight: number;
  /** Whether it resets its connection. */
  readonly resets?: true;
  /**
   * Talks and ends the connection. Resolves with what is wrong with how it ended; the replies are checked by the
   * conversation.
   */
  act(talk: Conversation, random: Random): Promise<string[]>;
}

const talks: Action = {
  name: 'talks',
  weight: 8,
  async act(talk, random) {
    for (let count = random.between(1, 40); count > 0 && !talk.socket.destroyed; count--) {
      await talk.say(textOf(talk, random, 2000));
      if (random.chance(0.5)) await delay(random.between(0, 30));
    }
    return allAnswered(talk, await talk.end());
  },
};

const pipelines: Action = {
  name: 'pipelines',
  weight: 3,
  async act(talk, random) {
    for (let blocks = random.between(1, 5); blocks > 0; blocks--)
      await sayMany(talk, random, random.between(1, 300), 100);
    return allAnswered(talk, await talk.end());
  },
};

const readsSlowly: Action = {
  name: 'reads slowly',
  weight: 2,
  async act(talk, random) {
    const { socket } = talk;
    const resume = () => void socket.resume();
    socket.on('data', () => {
      socket.pause();
      setTimeout(resume, 50);
    });
    await sayMany(talk, random, 300, 2000);
    return allAnswered(talk, await talk.end());
  },
};

const neverReads: Action = {
  name: 'never reads',
  weight: 1,
  resets: true,
  async act(talk, random) {
    talk.socket.pause();
    const over = delay(random.between(100, 2 * limits.drainTimeoutMs), 'late' as const);
    for (let block = 0; block < 200 && !talk.socket.destroyed; block++) {
      const taken = sayMany(talk, random, 100, 300).then(() => 'taken' as const);
      if ((await Promise.race([taken, over, talk.ended])) !== 'taken') break;
    }
    talk.reset();
    return [];
  },
};

const resets: Action = {
  name: 'resets',
  weight: 4,
  resets: true,
  async act(talk, random) {
    for (let count = random.between(0, 20); count > 0; count--) await talk.say(textOf(talk, random, 2000));
    if (random.chance(0.5)) await talk.begin(`${talk.name}.${talk.replies.sent}.half a message`);
    if (random.chance(0.5)) await delay(random.between(0, 50));
    talk.reset();
    return noError(talk);
  },
};

const leavesUnfinished: Action = {
  name: 'leaves an unfinished message',
  weight: 2,
  async act(talk, random) {
    await sayMany(talk, random, random.between(0, 10), 100);
    await talk.begin('half a message');
    const broken = (await talk.ended) === 'broken' ? ['it was reset instead of ended with an error'] : [];
    talk.socket.destroy();
    return [...broken, ...erroredAfterAll(talk, /a message was not finished within 2 s/)];
  },
};

const sendsTooMuch: Action = {
  name: 'sends a message that is too long',
  weight: 2,
  async act(talk, random) {
    await sayMany(talk, random, random.between(0, 10), 100);
    await talk.write(talk.encode('x'.repeat(limits.messageLength + random.between(1, 20_000))));
    const ending = await talk.end();
    return [
      ...(ending === 'end' ? [] : ['it was reset']),
      ...erroredAfterAll(talk, /longer than the limit of 16384 bytes/),
    ];
  },
};

const isSilent: Action = {
  name: 'is silent',
  weight: 1,
  async act(talk, random) {
    await sayMany(talk, random, random.between(0, 3), 100);
    const ending = await talk.ended;
    talk.socket.destroy();
    return [
      ...(ending === 'end' ? [] : ['it was reset']),
      ...erroredAfterAll(talk, /nothing was received or sent for 3 s/),
    ];
  },
};

const vanishes: Action = {
  name: 'vanishes',
  weight: 3,
  resets: true,
  async act(talk, random) {
    if (random.chance(0.3)) await delay(random.between(0, 10));
    if (random.chance(0.5)) talk.socket.destroy();
    else talk.reset();
    return [];
  },
};

/** For servers with time-outs and limits. */
export const allActions: readonly Action[] = [
  talks,
  pipelines,
  readsSlowly,
  neverReads,
  resets,
  leavesUnfinished,
  sendsTooMuch,
  isSilent,
  vanishes,
];

/** For servers that answer with a program, whose replies may come after an error. */
export const ofPrograms: readonly Action[] = allActions.filter((action) => action !== sendsTooMuch);

/** For servers that leave time-outs and limits to a program or a server behind them. */
export const withoutLimits: readonly Action[] = [talks, pipelines, readsSlowly, neverReads, resets, vanishes];

/** Chooses an action by its weight. */
export function chosenFrom(actions: readonly Action[], random: Random): Action {
  let left = random.between(
    1,
    actions.reduce((sum, { weight }) => sum + weight, 0),
  );
  for (const action of actions) {
    left -= action.weight;
    if (left <= 0) return action;
  }
  throw new Error('no action');
}

/** The name of the client, the number of the message, and a filler. */
function textOf(talk: Conversation, random: Random, longest: number): string {
  const filler = random.pick(['x', 'wörld ', '你好']);
  const length = random.chance(0.02) ? 5000 : random.between(0, longest);
  return `${talk.name}.${talk.replies.sent}.${filler.repeat(Math.floor(length / Buffer.byteLength(filler)))}`;
}

async function sayMany(talk: Conversation, random: Random, count: number, longest: number): Promise<void> {
  const first = talk.replies.sent;
  const texts = Array.from({ length: count }, (_, at) => {
    const filler = 'y'.repeat(random.between(0, longest));
    return `${talk.name}.${first + at}.${filler}`;
  });
  await talk.sayAll(texts);
}

function allAnswered(talk: Conversation, ending: 'end' | 'broken'): string[] {
  const { sent, answered } = talk.replies;
  const missing = answered < sent ? [`${answered} of ${sent} messages were answered`] : [];
  const rest = talk.rest() === '' ? [] : [`an unfinished reply at the end: ${talk.rest().slice(0, 60)}`];
  const broken = ending === 'broken' ? ['the connection was reset'] : [];
  return [...missing, ...rest, ...broken, ...noError(talk)];
}

function noError({ replies: { error } }: Conversation): string[] {
  return error === undefined ? [] : [`the error ${error}`];
}

function erroredAfterAll({ replies: { sent, answered, error } }: Conversation, pattern: RegExp): string[] {
  const missing = answered < sent ? [`${answered} of ${sent} messages were answered before the error`] : [];
  return pattern.test(error ?? '') ? missing : [...missing, `${error ?? 'no error'} instead of ${pattern}`];
}
