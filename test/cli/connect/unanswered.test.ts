import { expect, test } from 'vitest';
import { UnansweredMessages } from '../../../src/cli/connect/unanswered.ts';

function unanswered(count: number): UnansweredMessages {
  const messages = new UnansweredMessages();
  for (let number = 1; number <= count; number++) messages.add(number, Buffer.from(`m${number}`));
  return messages;
}

test('the first reply belongs to the oldest message', () => {
  const messages = unanswered(3);
  expect(messages.answer()).toBeGreaterThanOrEqual(0);
  expect(messages.count).toBe(2);
  expect(messages.format()).toBe('2: m2, 3: m3');
});

test('a reply to no message has no round-trip time', () => {
  const messages = unanswered(1);
  messages.answer();
  expect(messages.answer()).toBeUndefined();
  expect(messages.count).toBe(0);
});

test('names ten messages and counts the others, escaped and shortened', () => {
  expect(unanswered(12).format()).toMatch(/^1: m1, .*10: m10, and 2 more$/);
  const messages = new UnansweredMessages();
  messages.add(1, Buffer.from(`\x1b${'x'.repeat(100)}`));
  expect(messages.format()).toBe(`1: \\x1b${'x'.repeat(59)}`);
});

test('very many messages are only counted', () => {
  const messages = unanswered(10_002);
  for (let replies = 0; replies < 10_000; replies++) expect(messages.answer()).toBeDefined();
  expect(messages.count).toBe(2);
  expect(messages.answer()).toBeUndefined();
  expect(messages.count).toBe(1);
});
