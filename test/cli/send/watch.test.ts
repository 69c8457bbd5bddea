import { expect, test } from 'vitest';
import { Watch } from '../../../src/cli/send/watch.ts';

/** Adds the replies of one round. */
function round(watch: Watch, ...replies: string[]): string {
  return replies.map((reply) => watch.add(`${reply}\n`, reply, 1)).join('');
}

test('in a pipe a reply is printed when it differs from the one before', () => {
  const watch = new Watch({ replies: 2, title: '', screen: undefined });
  expect(round(watch, 'a', 'b')).toBe('a\nb\n');
  expect(round(watch, 'a', 'b')).toBe('');
  expect(round(watch, 'a', 'c')).toBe('c\n');
  expect(round(watch, 'd', 'c')).toBe('d\n');
  expect([watch.rounds, watch.changes]).toEqual([4, 2]);
});

test('messages that are no replies belong to their round', () => {
  const watch = new Watch({ replies: 1, title: '', screen: undefined });
  expect(watch.add('push\n', 'push', undefined)).toBe('');
  expect(watch.add('reply\n', 'reply', 1)).toBe('push\nreply\n');
  expect(watch.add('reply\n', 'reply', 1)).toBe('reply\n');
});

test('what is compared is the payload, although the text has a time in it', () => {
  const watch = new Watch({ replies: 1, title: '', screen: undefined });
  watch.add('12:00 a\n', 'a', 1);
  expect(watch.add('12:01 a\n', 'a', 1)).toBe('');
});

function onScreen(rows: number): Watch {
  const screen = { paint: (style: string, text: string) => (style === 'dim' ? text : `[${text}]`), rows: () => rows };
  return new Watch({ replies: 1, title: 'every 1s: INFO', screen });
}

test('on a terminal the screen is cleared, and what has changed is marked', () => {
  const watch = onScreen(24);
  expect(round(watch, 'clients:17\nmem:1\x1b')).toMatch(
    // biome-ignore lint/suspicious/noControlCharactersInRegex: it clears the screen
    /^\x1b\[H\x1b\[2Jevery 1s: INFO {2}\d\d:\d\d:\d\d\.\d{3} {2}1\.00 ms\n\nclients:17\nmem:1\\x1b\n$/,
  );
  expect(round(watch, 'clients:25\nmem:1\x1b\nnew')).toContain('\n\nclients:[25]\nmem:1\\x1b\n[new]\n');
  expect(round(watch, 'clients:215\nmem:1\x1b')).toContain('\n\nclients:2[1]5\nmem:1\\x1b\n');
});

test('what does not fit the terminal is counted', () => {
  expect(round(onScreen(6), 'a\nb\nc\nd')).toMatch(/\n\na\nb\n… 2 more\n$/);
});
