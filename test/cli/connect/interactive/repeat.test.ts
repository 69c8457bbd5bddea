import { expect, test, vi } from 'vitest';
import { parseRepeat, Repeat } from '../../../../src/cli/connect/interactive/repeat.ts';
import { eventually } from '../../../support/eventually.ts';

test.each([
  ['3 hello', { times: 3, intervalMs: 0, text: 'hello' }],
  ['2k ping pong', { times: 2000, intervalMs: 0, text: 'ping pong' }],
  ['10 1s ping', { times: 10, intervalMs: 1000, text: 'ping' }],
  ['10 500ms  two spaces', { times: 10, intervalMs: 500, text: 'two spaces' }],
  ['3', undefined],
  ['0 x', undefined],
  ['hello', undefined],
])('parses "%s"', (rest, request) => {
  expect(parseRepeat(rest)).toEqual(request);
});

function repeatOf(times: number, intervalMs: number, send: (text: string) => boolean = () => true) {
  const ended = vi.fn();
  const sent = vi.fn(send);
  return {
    sent,
    ended,
    repeat: new Repeat({ times, intervalMs, text: 'x' }, { ready: async () => {}, send: sent, ended }),
  };
}

test('sends the text as often as requested', async () => {
  const { repeat, sent, ended } = repeatOf(250, 0);
  await repeat.run();
  expect(sent).toHaveBeenCalledTimes(250);
  expect(ended).toHaveBeenCalledExactlyOnceWith(250);
});

test('stops in a pause', async () => {
  const { repeat, sent, ended } = repeatOf(10, 3_600_000);
  const done = repeat.run();
  await eventually(() => expect(sent).toHaveBeenCalledOnce());
  repeat.stop();
  repeat.stop();
  await done;
  expect(sent).toHaveBeenCalledOnce();
  expect(ended).toHaveBeenCalledExactlyOnceWith(1);
});

test('ends at a message that cannot be sent', async () => {
  const { repeat, ended } = repeatOf(10, 0, () => false);
  await repeat.run();
  expect(ended).toHaveBeenCalledExactlyOnceWith(0);
});
