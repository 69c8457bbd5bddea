/** Handlers that need a moment after the end of a session to end what they started for it. */
import { expect, it } from 'vitest';
import type { HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';

/** A handler whose programs end when the test says so. */
function startsPrograms(): HandlerObject & { readonly running: Map<Session, () => void> } {
  const running = new Map<Session, () => void>();
  return {
    running,
    awaitsClose: true,
    message: ({ text }) => text,
    close: (session) =>
      new Promise<void>((resolve) => {
        running.set(session, () => {
          running.delete(session);
          resolve();
        });
      }),
  };
}

function endOne({ running }: ReturnType<typeof startsPrograms>): void {
  const [end] = running.values();
  end?.();
}

it('a connection keeps its place until the handler has ended what it started: others are refused with the reason', async () => {
  const handler = startsPrograms();
  const harness = await Harness.open({ handler, maxConnections: 2 });
  for (let one = 1; one <= 2; one++) {
    const peer = await harness.connect();
    await peer.says('hello\n');
    peer.connection.abort();
    await settled();
  }
  expect(harness.server.sessions.size).toBe(0);
  const refused = await harness.connect();
  await refused.until(() => refused.ended);
  expect(refused.text).toMatch(/^error: the server has reached its limit of 2 connections/);
  endOne(handler);
  await settled();
  const served = await harness.connect();
  await served.says('again\n');
  expect(served.text).toBe('again\n');
  served.connection.abort();
  await settled();
  while (handler.running.size > 0) endOne(handler);
});

it('the limit of an address counts those connections, too', async () => {
  const handler = startsPrograms();
  const harness = await Harness.open({ handler, listen: 'tcp://127.0.0.1:7878', maxConnectionsPerAddress: 1 });
  const peer = await harness.connect();
  await peer.says('hello\n');
  peer.connection.abort();
  await settled();
  const refused = await harness.connect();
  await refused.until(() => refused.ended);
  expect(refused.text).toMatch(/^error: this address has reached its limit of 1 connections/);
  endOne(handler);
});

it('a server that closes waits for them, but not beyond its time-out', async () => {
  const handler = startsPrograms();
  const patient = await Harness.open({ handler });
  (await patient.connect()).connection.abort();
  await settled();
  let isClosed = false;
  const closing = patient.server.close().then(() => {
    isClosed = true;
  });
  await settled();
  expect(isClosed).toBe(false);
  endOne(handler);
  await closing;

  const stuck = await Harness.open({ handler: startsPrograms(), shutdownTimeout: 100 });
  (await stuck.connect()).connection.abort();
  await settled();
  const closed = stuck.server.close();
  await stuck.passes(100);
  await closed;
});

it('without awaitsClose, a promise that never settles keeps nothing', async () => {
  const harness = await Harness.open({
    handler: { message: ({ text }) => text, close: () => new Promise<void>(() => undefined) },
    maxConnections: 1,
  });
  (await harness.connect()).connection.abort();
  await settled();
  const peer = await harness.connect();
  await peer.says('hello\n');
  expect(peer.text).toBe('hello\n');
});
