/**
 * Requests under random interleavings of replies, pushes, time-outs, cancellations, losses and reconnects. The number of runs is the
 * point: 10,000 for each way to correlate.
 */

import { describe, expect, it, vi } from 'vitest';
import { fc } from '../support/fast-check.ts';
import { type ServerEnd, World } from './interleavings.ts';

// RUNS=… changes it, to search for longer.
const numRuns = Number(process.env.RUNS ?? 10_000);
// For a busy machine: 15 seconds are usual for all of them.
vi.setConfig({ testTimeout: 300_000 });

/** One step. The numbers choose, and are taken modulo what there is to choose from. */
type Step =
  | { readonly do: 'request'; readonly which: number; readonly timeoutMs: number }
  | { readonly do: 'reply' | 'again' | 'cancel'; readonly which: number }
  | { readonly do: 'send' | 'push' | 'stranger' }
  | { readonly do: 'pass'; readonly milliseconds: number }
  | { readonly do: 'lose'; readonly isAborted: boolean }
  | { readonly do: 'turns'; readonly count: number };

const which = fc.nat(20);
const word = <Word extends string>(...words: Word[]) => fc.constantFrom(...words);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 6, arbitrary: fc.record({ do: word('request'), which, timeoutMs: fc.constantFrom(0, 10, 10, 30) }) },
    { weight: 7, arbitrary: fc.record({ do: word('reply'), which }) },
    { weight: 6, arbitrary: fc.record({ do: word('turns'), count: fc.constantFrom(1, 2, 3, 8, 20) }) },
    { weight: 2, arbitrary: fc.record({ do: word('again', 'cancel'), which }) },
    { weight: 3, arbitrary: fc.record({ do: word('send', 'push', 'stranger') }) },
    { weight: 3, arbitrary: fc.record({ do: word('pass'), milliseconds: fc.constantFrom(1, 10, 40) }) },
    { weight: 1, arbitrary: fc.record({ do: word('lose'), isAborted: fc.boolean() }) },
  ),
  { minLength: 5, maxLength: 50, size: 'max' },
);

async function checkRuns(property: (all: readonly Step[]) => Promise<void>): Promise<void> {
  await fc.assert(fc.asyncProperty(steps, property), { numRuns });
}

function pick<Item>(items: readonly Item[], number: number): Item | undefined {
  return items[number % items.length];
}

/** The steps that are the same for all ways. */
async function takeCommon(world: World, step: Step): Promise<void> {
  if (step.do === 'cancel') pick(world.requests, step.which)?.canceller.abort();
  else if (step.do === 'pass') world.clock.advance(step.milliseconds);
  else if (step.do === 'lose') world.server.loses(step.isAborted);
  else if (step.do === 'turns') await world.turns(step.count);
}

/**
 * The server answers all that it has received, and everything arrives: every request has settled then, and no message was lost.
 *
 * @param answer answers one message; false: there is none
 */
async function finish(world: World, answer: (server: ServerEnd) => boolean): Promise<void> {
  await world.calm();
  while (answer(world.server)) await world.calm();
  const settled = world.requests.map((request) => request.settled);
  expect(settled, 'each settles once, and none waits for the end of the client').toEqual(settled.map(() => 1));
  await world.close();
  const { messagesReceived, replies, lateReplies } = world.client.counters;
  expect(messagesReceived, 'replies, late replies, and what the iteration has seen').toBe(
    replies + lateReplies + world.seen.length,
  );
}

/** What was pushed is seen in order; what was pushed on a connection that was not reset, to the last. */
function checkPushes({ servers, seen }: World): void {
  const all = new Set(servers.flatMap(({ unasked }) => unasked));
  const seenPushes = seen.filter((text) => all.has(text));
  const expected = servers.flatMap(({ unasked, wasReset }) => {
    const own = new Set(unasked);
    return wasReset ? unasked.slice(0, seenPushes.filter((text) => own.has(text)).length) : unasked;
  });
  expect(seenPushes).toEqual(expected);
}

/** Answers in order. What answers no request counts as pushed. */
function answerNext(server: ServerEnd): boolean {
  const text = server.received[server.answered];
  if (text === undefined) return false;
  server.answered++;
  if (text.startsWith('request')) server.says(`reply to ${text}`);
  else server.pushes(`reply to ${text}`);
  return true;
}

