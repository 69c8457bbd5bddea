import { expect, it } from 'vitest';
import { Harness } from './harness.ts';

it('a reply that is not one line ends the session after the earlier replies', async () => {
  const failed: string[] = [];
  const harness = await Harness.open({
    handler: ({ text }) => (text === 'b' ? 'two\nlines' : text),
    telemetry: { handlerFailed: (_session, error) => void failed.push(String(error.cause)) },
  });
  const peer = await harness.connect();
  expect(await peer.says('a\nb\nc\n')).toBe('a\nerror: the handler failed on the server\n');
  await peer.ends();
  expect(failed.join()).toContain('line feed at offset 3');
});

it('the last reply before the end of the client fails as any other', async () => {
  const slow = Promise.withResolvers<string>();
  const telemetry = { handlerFailed: () => undefined };
  const harness = await Harness.open({ handler: () => slow.promise, telemetry });
  const peer = await harness.connect();
  await peer.says('a\n');
  await peer.ends();
  slow.resolve('two\nlines');
  await peer.gone();
  expect(peer.text).toBe('error: the handler failed on the server\n');
});

it('a reply that fails before one that throws is reported, and so is the other', async () => {
  const failed: string[] = [];
  const harness = await Harness.open({
    handler: ({ text }) => {
      if (text === 'bad') throw new Error('thrown');
      return 'two\nlines';
    },
    telemetry: { handlerFailed: (_session, error) => void failed.push(String(error.cause)) },
  });
  const peer = await harness.connect();
  expect(await peer.says('a\nbad\n')).toBe('error: the handler failed on the server\n');
  await peer.ends();
  expect(failed).toEqual(['Error: thrown', expect.stringContaining('line feed')]);
});

it('an error reply in RESP is an error of RESP', async () => {
  const harness = await Harness.open({ protocol: 'redis', handler: (message) => message });
  const peer = await harness.connect();
  const text = await peer.says('+OK\r\nGET a\n*1\r\n?x\r\n');
  expect(text).toMatch(
    /^\+OK\r\n-ERR the reply cannot be sent: [^\r\n]*\r\n-ERR message 3 is not a valid frame [^\r\n]*\r\n$/,
  );
  await peer.ends();
});
