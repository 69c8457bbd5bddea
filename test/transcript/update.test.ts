/** Transcripts rewritten with what a server sent: right, stable, and green for the right reason. */

import { describe, expect, it } from 'vitest';
import { Message } from '../../src/framing/message.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import { type CheckOptions, check } from '../../src/transcript/check.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { reworded } from '../../src/transcript/reword.ts';
import type { MessageStep } from '../../src/transcript/transcript.ts';
import { type UpdateOptions, updateOf } from '../../src/transcript/update.ts';
import { fc } from '../support/fast-check.ts';

/** Replies to each request, in the order in which they are sent. */
type Replies = Readonly<Record<string, readonly string[]>>;

function handlerOf(replies: Replies, { greeting = [], bye = [] }: Extras = {}): Handler {
  return {
    open: () => [...greeting],
    message: ({ text }) => [...(replies[text] ?? [])],
    end: (session) => {
      for (const line of bye) session.send(line);
    },
  };
}

interface Extras {
  readonly greeting?: readonly string[];
  readonly bye?: readonly string[];
}

async function play(text: string, handler: Handler, options: CheckOptions = {}) {
  const server = await serve({ listen: '127.0.0.1:0', lingerTimeout: 100, handler, encoding: 'binary' });
  try {
    return await check(parseTranscript(text, 'talk'), {
      address: server.addresses[0],
      timeoutMs: 300,
      quietMs: 100,
      ...options,
    });
  } finally {
    await server.close({ timeoutMs: 0 });
  }
}

/** Updates a transcript. The result must be as it is after another update, and what is left must be the same. */
async function update(text: string, handler: Handler, options: UpdateOptions = {}) {
  const once = updateOf(await play(text, handler, { settleMs: 100 }), options);
  const again = updateOf(await play(once.text, handler, { settleMs: 100 }), options);
  expect(again.text).toBe(once.text);
  expect(again.left.length).toBe(once.left.length);
  const { differences } = await play(once.text, handler);
  expect(differences.length).toBe(once.left.length);
  return once;
}

const old = '> a\n< a1\n< a2\n< a3\n\n# then b\n> b\n< b1\n< b2\n> c\n< c1\n';
const good: Replies = { a: ['a1', 'a2', 'a3'], b: ['b1', 'b2'], c: ['c1'] };

describe.concurrent('an update after the server has', () => {
  it.each([
    ['not changed', good, {}, old],
    ['changed a line', { ...good, a: ['a1', 'x', 'a3'] }, {}, old.replace('< a2', '< x')],
    ['lost a line', { ...good, a: ['a1', 'a3'] }, {}, old.replace('< a2\n', '')],
    ['lost the last line of a reply', { ...good, a: ['a1', 'a2'] }, {}, old.replace('< a3\n', '')],
    ['lost a whole reply', { ...good, b: [] }, {}, old.replace('< b1\n< b2\n', '')],
    ['gained a line', { ...good, a: ['a1', 'x', 'a2', 'a3'] }, {}, old.replace('< a1', '< a1\n< x')],
    ['gained a first line', { ...good, b: ['x', 'b1', 'b2'] }, {}, old.replace('< b1', '< x\n< b1')],
    ['gained a last line', { ...good, a: ['a1', 'a2', 'a3', 'x'] }, {}, old.replace('< a3', '< a3\n< x')],
    ['gained lines at the end', { ...good, c: ['c1', 'x', 'y'] }, {}, `${old}< x\n< y\n`],
    ['gained a greeting', good, { greeting: ['hello'] }, `< hello\n${old}`],
    ['gained a farewell', good, { bye: ['bye'] }, `${old}@close\n< bye\n`],
    ['exchanged lines', { ...good, a: ['a2', 'a1', 'a3'] }, {}, old.replace('< a1\n< a2', '< a2\n< a1')],
    [
      'changed, lost and gained',
      { a: ['a2', 'x', 'a3'], b: ['b1', 'B2', 'b3'], c: [] },
      {},
      '> a\n< a2\n< x\n< a3\n\n# then b\n> b\n< b1\n< B2\n< b3\n> c\n',
    ],
  ])('%s', async (_, replies: Replies, extras, text) => {
    const { text: updated, left } = await update(old, handlerOf(replies, extras));
    expect(updated.replaceAll('\n\n', '\n')).toBe(text.replaceAll('\n\n', '\n'));
    expect(left).toEqual([]);
  });
});

