/** `start` and `stop` of handlers: when they are called, and what happens if they fail. */
import { describe, expect, it, vi } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import { settled } from '../../src/testing/turns.ts';
import { parse } from '../../src/transcript/library.ts';
import { mockServer } from '../../src/transcript/mock/mock.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { Harness } from '../session/harness.ts';

/** A handler that writes its calls into a list, with its name in front. */
function noting(calls: string[], name: string, more: HandlerObject = {}): HandlerObject {
  return {
    start: () => void calls.push(`${name} start`),
    stop: () => void calls.push(`${name} stop`),
    message: ({ text }) => `${name} ${text}`,
    ...more,
  } as HandlerObject;
}

describe('start', () => {
  it('is awaited before the server listens, and gets the server', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const memory = memoryTransport();
    const transport: typeof memory = {
      ...memory,
      listen: (...all) => {
        calls.push('listen');
        return memory.listen(...all);
      },
    };
    const handler: HandlerObject = {
      async start(server) {
        calls.push(`start with ${server.sessions.size} sessions and ${server.room('news').size} members`);
        await ready.promise;
      },
      message: ({ text }) => text,
    };
    const serving = serve({ transport, handler });
    await settled();
    expect(calls).toEqual(['start with 0 sessions and 0 members']);
    ready.resolve();
    const server = await serving;
    expect(calls.at(-1)).toBe('listen');
    await server.close();
  });

  it.each([
    [
      'throws',
      () => {
        throw new Error('no database');
      },
    ],
    ['rejects', () => Promise.reject(new Error('no database'))],
  ])('that %s makes serve() fail with that error, and nothing listens', async (_, start) => {
    const memory = memoryTransport();
    const listen = vi.spyOn(memory, 'listen');
    const stop = vi.fn();
    await expect(serve({ transport: memory, handler: { start, stop } })).rejects.toThrow(/^no database$/);
    expect(listen).not.toHaveBeenCalled();
    expect(stop).not.toHaveBeenCalled();
  });

  it('during which the server is closed is followed by stop, and nothing listens', async () => {
    const transport = memoryTransport();
    const calls: string[] = [];
    const handler = noting(calls, 'a', { start: (server) => void (server as unknown as Server).close() });
    await expect(serve({ transport, handler })).rejects.toMatchObject({ code: 'YODEL_SHUTTING_DOWN' });
    expect(calls).toEqual(['a stop']);
    const other = await serve({ transport });
    await other.close();
  });

  it('is followed by stop when the server cannot listen', async () => {
    const calls: string[] = [];
    const taken = await serve({ listen: '127.0.0.1:0' });
    await expect(serve({ listen: taken.addresses[0], handler: noting(calls, 'a') })).rejects.toMatchObject({
      code: 'YODEL_ADDRESS_IN_USE',
    });
    expect(calls).toEqual(['a start', 'a stop']);
    await taken.close();
  });

  it('is called for each server that has the handler', async () => {
    const calls: string[] = [];
    const handler = noting(calls, 'a');
    const [one, two] = [await Harness.open({ handler }), await Harness.open({ handler })];
    await one.close();
    expect(calls).toEqual(['a start', 'a start', 'a stop']);
    await two.close();
    expect(calls).toEqual(['a start', 'a start', 'a stop', 'a stop']);
  });
});

describe('stop', () => {
  it('is called once when the last session is closed, and close() waits for it', async () => {
    const calls: string[] = [];
    const stopped = Promise.withResolvers<void>();
    const harness = await Harness.open({
      handler: {
        close: () => void calls.push('close'),
        async stop(server) {
          calls.push(`stop with ${server.sessions.size} sessions`);
          await stopped.promise;
        },
      },
    });
    const peer = await harness.connect();
    const closing = harness.server.close().then(() => calls.push('closed'));
    await peer.ends();
    await harness.passes(2000);
    expect(calls).toEqual(['close', 'stop with 0 sessions']);
    stopped.resolve();
    await closing;
    expect(calls.at(-1)).toBe('closed');
    await harness.server.close();
    expect(calls).toHaveLength(3);
  });

  it('comes after what close() of the handler has awaited', async () => {
    const calls: string[] = [];
    const ended = Promise.withResolvers<void>();
    const handler: HandlerObject = {
      awaitsClose: true,
      close: () => ended.promise.then(() => void calls.push('close is over')),
      stop: () => void calls.push('stop'),
    };
    const harness = await Harness.open({ handler });
    const peer = await harness.connect();
    const closing = harness.server.close();
    await peer.ends();
    await harness.passes(2000);
    expect(calls).toEqual([]);
    ended.resolve();
    await closing;
    expect(calls).toEqual(['close is over', 'stop']);
  });

  it.each([0, 5000])(
    'is not waited for beyond the time of the shutdown (%i ms), but for a second',
    async (timeoutMs) => {
      const failures: YodelError[] = [];
      const harness = await Harness.open({
        handler: { stop: () => new Promise(() => undefined) },
        telemetry: { stopFailed: (error) => failures.push(error) },
      });
      let isClosed = false;
      const closing = harness.server.close({ timeoutMs }).then(() => {
        isClosed = true;
      });
      await harness.passes(Math.max(timeoutMs, 1000) - 1);
      expect(isClosed).toBe(false);
      await harness.passes(2);
      expect(isClosed).toBe(true);
      await closing;
      expect(failures).toMatchObject([{ code: 'YODEL_HANDLER_TIMEOUT' }]);
      expect(harness.server.counters.errors).toEqual(new Map([['YODEL_HANDLER_TIMEOUT', 1]]));
    },
  );

  it.each([
    [
      'an error',
      new Error('the database is away'),
      { code: 'YODEL_HANDLER_FAILED', cause: { message: 'the database is away' } },
    ],
    ['an own error', new YodelError('APP_UNSAVED', 'two rows are lost'), { code: 'APP_UNSAVED' }],
  ])('that throws %s is reported, and the server closes', async (_, thrown, expected) => {
    const failures: YodelError[] = [];
    const harness = await Harness.open({
      handler: {
        stop() {
          throw thrown;
        },
      },
      telemetry: { stopFailed: (error) => failures.push(error) },
    });
    await harness.close();
    expect(failures).toMatchObject([expected]);
  });

  it('that fails is a warning of the process where no subscriber reports it', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
    const thrown = new Error('the database is away');
    const harness = await Harness.open({ handler: { stop: () => Promise.reject(thrown) } });
    await harness.close();
    expect(warn.mock.calls).toEqual([[thrown]]);
    warn.mockRestore();
  });
});

