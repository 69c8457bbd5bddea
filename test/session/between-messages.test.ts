/** Bytes between messages, where the handler has no use for them, do not keep the messages that follow them waiting. */
import { expect, it } from 'vitest';
import { slip } from '../../src/framing/delimited/slip.ts';
import { settled } from '../../src/testing/turns.ts';
import { serveOneClient } from './harness.ts';

it('a message whose frame began with such bytes, in a chunk of its own, is handled after a slow one', async () => {
  const slow = Promise.withResolvers<void>();
  const handled: string[] = [];
  const { peer } = await serveOneClient({
    framing: slip(),
    encoding: 'utf8',
    async handler({ text }) {
      handled.push(text);
      if (text === 'slow') await slow.promise;
    },
  });
  await peer.says(Buffer.from([0xc0, ...Buffer.from('slow'), 0xc0]));
  await peer.says(Buffer.from([0xc0, ...Buffer.from('he')]));
  await peer.says(Buffer.from([...Buffer.from('llo'), 0xc0]));
  expect(handled).toEqual(['slow']);
  slow.resolve();
  await settled();
  expect(handled).toEqual(['slow', 'hello']);
});