describe.concurrent('an update keeps', () => {
  it('names and patterns that still match', async () => {
    const text = '> a\n< /a\\d/\n< {x}\n< a3\n> b {x}\n< ok {x}\n';
    const replies = { a: ['a1', 'id', 'new'], 'b id': ['ok id'] };
    expect((await update(text, handlerOf(replies))).text).toBe(text.replace('a3', 'new'));
  });

  it('names in a line whose other text has changed', async () => {
    const text = '> login\n< welcome, token={t} for user {u} v1\n> use {t}\n< ok {t}\n';
    const replies = { login: ['hello, token=abc for user bob v2'], 'use abc': ['ok abc'] };
    const { text: updated, left } = await update(text, handlerOf(replies));
    expect(updated).toBe(text.replace('welcome', 'hello').replace('v1', 'v2'));
    expect(left).toEqual([]);
  });

  it('no name that stands for something else', async () => {
    const text = '> a\n< id {id}\n> b\n< ok {id} today\n';
    const { text: updated, left } = await update(text, handlerOf({ a: ['id 7'], b: ['ok 8 today'] }));
    expect(updated).toBe(text.replace('ok {id}', 'ok 8'));
    expect(left).toEqual([]);
    const masked = await update(text, handlerOf({ a: ['id 7'], b: ['ok 8 today'] }), { mask: true });
    expect(masked).toMatchObject({ text, left: [{ line: 4 }] });
  });

  it('lines of a loop, which it cannot rewrite', async () => {
    const text = '@repeat 2\n> a\n< a1\n@end\n> c\n< c0\n';
    const { text: updated, left } = await update(text, handlerOf({ a: ['x'], c: ['c1'] }));
    expect(updated).toBe(text.replace('c0', 'c1'));
    expect(left).toMatchObject([{ line: 3 }, { line: 3 }]);
  });

  it('what was not waited for, and what is missing before it', async () => {
    const text = '> a\n< a1\n> b\n< b1\n> c\n< c1\n> d\n< d1\n';
    const { text: updated, left } = await update(text, handlerOf({ a: ['x'] }));
    expect(updated).toBe(text.replace('a1', 'x'));
    expect(left.map(({ line }) => line)).toEqual([4, 6, 8]);
  });

  it('everything if nothing would be expected any more', async () => {
    const { text, left } = await update('> a\n< a1\n', handlerOf({}));
    expect(text).toBe('> a\n< a1\n');
    expect(left).toHaveLength(1);
  });

  it('a line after a wildcard that may have taken its message', async () => {
    const { text, left } = await update('> a\n<*\n< done\n', handlerOf({ a: ['x', 'finished'] }));
    expect(text).toBe('> a\n<*\n< done\n');
    expect(left).toHaveLength(1);
  });
});

it('unordered lines are replaced, removed and added within their block', async () => {
  const text = '> a\n@unordered\n< one\n< two\n< three\n@end\n> c\n< c1\n';
  const replies = { a: ['three', 'four', 'one', 'five'], c: ['c1'] };
  const { text: updated, left } = await update(text, handlerOf(replies));
  expect(left).toEqual([]);
  expect(updated.split('\n').toSorted()).toEqual(
    '> a\n@unordered\n< one\n< four\n< three\n< five\n@end\n> c\n< c1\n'.split('\n').toSorted(),
  );
});

it('a name stays in its line of a reply that has gained others', () => {
  const [step] = parseTranscript('<\\ 250-{host}\\r\\n250-8BITMIME\\r\\n250 HELP\n', 'mail').steps;
  const message = Message.of(Buffer.from('250-localhost\r\n250-SIZE 1000\r\n250-8BITMIME\r\n250 HELP'));
  expect(reworded(step as MessageStep, message, (_, received) => received)).toBe(
    '\\ 250-{host}\\r\\n250-SIZE 1000\\r\\n250-8BITMIME\\r\\n250 HELP',
  );
});

describe.concurrent('masks', () => {
  it('stand for the smallest part that is different, with the recorded text as default', async () => {
    const text = '> a\n< session 4711 started at 10:20:31\n< a2\n> b\n< bye 4711\n';
    const replies = { a: ['session 8765 started at 11:21:33', 'a2'], b: ['bye 8765'] };
    const { text: masked, left } = await update(text, handlerOf(replies), { mask: true });
    expect(left).toEqual([]);
    expect(masked).toBe('> a\n< session {value1=4711} started at {value2=10:20:31}\n< a2\n> b\n< bye {value1}\n');
    // Against the recording itself it is green too.
    const recorded = { a: ['session 4711 started at 10:20:31', 'a2'], b: ['bye 4711'] };
    expect((await play(masked, handlerOf(recorded))).differences).toEqual([]);
  });

  it('are never all of a line, which would accept any message', async () => {
    const text = '> a\n< ok\n> b\n< b1 one\n';
    const { text: masked, left } = await update(text, handlerOf({ a: ['denied'], b: ['b1 two'] }), { mask: true });
    expect(masked).toMatch(/^> a\n< ok\n> b\n< b1 \{value\d=one\}\n$/);
    expect(left).toMatchObject([{ line: 2 }]);
  });

  it('make lines optional that only one of the recordings has', async () => {
    const { text } = await update(old, handlerOf({ ...good, a: ['a1', 'a3', 'x'] }), { mask: true });
    expect(text).toBe(old.replace('< a2', '<? a2').replace('< a3', '< a3\n<? x'));
    expect((await play(text, handlerOf(good))).differences).toEqual([]);
  });

  it('leave requests in a row where they are, with their replies after them', async () => {
    const text = '> a\n> b\n> c\n< a 1\n< b 4711\n< c 3\n';
    const replies = { a: ['a 1'], b: ['b 99'], c: ['c 3'] };
    const result = await play(text, handlerOf(replies), { settleMs: 100, settlesExpectedOnly: true });
    expect(updateOf(result, { mask: true })).toMatchObject({ text: text.replace('4711', '{value1=4711}'), left: [] });
  });
});

