/** Masks for what differs between two recordings of the same conversation. */
import { expect, it } from 'vitest';
import { compareRecordings } from '../../src/transcript/check/recordings.ts';
import { parseTranscript } from '../../src/transcript/parse.ts';
import { updateOf } from '../../src/transcript/update.ts';

function masked(first: string, second: string) {
  const result = compareRecordings(parseTranscript(first, 'first'), parseTranscript(second, 'second'));
  const { text, left } = updateOf(result, { mask: true });
  return { text, left: left.map(({ line, reason }) => `${line} ${reason}`) };
}

const first = '# Ours\n< hello 4711\n> a\n< at 10:20:31\n< b\n< c\n@wait 1ms\n> b\n< bye 4711\n@closed\n';

it('what differs gets names, and what only one of them has becomes optional', () => {
  const second = '< hello 99\n> a\n< at 11:00:02\n< more\n< b\n#+ 12ms\n> b\n< bye 99\n';
  const text =
    '# Ours\n< hello {value1=4711}\n> a\n< at {value2=10:20:31}\n<? more\n< b\n<? c\n@wait 1ms\n> b\n< bye {value1}\n@closed\n';
  expect(masked(first, second)).toEqual({ text, left: [] });
  // Both recordings fit now, and the file does not change again.
  for (const other of [first, second]) expect(masked(text, other)).toEqual({ text, left: [] });
  expect(masked(text, second.replace('< b\n', '< x\n')).left).toEqual(['6 a different message']);
});

it('the same recordings have no masks', () => {
  expect(masked(first, first)).toEqual({ text: first, left: [] });
});

it('names, patterns and headers are compared as in a check', () => {
  const own = '@framing headers\n<h\\ Content-Length: 2\\r\\n | hi\n> {id=7}\n< {id} /x\n< /^y/\n<*\n';
  const other = own.replace('=7', '=8').replace('{id} /x', '{id} /x');
  expect(masked(own, own.replace('< /^y/', '< yes'))).toEqual({ text: own, left: [] });
  expect(masked(own, other).left).toContain('3 the other file sends something else, in its line 3');
});

it.each([
  ['another request', first.replace('> b', '> x'), ['8 the other file sends something else, in its line 8']],
  ['fewer requests', first.replace('> b\n< bye 4711\n', ''), ['8 the other file ends before this line']],
  ['more requests', `${first}> c\n`, ['8 the other file has another request, in its line 11']],
  ['nothing', '# none\n', ['2 the other file ends before this line']],
])('%s cannot be masked', (_, second, left) => {
  expect(masked(first, second)).toEqual({ text: first, left });
});

it('times that are equal by chance have a name each', () => {
  const own = '> a\n< at 20261129081500\n> b\n< at 20261129081500\n> c\n< at 10:20:31\n> d\n< at 10:20:31\n';
  const other = own.replaceAll('20261129081500', '20261130091623').replaceAll('10:20:31', '11:30:42');
  const { text } = masked(own, other);
  expect(text.match(/\{value\d=[^}]+\}/g)).toHaveLength(4);
  expect(masked(text, own.replace('10:20:31', '12:00:00'))).toEqual({ text, left: [] });
});

it('each of several clients is compared with its own messages', () => {
  const own = 'c1> a\nc2> b\nc1< id 1\nc2< id 2\n';
  const text = 'c1> a\nc2> b\nc1< id {value1=1}\nc2< id {value2=2}\n';
  expect(masked(own, 'c2> b\nc2< id 4\nc1> a\nc1< id 3\n')).toEqual({ text, left: [] });
});

it('requests that one file has in a row may have their replies between them in the other one', () => {
  const row = '> a\n> b\n> c\n< hello 4711\n< a 1\n< b 4711\n';
  const turns = '< hello 99\n> a\n< a 1\n> b\n< b 99\n> c\n';
  const text = row.replace('4711', '{value1=4711}').replace('b 4711', 'b {value1}');
  expect(masked(row, turns)).toEqual({ text, left: [] });
  const mask = turns.replace('99', '{value1=99}').replace('b 99', 'b {value1}');
  expect(masked(turns, row)).toEqual({ text: mask, left: [] });
  expect(masked('> a\n< a 1\n> b\n< b 1\n', '> a\n> b\n< more\n< a 1\n< b 1\n').text).toBe(
    '> a\n<? more\n< a 1\n> b\n< b 1\n',
  );
  expect(masked(row, turns.replace('> b', '> x')).left).toEqual([
    '2 the other file sends something else, in its line 4',
  ]);
});