describe('a reload', () => {
  it('starts the new handler before it gets sessions, and stops the old one when its last session has ended', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const harness = await Harness.open({ handler: noting(calls, 'old') });
    const old = await harness.connect();
    const reloading = harness.server.reload({
      handler: noting(calls, 'new', { start: () => ready.promise.then(() => void calls.push('new start')) }),
    });
    const between = await harness.connect();
    expect(await between.says('a\n')).toBe('old a\n');
    ready.resolve();
    await reloading;
    const fresh = await harness.connect();
    expect(await fresh.says('b\n')).toBe('new b\n');
    expect(await old.says('c\n')).toBe('old c\n');
    await old.ends();
    expect(calls).toEqual(['old start', 'new start']);
    await between.ends();
    expect(calls).toEqual(['old start', 'new start', 'old stop']);
    await fresh.ends();
    await harness.close();
    expect(calls).toEqual(['old start', 'new start', 'old stop', 'new stop']);
  });

  it('without a start applies in the same turn', async () => {
    const harness = await Harness.open();
    const reloading = harness.server.reload({ handler: () => 'new', maxConnections: 7 });
    expect(harness.server.maxConnections).toBe(7);
    await reloading;
  });

  it('changes nothing if the new handler cannot start', async () => {
    const calls: string[] = [];
    const harness = await Harness.open({ handler: noting(calls, 'old') });
    const start = () => Promise.reject(new Error('no database'));
    await expect(
      harness.server.reload({ handler: noting(calls, 'new', { start }), maxConnections: 7 }),
    ).rejects.toThrow('no database');
    expect(harness.server.maxConnections).not.toBe(7);
    expect(await (await harness.connect()).says('a\n')).toBe('old a\n');
    expect(calls).toEqual(['old start']);
  });

  it('of other options neither starts nor stops anything', async () => {
    const calls: string[] = [];
    const handler = noting(calls, 'a');
    const harness = await Harness.open({ handler });
    await harness.server.reload({ maxConnections: 7 });
    await harness.server.reload({ handler });
    expect(calls).toEqual(['a start']);
  });

  it('to a handler that still has sessions takes it back without another start', async () => {
    const calls: string[] = [];
    const [a, b] = [noting(calls, 'a'), noting(calls, 'b')];
    const harness = await Harness.open({ handler: a });
    const peer = await harness.connect();
    await harness.server.reload({ handler: b });
    await harness.server.reload({ handler: a });
    await peer.ends();
    expect(calls).toEqual(['a start', 'b start', 'b stop']);
  });

  it('to a handler that stops at the moment starts it again when it has stopped', async () => {
    const calls: string[] = [];
    const stopped = Promise.withResolvers<void>();
    const a = noting(calls, 'a', { stop: () => stopped.promise.then(() => void calls.push('a stop')) });
    const harness = await Harness.open({ handler: a });
    await harness.server.reload({ handler: noting(calls, 'b') });
    const reloading = harness.server.reload({ handler: a });
    await settled();
    expect(calls).toEqual(['a start', 'b start']);
    stopped.resolve();
    await reloading;
    expect(calls).toEqual(['a start', 'b start', 'a stop', 'a start', 'b stop']);
  });

  it('waits for the one before, so that the last one wins', async () => {
    const ready = Promise.withResolvers<void>();
    const harness = await Harness.open();
    const first = harness.server.reload({ handler: { start: () => ready.promise, message: () => 'first' } });
    const second = harness.server.reload({ handler: () => 'second' });
    ready.resolve();
    await Promise.all([first, second]);
    expect(await (await harness.connect()).says('a\n')).toBe('second\n');
  });

  it('that ends after the server has closed stops its handler', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const harness = await Harness.open();
    const reloading = harness.server.reload({ handler: noting(calls, 'late', { start: () => ready.promise }) });
    await harness.close();
    ready.resolve();
    await reloading;
    expect(calls).toEqual(['late stop']);
  });
});

it('the handler inside withFaults() is started and stopped', async () => {
  const calls: string[] = [];
  const harness = await Harness.open({ handler: withFaults(noting(calls, 'inner'), []) });
  await harness.close();
  expect(calls).toEqual(['inner start', 'inner stop']);
});

it('a mock that serves two servers goes on when one of them is closed', async () => {
  const mock = mockServer(parse('> hello\n< welcome\n> bye\n< see you\n', 'talk.transcript'));
  const [one, two] = [await Harness.open({ handler: mock }), await Harness.open({ handler: mock })];
  const peer = await two.connect();
  expect(await peer.says('hello\n')).toBe('welcome\n');
  await one.close();
  expect(await peer.says('bye\n')).toBe('see you\n');
  await peer.ends();
});
