import { describe, expect, it } from 'vitest';
import type { YodelError } from '../../src/errors.ts';
import type { Handler } from '../../src/session/handler.ts';
import { settled } from '../../src/testing/turns.ts';
import { serveOneClient } from './harness.ts';

/** Keeps the error that a session ended with. */
function closings() {
  const errors: (YodelError | undefined)[] = [];
  return { errors, telemetry: { closed: (_: unknown, error?: YodelError) => void errors.push(error) } };
}

describe('a peer that has ended its side still gets every reply', () => {
  const handlers: [string, Handler | undefined][] = [
    ['from echo', undefined],
    ['from a handler of messages', ({ text }) => text],
    [
      'from an asynchronous handler',
      async ({ text }) => {
        await new Promise((resolve) => setImmediate(resolve));
        return text;
      },
    ],
  ];

  it.each(handlers)('%s', async (_, handler) => {
    const { errors, telemetry } = closings();
    const { peer } = await serveOneClient({ handler, telemetry });
    peer.connection.write(Buffer.from('a\nb\nc\n'));
    peer.connection.end();
    await peer.gone();
    expect(peer.text).toBe('a\nb\nc\n');
    expect(peer.error).toBeUndefined();
    expect(errors).toEqual([undefined]);
  });

  it('however long the handler takes', async () => {
    const reply = Promise.withResolvers<string>();
    const { peer, harness } = await serveOneClient({ handler: () => reply.promise, handlerTimeout: 0 });
    await peer.says('a\n');
    await peer.ends();
    await harness.passes(1_000_000);
    expect(peer.ended).toBe(false);
    reply.resolve('at last');
    await settled();
    expect(peer.text).toBe('at last\n');
    expect(peer.closed).toBe(true);
  });

  it('however slowly it reads', async () => {
    const { peer } = await serveOneClient({ network: { capacity: 10 }, highWaterMark: 100 });
    const input = 'some line\n'.repeat(1000);
    peer.connection.pause();
    peer.connection.write(Buffer.from(input));
    peer.connection.end();
    await settled();
    expect(peer.received.length).toBe(0);
    peer.connection.resume();
    await peer.gone();
    expect(peer.text).toBe(input);
    expect(peer.error).toBeUndefined();
  });

  it('also one that ends without having sent anything', async () => {
    const { errors, telemetry } = closings();
    const { peer } = await serveOneClient({ telemetry });
    await peer.ends();
    expect(peer.text).toBe('');
    expect(peer.closed).toBe(true);
    expect(errors).toEqual([undefined]);
  });
});

describe('a peer that breaks the connection', () => {
  it('in the middle of a message is reported with how much of it had arrived', async () => {
    const { errors, telemetry } = closings();
    const { peer, harness } = await serveOneClient({ telemetry });
    await peer.says('whole\npart');
    await peer.aborts();
    expect(errors).toMatchObject([
      {
        code: 'YODEL_CONNECTION_RESET',
        message: 'connection broken in the middle of a message, after 4 bytes of it: the peer reset the connection',
      },
    ]);
    expect(harness.server.sessions.size).toBe(0);
  });

  it('between messages is reported without further detail', async () => {
    const { errors, telemetry } = closings();
    const { peer } = await serveOneClient({ telemetry });
    await peer.says('whole\n');
    await peer.aborts();
    expect(errors.map((error) => error?.message)).toEqual(['connection broken: the peer reset the connection']);
  });

  it('while a reply is pending affects no other', async () => {
    const reply = Promise.withResolvers<string>();
    const { errors, telemetry } = closings();
    const { peer, session } = await serveOneClient({ handler: () => reply.promise, telemetry });
    await peer.says('a\nb\n');
    await peer.aborts();
    expect(session.ended).toBe(true);
    reply.resolve('too late');
    await settled();
    expect(errors).toHaveLength(1);
    expect(session.messagesSent).toBe(0);
  });

  it('after it has received everything is not reported', async () => {
    const { errors, telemetry } = closings();
    const { peer, session } = await serveOneClient({ telemetry });
    session.close();
    await settled();
    expect(peer.ended).toBe(true);
    await peer.aborts();
    expect(errors).toEqual([undefined]);
  });

  it('after it received its fault is reported with that fault', async () => {
    const { errors, telemetry } = closings();
    const { peer } = await serveOneClient({ telemetry, maxMessageLength: 3 });
    await peer.says('too long\n');
    await peer.aborts();
    expect(errors).toMatchObject([{ code: 'YODEL_MESSAGE_TOO_LONG' }]);
  });
});
