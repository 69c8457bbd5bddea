/** What happens to clients on the channels of node:diagnostics_channel. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { expect, it, onTestFinished } from 'vitest';
import type { ClientChannelMessages } from '../../src/client/channels.ts';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import { serve } from '../../src/server/server.ts';
import { untilTrue } from '../../src/testing/turns.ts';
import { memoryTransport } from '../../src/transport/memory.ts';

const names = ['connected', 'disconnected', 'closed'] as const;

/** The events of clients to this port until the test ends, in order. */
function eventsOf(port: number): { readonly name: string; readonly client: Client; readonly error: unknown }[] {
  const events: { name: string; client: Client; error: unknown }[] = [];
  for (const name of names) {
    const listen = (message: unknown) => {
      const { client, error } = message as ClientChannelMessages['yodel:client:closed'];
      if (String(client.address).endsWith(`:${port}`)) events.push({ name, client, error });
    };
    subscribe(`yodel:client:${name}`, listen);
    onTestFinished(() => void unsubscribe(`yodel:client:${name}`, listen));
  }
  return events;
}

it('a client is connected, disconnected, connected again and closed', async () => {
  const transport = memoryTransport();
  const events = eventsOf(4001);
  const server = await serve({ transport, listen: 4001 });
  const states: string[] = [];
  const client = await connect(4001, {
    transport,
    reconnect: { minDelay: 1 },
    onStateChange: (state) => void states.push(state),
  });
  expect(events.map(({ name }) => name)).toEqual(['connected']);
  for (const session of server.sessions) session.abort();
  await untilTrue(() => events.length === 3);
  await client.close();
  expect(events.map(({ name }) => name)).toEqual(['connected', 'disconnected', 'connected', 'closed']);
  expect(events.every((event) => event.client === client)).toBe(true);
  expect(events[1]?.error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
  expect(events[3]?.error).toBeUndefined();
  expect(states).toEqual(['reconnecting', 'open', 'ending', 'closed']);
  await server.close();
});

it('a client that cannot connect is closed, with the reason', async () => {
  const events = eventsOf(4002);
  await expect(connect(4002, { transport: memoryTransport() })).rejects.toThrow();
  expect(events.map(({ name }) => name)).toEqual(['closed']);
  expect(events[0]?.error).toMatchObject({ code: 'YODEL_CONNECTION_REFUSED' });
});
