/** rsyslogd and logger send to yodel, each with its own framing, on one port. */
import { expect, onTestFinished } from 'vitest';
import { serve } from '../../../src/index.ts';
import { log, rsyslog, startRsyslog } from './servers/rsyslog.ts';

rsyslog.test('rsyslogd that ends messages with NUL and logger that ends them with LF send to one port', async () => {
  const received: string[] = [];
  const server = await serve({
    listen: 'tcp://127.0.0.1:0',
    framing: 'delimiters:\\0,\\n',
    handler: ({ text }) => void received.push(text),
  });
  onTestFinished(() => server.close());
  const [address] = server.addresses;
  const port = address && 'port' in address ? address.port : 0;
  const relay = await startRsyslog({ port, framing: 'NUL' });
  await log(relay.port, 'one, grüße\ntwo\n');
  await expect.poll(() => received.length).toBe(2);
  await log(port, 'three\nfour\n');
  await expect.poll(() => received.length).toBe(4);
  expect(received).toEqual([
    '<13>1 - - app - - - one, grüße',
    '<13>1 - - app - - - two',
    expect.stringMatching(/^<13>1 .* app - - .*three$/),
    expect.stringMatching(/^<13>1 .* app - - .*four$/),
  ]);
});
