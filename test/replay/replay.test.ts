/** Replays against servers that answer otherwise: what is compared with what, and which latency belongs to which request. */
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { lines } from '../../src/framing/delimited/lines.ts';
import { Replay } from '../../src/replay/replay.ts';
import type { ReplayStep } from '../../src/replay/step.ts';
import { TranscriptReplay } from '../../src/replay/transcript-replay.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { protocolFrom } from '../../src/transcript/wire.ts';

const content = (text: string) => ({
  content: { kind: 'parts' as const, parts: [Buffer.from(text)] },
  header: undefined,
  isBinary: false,
});

/** Steps from lines such as `1> a` and `1< b`: each is a message of a session. */
async function* stepsOf(text: string): AsyncGenerator<ReplayStep> {
  const open = new Set<string>();
  for (const [index, line] of text.trim().split('\n').entries()) {
    const [, session = '', side, payload = ''] = /^\s*(\w+)([<>]) (.*)$/.exec(line) ?? [];
    const common = { session, at: index, place: `line ${index + 1}` };
    if (!open.has(session)) yield { ...common, kind: 'connect', protocol: protocolFrom(lines()) };
    open.add(session);
    if (side === '>') yield { ...common, kind: 'send', message: content(payload), ending: undefined };
    else yield { ...common, kind: 'expect', message: content(payload) };
  }
  for (const session of open) yield { kind: 'end', session, at: 1000, place: 'the end' };
}

async function listen(handler: Handler) {
  const server = await serve({ listen: '127.0.0.1:0', lingerTimeout: 100, handler });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const [address] = server.addresses;
  if (!address) throw new Error('no address');
  return { address, speed: Number.POSITIVE_INFINITY, timeoutMs: 400, connectTimeoutMs: 5000, tls: {} };
}

async function replay(text: string, handler: Handler) {
  const result = await new Replay(stepsOf(text), { ...(await listen(handler)), compares: true }).done;
  const found = result.found.map(({ place, expected, actual }) => {
    const parts = expected?.content.kind === 'parts' ? expected.content.parts : [];
    return [place, ...parts.map((part) => `- ${Buffer.from(part as Uint8Array)}`), actual && `+ ${actual.text}`]
      .filter((part) => part !== undefined)
      .join(' ');
  });
  return { ...result, found };
}

const talk = `
1> a
1< a1
1< a2
1> b
1< b1
1< b2
1> c
1< c1`;

/** Answers each request with words. */
const answering =
  (replies: Readonly<Record<string, string>>): Handler =>
  ({ text }) =>
    (replies[text] ?? '').split(' ').filter((word) => word !== '');

describe('answers are aligned by request', () => {
  it.each([
    ['all as recorded', { a: 'a1 a2', b: 'b1 b2', c: 'c1' }, []],
    ['one reply less', { a: 'a2', b: 'b1 b2', c: 'c1' }, ['line 2 - a1']],
    ['one reply less at the end', { a: 'a1', b: 'b1 b2', c: 'c1' }, ['line 3 - a2']],
    ['one reply more', { a: 'a1 x a2', b: 'b1 b2', c: 'c1' }, ['line 2 + x']],
    ['another reply', { a: 'a1 a2', b: 'x b2', c: 'c1' }, ['line 5 - b1 + x']],
    ['a request without replies', { a: 'a1 a2', c: 'c1' }, ['line 5 - b1']],
  ])('%s', async (_, replies, differences) => {
    const { found, compared } = await replay(talk, answering(replies));
    expect(found).toEqual(differences);
    expect(compared).toBe(5);
  });
});

it('a lost line does not derail a chat of several clients', async () => {
  const members = new Set<Session>();
  let lost = 0;
  const chat: Handler = {
    open(session) {
      members.add(session);
      return 'welcome';
    },
    close: (session) => void members.delete(session),
    message(message, from) {
      for (const member of members) {
        if (member === from) continue;
        if (message.text === 'two' && lost++ === 0) continue;
        member.send(message);
      }
    },
  };
  const conversation = `
1< welcome
2< welcome
3< welcome
1> one
2< one
3< one
2> two
1< two
3< two
3> three
1< three
2< three
1> four
2< four
3< four`;
  const { found, differences, equal } = await replay(conversation, chat);
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(/^line (8|9) - two$/);
  expect({ differences, equal }).toEqual({ differences: 1, equal: 10 });
});

it('a latency belongs to a reply that came after its request', async () => {
  const pushing: Handler = {
    open: () => ['push', 'push'],
    async message() {
      await delay(120);
      return 'answer';
    },
  };
  // The second push was recorded after the request, and comes before it now.
  const { found, latency } = await replay('1< push\n1> ask\n1< push\n1< answer', pushing);
  expect(found).toEqual([]);
  expect(latency.count).toBe(1);
  expect(latency.max).toBeGreaterThan(100);
});

it.each([
  ['another message than the expected one', '> ask\n< answer\n', 0],
  ['any message, but the expected one after it', '> ask\n<*\n< late\n', 1],
])('a latency of a transcript is not that of %s', async (_, text, count) => {
  const handler: Handler = {
    async message(_message, session) {
      session.send('push');
      await delay(120);
      return 'late';
    },
  };
  const transcript = parseTranscript(text, 'talk');
  const { latency } = await new TranscriptReplay(transcript, await listen(handler)).done;
  expect(latency.count).toBe(count);
  if (count > 0) expect(latency.max).toBeGreaterThan(100);
});

it('a transcript is replayed with everything that a check plays, and with its pauses', async () => {
  const text = '#+ 10ms\n> a\n@unordered\n< a2\n< a1\n@end\n#+ 120ms\n@repeat 2 n\n> n{n}\n<*\n< last\n@end\n';
  const transcript = parseTranscript(text, 'talk');
  const options = await listen(answering({ a: 'a1 a2', n1: 'x last', n2: 'y last' }));
  const result = await new TranscriptReplay(transcript, { ...options, speed: 1 }).done;
  expect(result).toMatchObject({ sent: 3, received: 6, compared: 4, equal: 4, differences: 0 });
  expect(result.latency.count).toBe(3);
  expect(result.elapsedMs).toBeGreaterThan(110);
});
