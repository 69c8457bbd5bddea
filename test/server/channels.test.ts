/** The events of servers on the channels of node:diagnostics_channel. */
import { channel, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import type { ChannelMessages } from '../../src/server/channels.ts';
import { events } from '../../src/telemetry/events.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';

/**
 * What `see` makes of what is published on a channel until the test ends. Other tests of this process have servers of their own.
 */
function published<Name extends keyof ChannelMessages>(
  name: Name,
  server: () => unknown,
  see: (message: ChannelMessages[Name]) => unknown,
): unknown[] {
  const all: unknown[] = [];
  const listen = (message: unknown) => {
    if ((message as { server: unknown }).server === server()) all.push(see(message as ChannelMessages[Name]));
  };
  subscribe(name, listen);
  onTestFinished(() => void unsubscribe(name, listen));
  return all;
}

const subjects = ['server', 'connection', 'session', 'room'];
const names = Object.keys(events).map((event) =>
  event.replace(/^room(.)/, (_, letter: string) => letter.toLowerCase()),
);

it('each event has a channel, named after yodel, a subject and the event', async () => {
  // The module has made them.
  const { channelsOf } = await import('../../src/server/channels.ts');
  const all = channelsOf({} as never).channels as unknown as Record<string, { name: string }>;
  const [found, expected] = [Object.values(all).map(({ name }) => name.split(':')), [...names]];
  expect(found.every(([module, subject]) => module === 'yodel' && subjects.includes(subject as string))).toBe(true);
  expect(found.map(([, , event]) => event).sort()).toEqual(expected.sort());
});

it('a session is on the channels from its beginning to its end, with its server', async () => {
  let harness: Harness | undefined;
  const server = () => harness?.server;
  const opened = published('yodel:session:opened', server, ({ session }) => session.id);
  const received = published('yodel:session:received', server, ({ batch }) => batch.count);
  const handled = published('yodel:session:handled', server, ({ messages, durationMs }) => [messages, durationMs]);
  const sent = published('yodel:session:sent', server, ({ isShared, bytes }) => [isShared, String(bytes)]);
  const closed = published('yodel:session:closed', server, ({ session, error }) => [session.id, error]);
  harness = await Harness.open({ handler: (message) => message.text.toUpperCase() });
  const peer = await harness.connect();
  await peer.says('a\nb\n');
  await peer.ends();
  await settled();
  expect(opened).toEqual([1]);
  expect(received).toEqual([2]);
  expect(handled).toEqual([
    [1, 0],
    [1, 0],
  ]);
  expect(sent).toEqual([[false, 'A\nB\n']]);
  expect(closed).toEqual([[1, undefined]]);
});

it('who subscribes while sessions run learns of what happens next', async () => {
  const harness = await Harness.open({ handler: (message) => message });
  const server = () => harness.server;
  const peer = await harness.connect();
  await peer.says('a\n');
  const received = published('yodel:session:received', server, ({ batch }) => batch.count);
  const joined = published('yodel:room:joined', server, ({ session, room }) => [session.id, room]);
  const sent = published('yodel:session:sent', server, ({ isShared, bytes }) => [isShared, String(bytes)]);
  await peer.says('b\n');
  harness.session.join('news');
  expect(received).toEqual([1]);
  expect(sent).toEqual([[false, 'b\n']]);
  expect(joined).toEqual([[1, 'news']]);
});

it('the failure of a handler that a channel reports is no warning of the process', async () => {
  const warnings: Error[] = [];
  // Others of this process may have warnings of their own.
  const warn = (warning: Error) => void (warning.message === 'away' && warnings.push(warning));
  process.on('warning', warn);
  onTestFinished(() => void process.off('warning', warn));
  let harness: Harness | undefined;
  const failed = published(
    'yodel:session:handlerFailed',
    () => harness?.server,
    ({ error }) => error.cause,
  );
  harness = await Harness.open({
    handler: () => {
      throw new Error('away');
    },
  });
  const peer = await harness.connect();
  await peer.says('a\n');
  await settled();
  expect(failed).toEqual([new Error('away')]);
  expect(warnings).toEqual([]);
});

it('a channel is the same for everybody, and has no subscribers by itself', () => {
  expect(channel('yodel:session:opened').hasSubscribers).toBe(false);
});
