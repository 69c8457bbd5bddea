import { describe, expect, it } from 'vitest';
import { Replies } from '../../../src/cli/connect/replies.ts';
import { Message } from '../../../src/framing/message.ts';

function receive(replies: Replies, ...texts: string[]): (number | undefined)[] {
  return texts.map((text) => replies.receive(Message.of(text)));
}

describe('Replies', () => {
  it('assigns the first reply to the first message', () => {
    const replies = new Replies({});
    expect(replies.send(Message.of('a'))).toBe(1);
    expect(replies.send(Message.of('b'))).toBe(2);
    expect(receive(replies, 'A')[0]).toBeTypeOf('number');
    expect({ answered: replies.answered, count: replies.count }).toEqual({ answered: 1, count: 1 });
    expect(replies.unanswered.format()).toBe('2: b');
  });

  it('takes the announced greetings for no replies', () => {
    const replies = new Replies({ greeting: 2 });
    replies.send(Message.of('a'));
    expect(receive(replies, 'hello', 'welcome')).toEqual([undefined, undefined]);
    expect({ due: replies.greetingsDue, answered: replies.answered, count: replies.count }).toEqual({
      due: 0,
      answered: 0,
      count: 0,
    });
    receive(replies, 'A');
    expect(replies.answered).toBe(1);
  });

  it('names the replies that report errors, and the greeting', () => {
    const replies = new Replies({ name: 'smtp', errorPattern: /^[45]/, greeting: 1 });
    receive(replies, '421 \x1b busy', '250 ok', '550 no');
    expect(replies.formatErrors()).toBe('2 of 2 replies report errors: the greeting: 421 \\x1b busy, 2: 550 no');
  });

  it('says how far a conversation came', () => {
    const replies = new Replies({});
    expect([false, true].map((counts) => replies.formatProgress(counts))).toEqual(Array(2).fill('no message was sent'));
    replies.send(Message.of('a'));
    expect(replies.formatProgress(false)).toBe('1 message was sent');
    expect(replies.formatProgress(true)).toBe('0 of 1 message was answered');
    replies.send(Message.of('b'));
    receive(replies, 'A', 'B');
    expect(replies.formatProgress(false)).toBe('2 messages were sent');
    expect(replies.formatProgress(true)).toBe('2 of 2 messages were answered');
  });

  it('names a text once, without its line end', () => {
    const replies = new Replies({});
    receive(replies, 'error: a\r\n', 'fine', 'error: b', 'error: a\n');
    expect(replies.formatErrors()).toBe('3 of 4 replies report errors: 1, 4: error: a, 3: error: b');
  });

  it('names only the first ten errors', () => {
    const replies = new Replies({});
    receive(replies, ...Array.from({ length: 12 }, (_, index) => `error: ${index}`));
    expect(replies.errors).toBe(12);
    expect(replies.formatErrors()).toMatch(/^12 of 12 replies report errors: 1: error: 0, .*10: error: 9, and 2 more$/);
  });
});
