import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Closing } from '../../../../src/cli/connect/interactive/closing.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A conversation that is ended with so many replies due. */
function end(due: number, waitMs = 10_000) {
  const state = { due, notices: [] as string[], isAborted: false };
  const closing = new Closing({
    waitMs,
    due: () => state.due,
    notice: (text) => state.notices.push(text),
    abort: () => {
      state.isAborted = true;
    },
  });
  return { closing, state };
}

test('what is waited for is said only if it takes a moment', () => {
  const { closing, state } = end(1);
  vi.advanceTimersByTime(100);
  state.due = 0;
  closing.received();
  vi.advanceTimersByTime(200);
  expect([state.notices, closing.ended(0)]).toEqual([[], 0]);
});

test('a server that is silent for the time limit is given up, with status 4', () => {
  const { closing, state } = end(2);
  vi.advanceTimersByTime(9000);
  closing.received();
  vi.advanceTimersByTime(9999);
  expect(state.isAborted).toBe(false);
  vi.advanceTimersByTime(1);
  expect(state.isAborted).toBe(true);
  expect(closing.ended(2)).toBe(4);
  expect(state.notices).toEqual([
    'waiting for 2 replies; Ctrl-C stops',
    '2 messages got no reply within 10s (see --wait)',
  ]);
});

test('a time limit of 0 is none', () => {
  const { closing, state } = end(1, 0);
  vi.advanceTimersByTime(100_000_000);
  expect(state.isAborted).toBe(false);
  expect(closing.ended(1)).toBe(3);
});

test('with all replies, a silence of a second ends the conversation, but not a server that is still sending', () => {
  const { closing, state } = end(0);
  for (let second = 0; second < 10; second++) {
    vi.advanceTimersByTime(999);
    closing.received();
  }
  expect(state).toMatchObject({ isAborted: false, notices: ['the server is still sending; Ctrl-C stops'] });
  vi.advanceTimersByTime(1000);
  expect([state.isAborted, closing.ended(0)]).toEqual([true, 0]);
});
