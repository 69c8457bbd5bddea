import { describe, expect, it } from 'vitest';
import { settled } from '../../src/testing/turns.ts';
import { serveOneClient } from './harness.ts';

const many = Array.from({ length: 1000 }, (_, number) => `message ${number}\n`).join('');

describe('all replies to one chunk are sent in one write', () => {
  it.each([
    ['of a function', ({ text }: { text: string }) => text],
    ['of a function that returns the message', <T>(message: T) => message],
    ['that are resolved promises', async ({ text }: { text: string }) => text],
    [
      'some of which are promises',
      ({ text }: { text: string }) => (/[02468]$/.test(text) ? Promise.resolve(text) : text),
    ],
  ])('%s', async (_, handler) => {
    const { peer, harness } = await serveOneClient({ handler });
    await peer.says(many);
    expect(peer.text).toBe(many);
    expect(harness.writes).toEqual([many]);
  });

  it('of echo', async () => {
    const { peer, harness } = await serveOneClient();
    await peer.says(many);
    expect(harness.writes).toEqual([many]);
  });

  it('with what the handler sent on its own', async () => {
    const { peer, harness } = await serveOneClient({
      handler(message, session) {
        session.send('first');
        session.send(message);
        return ['then', Buffer.from('last')];
      },
    });
    await peer.says('a\nb\n');
    expect(harness.writes).toEqual(['first\na\nthen\nlast\nfirst\nb\nthen\nlast\n']);
  });

  it('with the error that follows them', async () => {
    const { peer, harness } = await serveOneClient({ maxMessageLength: 5 });
    await peer.says('a\nb\ntoo long\n');
    expect(harness.writes).toEqual(['a\nb\nerror: message 3 is longer than the limit of 5 bytes\n']);
  });
});

describe('what is sent from outside the handler', () => {
  it('is sent in one write at the end of the turn', async () => {
    const { session, harness } = await serveOneClient();
    for (const word of ['one', 'two', 'three']) session.send(word);
    expect(harness.writes).toEqual([]);
    await settled();
    expect(harness.writes).toEqual(['one\ntwo\nthree\n']);
  });

  it('is sent while a reply is awaited', async () => {
    const reply = Promise.withResolvers<string>();
    const { peer, session, harness } = await serveOneClient({ handler: () => reply.promise });
    await peer.says('a\n');
    session.send('busy');
    await settled();
    expect(harness.writes).toEqual(['busy\n']);
    reply.resolve('done');
    await settled();
    expect(harness.writes).toEqual(['busy\n', 'done\n']);
  });
});

it('long output is sent in pieces, so that it is never entirely in memory', async () => {
  const { peer, harness } = await serveOneClient({
    handler: () => 'x'.repeat(10_000),
    network: { capacity: 1_000_000 },
  });
  await peer.says('a\n'.repeat(50));
  const sizes = harness.writes.map(({ length }) => length);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(50 * 10_001);
  expect(Math.max(...sizes)).toBeLessThan(65_536 + 10_001);
});
