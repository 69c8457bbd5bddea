/** A peer gets the error replies that the guide shows. */
import { readFileSync } from 'node:fs';
import { expect, onTestFinished, test } from 'vitest';
import { connect, raw, type ServeOptions, serve } from '../../src/index.ts';

const page = readFileSync(new URL('../../docs/guide.md', import.meta.url), 'utf8');

/** The error replies of the page's table, without their numbers. */
const shown = [...page.matchAll(/^\|.*`(error: [^…].*?)`/gm)].map(([, reply = '']) => shape(reply));

function shape(reply: string): string {
  return reply.replaceAll(/\b\d+( m?s)?\b/g, '#');
}

/** What a client gets from a server with these limits, after it has sent `input`. */
async function replyTo(input: string | Uint8Array, limits: Partial<ServeOptions>): Promise<string> {
  const server = await serve({ listen: 0, handler: () => undefined, ...limits });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const client = await connect(server.addresses[0], { framing: raw() });
  if (input.length > 0) client.send(input);
  let reply = '';
  for await (const message of client) reply += message.text;
  return shape(reply.trimEnd());
}

test('each mistake gets the reply that the guide shows', async () => {
  expect(shown).toEqual([
    await replyTo('a\nb\ntoo long\n', { maxMessageLength: 3 }),
    await replyTo(Buffer.from('a\nb\nhello\xff\n', 'latin1'), {}),
    await replyTo('not finished', { messageTimeout: 20 }),
    await replyTo('', { idleTimeout: 20 }),
    await replyTo('a\n', { handlerTimeout: 20, handler: () => new Promise(() => undefined) }),
    await replyTo('a\nb\n', { maxMessages: 1 }),
    await replyToOneTooMany(),
  ]);
});

async function replyToOneTooMany(): Promise<string> {
  const server = await serve({ listen: 0, maxConnections: 1 });
  onTestFinished(() => server.close({ timeoutMs: 0 }));
  const first = await connect(server.addresses[0]);
  await first.request('hello');
  const second = await connect(server.addresses[0]);
  for await (const message of second) return shape(message.text);
  return '';
}
