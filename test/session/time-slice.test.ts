/** Handlers that compute: one session with many messages, and another one with a single message. */
import { expect, it, onTestFinished } from 'vitest';
import type { Address } from '../../src/address.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { Peer } from './peer.ts';

const slow = 200;
let handled = 0;

function answer(text: string): string {
  if (text === 'hello') return `${text} after ${handled}`;
  handled++;
  for (const end = performance.now() + 1; performance.now() < end; );
  return text;
}

const handlers: [string, Handler][] = [
  ['a synchronous one', ({ text }) => answer(text)],
  ['one whose promises are resolved at once', async ({ text }) => answer(text)],
];

it.each(handlers)(
  'a handler that takes long for many messages does not keep others waiting for all of them: %s',
  async (_, handler) => {
    handled = 0;
    const transport = memoryTransport();
    const server = await serve({ transport, handler });
    onTestFinished(() => server.close({ timeoutMs: 0 }));
    const connect = async () => new Peer(await transport.connect(server.addresses[0] as Address));
    const [busy, other] = [await connect(), await connect()];
    busy.connection.write(Buffer.from('slow\n'.repeat(slow)));
    other.connection.write(Buffer.from('hello\n'));
    await other.until(() => other.lines.length === 1);
    const [, before = ''] = /^hello after (\d+)$/.exec(other.lines[0] as string) ?? [];
    expect(Number(before)).toBeLessThan(slow / 2);
    await busy.until(() => busy.lines.length === slow);
    expect(new Set(busy.lines)).toEqual(new Set(['slow']));
  },
);
