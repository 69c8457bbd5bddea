import { describe, expect, it } from 'vitest';
import type { YodelError } from '../../src/errors.ts';
import type { HandlerCallbacks, HandlerObject } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, serveOneClient } from './harness.ts';

/** Records each call. */
class Recorder implements HandlerCallbacks {
  readonly calls: string[] = [];

  open(session: Session): void {
    this.calls.push(`open ${session.id}`);
  }
  message(message: { text: string }, session: Session): void {
    this.calls.push(`message ${session.id} ${message.text}`);
  }
  close(session: Session, error: YodelError | undefined): void {
    this.calls.push(`close ${session.id} ${error?.code ?? 'well'}`);
  }
}

describe('the callbacks of a handler', () => {
  it('are called in order: open, message by message, close', async () => {
    const handler = new Recorder();
    const { peer } = await serveOneClient({ handler });
    await peer.says('a\nb\n');
    await peer.says('c\n');
    await peer.ends();
    expect(handler.calls).toEqual(['open 1', 'message 1 a', 'message 1 b', 'message 1 c', 'close 1 well']);
  });

  it('are called with the handler as `this`, and each with its own session', async () => {
    const handler = new Recorder();
    const harness = await Harness.open({ handler });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await two.says('two\n');
    await one.says('one\n');
    await one.aborts();
    expect(handler.calls).toEqual([
      'open 1',
      'open 2',
      'message 2 two',
      'message 1 one',
      'close 1 YODEL_CONNECTION_RESET',
    ]);
  });

  it('receive all messages of a chunk as one batch', async () => {
    const batches: string[][] = [];
    const batch: HandlerObject['batch'] = (all) => void batches.push([...all].map(String));
    const { peer } = await serveOneClient({ handler: { batch } });
    await peer.says('a\nb\nc');
    await peer.says('d\ne\n');
    expect(batches).toEqual([
      ['a', 'b'],
      ['cd', 'e'],
    ]);
  });

  it('are optional, except for one', async () => {
    const closed: number[] = [];
    const { peer } = await serveOneClient({ handler: { close: (session) => void closed.push(session.id) } });
    expect(await peer.says('a\nb\n')).toBe('');
    await peer.ends();
    expect(closed).toEqual([1]);
  });

  it('receive the reason why the session is over: the error that the signal has', async () => {
    const errors: unknown[] = [];
    const { peer, session } = await serveOneClient({ handler: { close: (_, error) => void errors.push(error) } });
    const { signal } = session;
    await peer.aborts();
    expect(errors).toMatchObject([{ code: 'YODEL_CONNECTION_RESET' }]);
    expect(signal.reason).toBe(errors[0]);
  });
});

describe('open', () => {
  it('may greet', async () => {
    const { peer } = await serveOneClient({ handler: { open: (session) => [`hello ${session.id}`, 'speak'] } });
    expect(peer.text).toBe('hello 1\nspeak\n');
  });

  it('is awaited before the first message is handled', async () => {
    const ready = Promise.withResolvers<string>();
    const { peer } = await serveOneClient({ handler: { open: () => ready.promise, message: (message) => message } });
    expect(await peer.says('a\nb\n')).toBe('');
    ready.resolve('hello');
    await settled();
    expect(peer.text).toBe('hello\na\nb\n');
  });

  it('closes the session when it throws', async () => {
    const calls: string[] = [];
    const handler: HandlerObject = {
      open() {
        throw new Error('no');
      },
      message: () => void calls.push('message'),
      close: (_, error) => void calls.push(`close ${error?.code}`),
    };
    const harness = await Harness.open({ handler, telemetry: { handlerFailed: () => calls.push('reported') } });
    const peer = await harness.connect();
    await peer.says('a\n');
    await peer.ends();
    expect(peer.text).toBe('error: the handler failed on the server\n');
    expect(calls).toEqual(['reported', 'close YODEL_HANDLER_FAILED']);
  });
});

describe('close', () => {
  it('is reported when it throws, and affects no other session', async () => {
    const reported: unknown[] = [];
    const handler: HandlerObject = {
      message: (message) => message,
      close() {
        throw new Error('in close');
      },
    };
    const harness = await Harness.open({
      handler,
      telemetry: { handlerFailed: (_, error) => reported.push(error.cause) },
    });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await one.ends();
    expect(reported).toEqual([new Error('in close')]);
    expect(await two.says('still here\n')).toBe('still here\n');
    expect(harness.server.counters.errors.get('YODEL_HANDLER_FAILED')).toBe(1);
  });

  it('may be asynchronous, and is reported when it rejects', async () => {
    const reported: unknown[] = [];
    const { peer } = await serveOneClient({
      handler: {
        async close() {
          await null;
          throw new Error('in close');
        },
      },
      telemetry: { handlerFailed: (_, error) => reported.push(error.cause) },
    });
    await peer.ends();
    expect(reported).toEqual([new Error('in close')]);
  });

  it('cannot send', async () => {
    const sent: unknown[] = [];
    const { peer } = await serveOneClient({ handler: { close: (session) => void sent.push(session.send('late')) } });
    await peer.ends();
    expect(sent).toEqual([false]);
    expect(peer.text).toBe('');
  });
});
