/** rsyslogd and logger send to yodel, each with its own framing, on one port. */

import { expect, onTestFinished } from 'vitest';
import type { FramingText } from '../../../src/framing/notation.ts';
import { connect, type Message, serve } from '../../../src/index.ts';
import { log, rsyslog, startRsyslog } from './servers/rsyslog.ts';

/** A server that keeps the text of its messages. */
async function receive(framing: FramingText): Promise<{ port: number; received: string[] }> {
  const received: string[] = [];
  const handler = ({ text }: Message) => void received.push(text);
  const server = await serve({ listen: 'tcp://127.0.0.1:0', framing, handler });
  onTestFinished(() => server.close());
  const [address] = server.addresses;
  return { received, port: address && 'port' in address ? address.port : 0 };
}

const one = expect.stringMatching(/^<13>1 \S+ \S+ app - - .*one, grüße$/);
const two = expect.stringMatching(/^<13>1 \S+ \S+ app - - .*two$/);

rsyslog.test('rsyslogd and logger, with every framing of theirs, send to one port', async () => {
  const { port, received } = await receive('octet-counted:mixed,nul');
  for (const framing of ['octet-counted', 'LF', 'NUL'] as const) {
    const relay = await startRsyslog({ port, framing });
    await log(relay.port, 'one, grüße\ntwo\n');
    await expect.poll(() => received).toEqual([one, two]);
    received.length = 0;
  }
  for (const flags of [[], ['--octet-count']]) {
    await log(port, 'one, grüße\ntwo\n', ...flags);
    await expect.poll(() => received).toEqual([one, two]);
    received.length = 0;
  }
});

rsyslog.test('rsyslogd that ends messages with NUL and logger that ends them with LF send to one port', async () => {
  const { port, received } = await receive('delimiters:\\0,\\n');
  const relay = await startRsyslog({ port, framing: 'NUL' });
  await log(relay.port, 'one, grüße\ntwo\n');
  await expect.poll(() => received).toEqual([one, two]);
  await log(port, 'one, grüße\ntwo\n');
  await expect.poll(() => received).toEqual([one, two, one, two]);
});

rsyslog.test('yodel sends counted messages to rsyslogd, also with a line feed inside', async () => {
  const port = await rsyslog.start();
  const client = await connect(port, { framing: 'octet-counted' });
  for (const text of ['one', 'two\nlines']) client.send(`<13>1 - - app - - - ${text}`);
  await client.close();
  // rsyslogd escapes control characters.
  expect(await rsyslog.written(port, 2)).toEqual(['app: one', 'app: two#012lines']);
});
