/** A check after a difference: what it names, and that the conversation goes on in step. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { type CheckOptions, check } from '../../src/transcript/check.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';

/** Answers each request with these lines. */
function answers(replies: Readonly<Record<string, string>>, greeting?: string): Handler {
  const lines = (text: string | undefined) => (text ?? '').split(' ').filter((line) => line !== '');
  return { open: () => lines(greeting), message: ({ text }) => lines(replies[text]) };
}

async function play(text: string, handler: Handler, options: CheckOptions = {}) {
  const transcript = parseTranscript(text, 'talk');
  const server = await serve({
    listen: '127.0.0.1:0',
    lingerTimeout: 100,
    handler,
    framing: transcript.framing,
    replyFraming: transcript.replyFraming,
    encoding: 'binary',
  });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  return await check(transcript, { address: server.addresses[0], timeoutMs: 1000, quietMs: 60, ...options });
}

/** Differences as text: `3 replaced < c by x`. */
async function found(text: string, handler: Handler, options: CheckOptions = {}): Promise<string[]> {
  const { differences } = await play(text, handler, options);
  return differences.map(({ kind, line, client, expected, received, skipped, isBefore }) =>
    [skipped ? 'skipped' : kind, isBefore ? `before ${line}` : line, client, expected, received?.text]
      .filter((part) => part !== undefined && part !== '')
      .join(' '),
  );
}

const talk = '> a\n< a1\n< a2\n< a3\n> b\n< b1\n< b2\n> c\n< c1\n';
const good = { a: 'a1 a2 a3', b: 'b1 b2', c: 'c1' };

describe('one cause is one difference', () => {
  it.each([
    ['none', good, []],
    ['a changed line', { ...good, a: 'a1 x a3' }, ['replaced 3 < a2 x']],
    ['a changed first line', { ...good, a: 'x a2 a3' }, ['replaced 2 < a1 x']],
    ['a changed last line', { ...good, a: 'a1 a2 x' }, ['replaced 4 < a3 x']],
    ['a line less', { ...good, a: 'a1 a3' }, ['missing 3 < a2']],
    ['a line more', { ...good, a: 'a1 a2 x a3' }, ['unexpected 3 x']],
    ['a line twice', { ...good, b: 'b1 b1 b2' }, ['unexpected 6 b1']],
    ['two causes', { ...good, a: 'a2 a3', c: 'x' }, ['missing 2 < a1', 'replaced 9 < c1 x']],
  ])('%s', async (_, replies, differences) => {
    expect(await found(talk, answers(replies))).toEqual(differences);
  });

  it('a line more at the end of a reply, with the next reply or before it', async () => {
    const [only, ...others] = await found(talk, answers({ ...good, a: 'a1 a2 a3 x' }));
    expect(others).toEqual([]);
    expect(only).toMatch(/^unexpected [45] x$/);
  });

  it('a line less at the end of a reply costs one time-out, and the next replies are in step', async () => {
    const { differences, elapsedMs } = await play(talk, answers({ ...good, a: 'a1 a2' }), { timeoutMs: 300 });
    expect(differences).toMatchObject([{ line: 4, kind: 'missing', reason: 'no message within 300 ms' }]);
    expect(elapsedMs).toBeGreaterThan(290);
  });

  it('a line less in the middle of a reply is known without the time-out', async () => {
    const { elapsedMs } = await play(talk, answers({ ...good, a: 'a1 a3', b: 'b2' }), { timeoutMs: 10_000 });
    expect(elapsedMs).toBeLessThan(9000);
  });
});

it('a silent server costs two time-outs, and the rest is said to be skipped', async () => {
  const requests = Array.from({ length: 20 }, (_, index) => `> ${index}\n< ${index}\n`).join('');
  const { differences, elapsedMs } = await play(requests, () => undefined, { timeoutMs: 500 });
  expect(differences).toHaveLength(20);
  expect(differences.map(({ skipped }) => skipped ?? false)).toEqual([false, false, ...Array(18).fill(true)]);
  expect(elapsedMs).toBeLessThan(20 * 500);
});

