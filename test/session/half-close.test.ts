/** How a handler learns that its peer has ended, and how it ends its own side. */
import { expect, test } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { length } from '../../src/framing/counted/length.ts';
import type { HandlerCallbacks, HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { serveOneClient } from './harness.ts';

/** Records the calls. */
function recorder(more: HandlerCallbacks & { readonly batch?: undefined } = {}) {
  const calls: string[] = [];
  const handler: HandlerObject = {
    message: (message) => void calls.push(message.text),
    end: (session) => void calls.push(`end by ${session.endedBy}`),
    close: (_, error) => void calls.push(`close ${error?.code ?? 'well'}`),
    ...more,
  };
  return { calls, handler };
}

test('`end` is called once, after all messages, when the peer has ended, and may still answer', async () => {
  const { calls, handler } = recorder();
  const { peer } = await serveOneClient({ handler: { ...handler, end: () => ['that was', 'all'] } });
  await peer.says('a\nb\nc');
  expect(await peer.ends()).toBe('that was\nall\n');
  expect(calls).toEqual(['a', 'b', 'c', 'close well']);
});

test('the session continues until the promise of `end` settles', async () => {
  const over = Promise.withResolvers<string>();
  const { peer, session } = await serveOneClient({ handler: { batch: (batch) => batch, end: () => over.promise } });
  expect(await peer.ends()).toBe('');
  session.send('later');
  await settled();
  expect([peer.text, peer.ended]).toEqual(['later\n', false]);
  over.resolve('last');
  await settled();
  expect([peer.text, peer.ended, peer.closed]).toEqual(['later\nlast\n', true, true]);
});

test('a shutdown and maxMessages end the input, too, and `endedBy` says which', async () => {
  const shutdown = recorder();
  const { harness } = await serveOneClient({ handler: shutdown.handler });
  const closing = harness.server.close();
  await harness.passes(2000);
  await closing;
  expect(shutdown.calls).toEqual(['end by shutdown', 'close well']);
  const limit = recorder();
  const { peer } = await serveOneClient({ handler: limit.handler, maxMessages: 2 });
  await peer.says('a\nb\n');
  expect(limit.calls).toEqual(['a', 'b', 'end by limit']);
});

test('`end` is not called when the handler ends the session itself, nor after a fault', async () => {
  const { calls, handler } = recorder({ message: (_, session) => session.close() });
  const { peer } = await serveOneClient({ handler });
  await peer.says('a\n');
  await peer.ends();
  expect(calls).toEqual(['close well']);
  const broken = recorder();
  const other = await serveOneClient({ handler: broken.handler, maxMessageLength: 3 });
  expect(await other.peer.says('abcd\n')).toMatch(/^error: /);
  await other.peer.ends();
  expect(broken.calls).toEqual(['close YODEL_MESSAGE_TOO_LONG']);
});

test('an `end` that throws is a handler that failed', async () => {
  const end = () => {
    throw new Error('on purpose');
  };
  const { peer } = await serveOneClient({
    handler: { message: () => 'x', end },
    telemetry: { handlerFailed: () => undefined },
  });
  expect(await peer.ends()).toBe('error: the handler failed on the server\n');
});

test('a handler may end its side and keep receiving messages, to the last one', async () => {
  const slow: (() => void)[] = [];
  const { calls, handler } = recorder({
    open: (session) => {
      session.end();
      return 'too late';
    },
    message: (message) =>
      new Promise((resolve) =>
        slow.push(() => {
          calls.push(message.text);
          resolve();
        }),
      ),
  });
  const { peer, session } = await serveOneClient({ handler });
  expect([peer.text, peer.ended, session.ended]).toEqual(['', true, true]);
  expect(session.send('dropped')).toBe(false);
  await peer.says('a\nb\nc\n');
  await peer.ends();
  // The connection is gone, but what arrived before is still handled.
  for (let next = slow.shift(); next; next = slow.shift()) {
    next();
    await settled();
  }
  expect(calls).toEqual(['a', 'b', 'c', 'end by handler', 'close well']);
});

test('a session may be closed and aborted with a reason', async () => {
  const reason = new YodelError('YODEL_UPSTREAM_FAILED', 'no one is there');
  const codes: (string | undefined)[] = [];
  const options = { telemetry: { closed: (_: unknown, error?: YodelError) => void codes.push(error?.code) } };
  const { peer, session } = await serveOneClient(options);
  session.close(reason);
  await settled();
  expect([peer.text, peer.ended]).toEqual(['error: no one is there\n', true]);
  await peer.ends();
  const other = await serveOneClient(options);
  other.session.abort(reason);
  await settled();
  expect(other.peer.error).toMatchObject({ code: 'ECONNRESET' });
  expect(codes).toEqual([reason.code, reason.code]);
});

test('bytes are written as they are, and a frame is encoded as it would be sent', async () => {
  const { peer, session } = await serveOneClient();
  await peer.says('first\r\n');
  expect(Buffer.from(session.encode('a')).toString()).toBe('a\r\n');
  session.write(Buffer.from('half'));
  session.write(Buffer.from(' a line\n'), 1);
  await settled();
  expect(peer.text).toBe('first\r\nhalf a line\n');
  expect(session.messagesSent).toBe(2);
  const binary = await serveOneClient({ framing: length({ bytes: 1 }) });
  expect([...binary.session.encode('ab')]).toEqual([2, 97, 98]);
  expect([binary.session.framing.name, binary.session.replyFraming.name]).toEqual(['length:1', 'length:1']);
});

test('a batch may be sent to another session, also if it is long and its memory is reused', async () => {
  const sessions: Session[] = [];
  const handler: HandlerObject = {
    open: (session) => void sessions.push(session),
    batch: (batch) => void sessions[1]?.send(batch),
  };
  const { harness, peer } = await serveOneClient({ handler, network: { chunkSize: 1000, capacity: 4096 } });
  const other = await harness.connect();
  const lines = Array.from({ length: 50 }, (_, index) => `${String.fromCharCode(65 + (index % 26)).repeat(3000)}\n`);
  for (const line of lines) await peer.says(line);
  await other.until(() => other.size === lines.join('').length);
  expect(other.text).toBe(lines.join(''));
});