describe.concurrent('what one client does lets another receive', () => {
  /** Tells the other clients what one says, and answers itself. */
  function room(when = ''): Handler {
    const sessions = new Set<{ send(text: string): unknown }>();
    return {
      open: (session) => void sessions.add(session),
      message: ({ text }, session) => {
        for (const other of sessions) if (other !== session) other.send(`told ${text}${when}`);
        return [`ok ${text}`];
      },
    };
  }
  // One receives "told b" before the second request of two, but its line is after that, as it was recorded.
  const late = 'one> a\none< ok a\ntwo> b\ntwo< ok b\ntwo> c\ntwo< ok c\none< told b\none< told c\n';
  const lines = [
    ['no difference', late],
    [
      'lines that also expect something',
      late
        .replace('two< ok b\n', 'two< ok b\none> x\ntwo< told x\none< told b\none< ok x\n')
        .replace('told b\none< told c', 'told c'),
    ],
    [
      'lines after what it does itself',
      `${late.replace('one< told b\none< told c\n', 'one> d\none< told b\none< told c\none< ok d\ntwo< told d\n')}`,
    ],
  ] as const;

  it.each(lines)('%s: nothing is written twice', async (_, text) => {
    for (const mask of [false, true]) {
      const result = await play(text, room(), { settleMs: 100, settlesExpectedOnly: mask });
      const updated = updateOf(result, { mask });
      expect(updated.left).toEqual([]);
      const own = (name: string) => updated.text.split('\n').filter((line) => line.startsWith(name));
      const wanted = (name: string) => text.split('\n').filter((line) => line.startsWith(name));
      expect(own('two')).toEqual(wanted('two'));
      expect(own('one').toSorted()).toEqual(wanted('one').toSorted());
    }
  });

  it('lines that differ: they are masked or updated in their places', async () => {
    const text =
      'one> a\none< ok a\ntwo> b\ntwo< ok b\ntwo> c\ntwo< ok c\none< told b at 1\none< told c at 1\none> d\none< ok d\n';
    for (const mask of [true, false]) {
      const result = await play(text, room(' at 2'), { settleMs: 100, settlesExpectedOnly: mask });
      const { text: updated } = updateOf(result, { mask });
      const own = updated.split('\n').filter((line) => line.startsWith('one'));
      expect(own.map((line) => line.replace(/\{value\d(?:=1)?\}|2$/, '1'))).toEqual(
        text.split('\n').filter((line) => line.startsWith('one')),
      );
    }
  });

  it('lines that the file does not have, where they came', async () => {
    const text = 'one> a\ntwo> b\ntwo> c\none> d\n';
    const updated =
      'one> a\none< ok a\ntwo> b\none< told b\ntwo< ok b\ntwo> c\none< told c\ntwo< ok c\none> d\ntwo< told d\none< ok d\n';
    const once = await play(text, room(), { settleMs: 100 });
    const own = (all: string, name: string) => all.split('\n').filter((line) => line.startsWith(name));
    for (const name of ['one', 'two']) expect(own(updateOf(once).text, name)).toEqual(own(updated, name));
    expect((await play(updateOf(once).text, room())).differences).toEqual([]);
  });
});

it('for any replies, before and after, the text is that of a new recording', async () => {
  const line = fc.constantFrom('ok', 'error', 'one', 'two', 'three', '{x}', '250-A b', '');
  const reply = fc.array(line, { maxLength: 4 });
  const conversation = fc.array(fc.tuple(reply, reply), { minLength: 1, maxLength: 4 });
  const textOf = (replies: readonly (readonly string[])[]) =>
    replies
      .map((lines, index) =>
        [
          `> ${index}`,
          ...lines.map((text) => (text === '{x}' ? '<\\ \\{x}' : text === '' ? '<' : `< ${text}`)),
          '',
        ].join('\n'),
      )
      .join('');
  const cases = fc.sample(conversation, { numRuns: 40, seed: 7 });
  await Promise.all(
    cases.map(async (pairs) => {
      const before = textOf(pairs.map(([first]) => first));
      const replies = pairs.map(([, second]) => second);
      if (replies.flat().length === 0) return;
      const handler = handlerOf(Object.fromEntries(replies.map((lines, index) => [String(index), lines])));
      const result = await play(before, handler, { settleMs: 150, timeoutMs: 600, quietMs: 150 });
      const { text, left } = updateOf(result);
      if (result.differences.some(({ skipped }) => skipped)) return;
      expect({ text, left }).toEqual({ text: textOf(replies), left: [] });
    }),
  );
});
