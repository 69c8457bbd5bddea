// Tests a program's client with vitest: its server is in memory, and time is the test's.
import { expect, onTestFinished, test } from 'vitest';
import { type Address, type ConnectOptions, connect } from 'yodel';
import { testServer } from 'yodel/testing';

/** The program: keeps the last price that a server has sent. Its caller may pass options of `connect()`. */
async function watchPrice(address: Address, options: ConnectOptions = {}) {
  const client = await connect(address, { reconnect: { minDelay: 1000 }, ...options });
  const watch = { price: Number.NaN, stop: () => client.abort() };
  void (async () => {
    for await (const message of client) watch.price = Number(message.text);
  })().catch(() => {
    watch.price = Number.NaN; // the connection is lost, and no attempt is left
  });
  return watch;
}

async function start() {
  const server = await testServer({ handler: { open: () => '1' } });
  const { transport, clock, address } = server;
  const watch = await watchPrice(address, { transport, clock });
  onTestFinished(async () => {
    watch.stop();
    await server.close();
  });
  await clock.advance(0); // whatever is ready happens
  return { server, transport, clock, watch };
}

test('it has the last price', async () => {
  const { server, clock, watch } = await start();
  expect(watch.price).toBe(1);
  server.server.broadcast('2');
  await clock.advance(0);
  expect(watch.price).toBe(2);
});

test('it comes back when the server does', async () => {
  const { transport, clock, watch } = await start();
  watch.price = 0;
  transport.connecting = 'refuse';
  transport.reset(); // breaks all connections
  await clock.advance(60_000);
  expect(transport.attempts).toBeGreaterThan(3);
  expect(watch.price).toBe(0);
  transport.connecting = 'accept';
  await clock.advance(60_000);
  expect(watch.price).toBe(1);
});