it('after a pause of the server, what it says is compared again', async () => {
  const replies = answers({ a: 'a', e: 'e', f: 'f' });
  const requests = [...'abcdef'].map((name) => `> ${name}\n< ${name}\n`).join('');
  const differences = await found(`${requests}@wait 50ms\n> f\n< f\n`, replies, { timeoutMs: 300 });
  expect(differences.filter((text) => text.startsWith('missing'))).toEqual(['missing 4 < b', 'missing 6 < c']);
  expect(differences.filter((text) => text.startsWith('skipped 14'))).toEqual([]);
});

describe('any messages', () => {
  it.each([
    ['up to the next that matches', '> a\n<*\n< a3\n> b\n< b1\n< b2\n', good, []],
    ['also none', '> a\n<*\n< a1\n< a2\n< a3\n', good, []],
    ['across a request', '> a\n<*\n> b\n< b1\n< b2\n', good, []],
    ['at the end everything', '> a\n< a1\n<*\n', good, []],
    ['not the one that the next line needs', '> a\n<*\n< a2\n', good, ['unexpected 3 a3']],
    ['not more of what follows', '> c\n<*\n< c1\n', { c: 'x c1 c1' }, ['unexpected 3 c1']],
    ['and then a missing one', '> a\n<*\n< a4\n> c\n< c1\n', good, ['missing 3 < a4']],
  ])('%s', async (_, text, replies, differences) => {
    expect(await found(text, answers(replies), { timeoutMs: 400 })).toEqual(differences);
  });
});

describe('optional messages', () => {
  it.each([
    ['that come', '> a\n< a1\n<? a2\n< a3\n', good, []],
    ['that do not come', '> a\n< a1\n<? x\n< a2\n< a3\n', good, []],
    ['that come last', '> b\n< b1\n<? b2\n> c\n< c1\n', good, []],
    ['that do not come last', '> b\n< b1\n< b2\n<? b3\n> c\n< c1\n', good, []],
    ['that are different', '> a\n< a1\n<? x2\n< a3\n', good, ['unexpected 2 a2']],
  ])('%s', async (_, text, replies, differences) => {
    expect(await found(text, answers(replies), { timeoutMs: 400 })).toEqual(differences);
  });
});

describe('unordered messages', () => {
  const block = '> a\n@unordered\n< a3\n< a1\n<? a4\n< a2\n@end\n> c\n< c1\n';

  it.each([
    ['in another order', good, []],
    ['one is missing', { ...good, a: 'a3 a2' }, ['missing 4 < a1']],
    ['one is different', { ...good, a: 'a3 x a2' }, ['replaced 4 < a1 x']],
    ['one came twice', { ...good, a: 'a3 a1 a2 a1' }, ['unexpected 4 a1']],
  ])('%s', async (_, replies, differences) => {
    const lines = await found(block, answers(replies), { timeoutMs: 400 });
    if (differences[0]?.startsWith('unexpected')) expect(lines).toHaveLength(1);
    else expect(lines).toEqual(differences);
  });
});

it('a repeated block is played and compared in every round', async () => {
  let count = 0;
  const counter: Handler = ({ text }) => (text === 'next' ? `number ${++count}` : undefined);
  expect(await found('@repeat 3 n\n> next\n< number {n}\n@end\n', counter)).toEqual([]);
  count = 0;
  expect(await found('@repeat 3 n\n> next\n< number {id}\n@end\n', counter)).toEqual([]);
  count = 7;
  expect(await found('@repeat 2 n\n> next\n< number {n}\n@end\n', counter)).toHaveLength(2);
});

