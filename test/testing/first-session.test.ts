/** The first session over WebSocket of a process, for which modules are still to be loaded. */
import { expect, it } from 'vitest';
import { fakeClock } from '../../src/testing/fake-clock.ts';
import { testSession } from '../../src/testing/test-server.ts';

it('time does not pass before the first session is under way', async () => {
  const clock = fakeClock();
  const options = { clock, listen: 'ws://a:1', network: { latencyMs: 50 } };
  const connecting = testSession(({ text }) => text, options);
  await clock.advance(1000);
  const session = await connecting;
  const reply = session.say('hello');
  await clock.advance(1000);
  expect(await reply).toBe('hello');
  await session.close();
});