describe('by ids', () => {
  const idOf = (text: string) => /^(\d+):/.exec(text)?.[1];
  const correlate = {
    requestId: (message: unknown) => idOf(String(message)),
    replyId: ({ text }: { readonly text: string }) => idOf(text),
  };

  /** Replies in any order, twice, or to requests that nobody made; ids are used again while they are in use. */
  async function take(world: World, step: Step): Promise<void> {
    const { server } = world;
    if (step.do === 'request') {
      // The ids 0 to 2 are used again and again, and answered once each time. Others are used once, and may be answered twice.
      const id = step.which < 14 ? step.which % 3 : 1000 + world.serial;
      world.request(`${id}:${world.serial++}`, step.timeoutMs);
    } else if (step.do === 'reply') answer(server, step.which);
    else if (step.do === 'again') {
      const texts = world.requests.map(({ text }) => text).filter((text) => Number(idOf(text)) >= 1000);
      const text = pick(texts, step.which);
      if (text !== undefined) server.says(`${idOf(text)}:reply to ${text}`);
    } else if (step.do === 'stranger') server.pushes(`${500 + world.serial++}:stranger`);
    else if (step.do === 'push') server.pushes(`push ${world.serial++}`);
    else if (step.do === 'send') world.send('just so');
    else await takeCommon(world, step);
  }

  function answer(server: ServerEnd, at = 0): boolean {
    const [text] = server.received.splice(at % (server.received.length || 1), 1);
    if (text !== undefined && idOf(text) !== undefined) server.says(`${idOf(text)}:reply to ${text}`);
    return text !== undefined;
  }

  it('nothing is mispaired, and nothing is lost', async () => {
    await checkRuns(async (all) => {
      const world = await World.open({ correlate });
      for (const step of all) await take(world, step);
      await finish(world, answer);
      const answered = world.requests.filter(({ reply }) => reply !== undefined);
      for (const { text, reply } of answered) expect(reply).toBe(`${idOf(text)}:reply to ${text}`);
      checkPushes(world);
    });
  });
});

describe("by 'order'", () => {
  /** Pushes only while nothing has to be answered. */
  async function take(world: World, step: Step): Promise<void> {
    const { server } = world;
    if (step.do === 'request') world.request(`request ${world.serial++}`, step.timeoutMs);
    else if (step.do === 'reply') answerNext(server);
    else if (step.do === 'push') {
      await world.calm();
      if (world.server !== server || server.answered < server.received.length) return;
      server.pushes(`push ${world.serial++}`);
      await world.calm();
    } else await takeCommon(world, step);
  }

  it('nothing is mispaired, and nothing is lost', async () => {
    await checkRuns(async (all) => {
      const world = await World.open({ correlate: 'order' });
      for (const step of all) await take(world, step);
      await finish(world, answerNext);
      const answered = world.requests.filter(({ reply }) => reply !== undefined);
      for (const { text, reply } of answered) expect(reply).toBe(`reply to ${text}`);
      checkPushes(world);
    });
  });
});

describe('by default', () => {
  /** @param answersAll whether the server answers what is no request, too */
  async function take(world: World, step: Step, answersAll: boolean, pushes: boolean): Promise<void> {
    const { server } = world;
    if (step.do === 'request') world.request(`request ${world.serial++}`, step.timeoutMs);
    else if (step.do === 'send' && answersAll) world.send(`message ${world.serial++}`);
    else if (step.do === 'reply') answerNext(server);
    else if (step.do === 'push' && pushes) server.pushes(`push ${world.serial++}`);
    else await takeCommon(world, step);
  }

  it('nothing is mispaired where the server sends nothing but replies, and no request is refused', async () => {
    await checkRuns(async (all) => {
      const world = await World.open({});
      for (const step of all) await take(world, step, false, false);
      await finish(world, answerNext);
      for (const { text, reply, error } of world.requests) {
        expect(error?.code).not.toBe('YODEL_REPLY_MISMATCH');
        if (reply !== undefined) expect(reply).toBe(`reply to ${text}`);
      }
    });
  });

  it.each([
    ['requests only', false],
    ['every message', true],
  ])(
    'where the server pushes, and answers %s, a mispairing is noticed at the latest when all was answered',
    async (_, answersAll) => {
      await checkRuns(async (all) => {
        const world = await World.open({});
        for (const step of all) await take(world, step, answersAll, true);
        await world.calm();
        while (answerNext(world.server)) await world.calm();
        const { server, requests } = world;
        const mispaired = requests.filter(({ text, reply }) => reply !== undefined && reply !== `reply to ${text}`);
        const isMispaired = mispaired.some(({ text }) => server.received.includes(text));
        if (isMispaired && world.client.state === 'open' && !server.isOver) {
          world.request('one more', 0);
          await world.calm();
          expect(requests.at(-1)?.error?.code).toBe('YODEL_REPLY_MISMATCH');
        }
        await finish(world, answerNext);
      });
    },
  );
});