it('names keep their values within a group, across rounds and clients', async () => {
  const list = answers({ list: 'item-1 item-2 item-3' });
  expect(await found('> list\n@repeat 3 n\n< item-{n}\n@end\n', list)).toEqual([]);
  expect(await found('> list\n@repeat 3 n\n< item-{n}\n@end\n', answers({ list: 'item-1 item-3' }))).toEqual([
    'missing 3 < item-{n}',
  ]);
  const twice = answers({ who: 'id=7 again=7', bad: 'id=7 again=8' });
  expect(await found('> who\n< id={id}\n< again={id}\n', twice)).toEqual([]);
  expect(await found('> bad\n< id={id}\n< again={id}\n', twice)).toEqual(['replaced 3 < again={id} again=8']);
});

it('several clients are compared each for itself, in the order of the file', async () => {
  const members = new Set<Session>();
  const chat: Handler = {
    open: (session) => void members.add(session),
    close: (session) => void members.delete(session),
    message(message, from) {
      for (const member of members) {
        if (member === from) continue;
        if (message.text === 'hi') member.send('more');
        member.send(message);
      }
    },
  };
  const text =
    '@connect Ada\n@connect Bob\n@connect Cy\n@wait 30ms\nAda> hello\nBob< hello\nCy< hello\nBob> hi\nAda< hi\nCy< hi\nCy> bye\nAda< bye\nBob< bye\n';
  expect(await found(text, chat)).toEqual(['unexpected 8 Ada more', 'unexpected 8 Cy more']);
});

describe('a stream of bytes', () => {
  const raw = (reply: string, size: number): Handler => ({
    async message(_, session) {
      for (let at = 0; at < reply.length; at += size) {
        session.write(Buffer.from(reply.slice(at, at + size), 'latin1'));
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  });
  const text = '@framing raw\n> GET\n< HTTP/1.1 200\n<\\  OK\\r\\n\n< id={id};\n< done\n';
  const reply = 'HTTP/1.1 200 OK\r\nid=\xff\x00;done';

  it.each([1, 3, 7, 100])('compared by content, in pieces of %i', async (size) => {
    expect(await found(text, raw(reply, size))).toEqual([]);
  });

  it('a difference names its line', async () => {
    expect(await found(text, raw(reply.replace('OK', 'Ok'), 100))).toEqual(['replaced 4 <\\  OK\\r\\n  Ok\r\n']);
    expect(await found(text, raw(reply.replace('done', 'dine'), 5))).toEqual(['replaced 6 < done dine']);
    expect(await found(text, raw(`${reply}!`, 100))).toEqual(['unexpected 6 !']);
    expect(await found(text, raw(reply.slice(0, -4), 100), { timeoutMs: 300 })).toEqual(['missing 6 < done']);
  });

  it('with patterns, wildcards and optional lines', async () => {
    expect(await found('@framing raw\n> GET\n< /^HTTP.*200/\n<*\n< done\n', raw(reply, 4))).toEqual([]);
    expect(await found('@framing raw\n> GET\n< /^HTTP.*404/\n', raw(reply, 4))).toHaveLength(1);
    expect(await found('@framing raw\n> GET\n< HTTP/1.1 200\n<? Maybe\n<*\n< done\n', raw(reply, 4))).toEqual([]);
  });
});

it('the end of messages is compared where the file says so', async () => {
  const crlf: Handler = { message: (_, session) => void session.write(Buffer.from('a\r\nb\n')) };
  expect(await found('@expect-ending crlf\n> x\n< a\n@expect-ending lf\n< b\n', crlf)).toEqual([]);
  const { differences } = await play('@expect-ending crlf\n> x\n< a\n< b\n', crlf);
  expect(differences).toMatchObject([{ line: 4, reason: 'it ends with LF, and not with CRLF' }]);
});

it('a wildcard before silence waits until the server is silent', async () => {
  const burst: Handler = {
    async message(_, session) {
      for (let count = 0; count < 5; count++) {
        session.send('tick');
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    },
  };
  expect(await found('> go\n<*\n@silence 200ms\n', burst)).toEqual([]);
  expect(await found('> go\n< tick\n@silence 200ms\n', burst)).toHaveLength(4);
});
