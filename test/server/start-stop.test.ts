/** `start` and `stop` of handlers: when they are called, and what happens if they fail. */
import { describe, expect, it, vi } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import { withFaults } from '../../src/handlers/faults.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { HandlerObject } from '../../src/session/handler.ts';
import { FakeClock } from '../../src/testing/fake-clock.ts';
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

  it('that takes longer than startTimeout makes serve() fail, and is followed by stop if it ends after all', async () => {
    const clock = new FakeClock();
    const memory = memoryTransport();
    const listen = vi.spyOn(memory, 'listen');
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const handler = noting(calls, 'a', { start: () => ready.promise });
    const refused = expect(serve({ transport: memory, clock, handler })).rejects.toMatchObject({
      code: 'YODEL_HANDLER_TIMEOUT',
      message: 'the start() of the handler has not finished within startTimeout (10 s)',
    });
    await clock.advance(10_000);
    await refused;
    expect(listen).not.toHaveBeenCalled();
    expect(calls).toEqual([]);
    ready.resolve();
    await settled();
    expect([calls, clock.waiting]).toEqual([['a stop'], 0]);
  });

  it('that fails after startTimeout disturbs nobody', async () => {
    const clock = new FakeClock();
    const ready = Promise.withResolvers<void>();
    const stop = vi.fn();
    const serving = serve({
      transport: memoryTransport(),
      clock,
      startTimeout: 1,
      handler: { start: () => ready.promise, stop },
    });
    const refused = expect(serving).rejects.toMatchObject({ code: 'YODEL_HANDLER_TIMEOUT' });
    await clock.advance(1);
    await refused;
    ready.reject(new Error('no database'));
    await settled();
    expect(stop).not.toHaveBeenCalled();
  });

  it('may take as long as it likes with startTimeout 0', async () => {
    const clock = new FakeClock();
    const ready = Promise.withResolvers<void>();
    const serving = serve({
      transport: memoryTransport(),
      clock,
      startTimeout: 0,
      handler: { start: () => ready.promise },
    });
    await clock.advance(86_400_000);
    ready.resolve();
    await (await serving).close();
  });

  it.each([
    ['ends', 'stop follows'],
    ['never ends', 'it is given up'],
  ])('during which the signal is aborted makes serve() fail: if it %s, %s', async (how) => {
    const clock = new FakeClock();
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const controller = new AbortController();
    const start = vi.fn(() => ready.promise);
    const handler = noting(calls, 'a', { start });
    const { signal } = controller;
    const refused = expect(serve({ transport: memoryTransport(), clock, handler, signal })).rejects.toBe('enough');
    await vi.waitFor(() => expect(start).toHaveBeenCalled());
    controller.abort('enough');
    if (how === 'ends') ready.resolve();
    // shutdownTimeout is longer than startTimeout.
    else await clock.advance(10_000);
    await refused;
    await settled();
    expect([calls, clock.waiting]).toEqual([how === 'ends' ? ['a stop'] : [], 0]);
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

  it('whose handler starts when the server is closed is waited for, and its handler stops', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const harness = await Harness.open();
    const reloading = harness.server.reload({ handler: noting(calls, 'late', { start: () => ready.promise }) });
    const closing = harness.server.close().then(() => calls.push('closed'));
    await harness.passes(5000);
    expect(calls).toEqual([]);
    ready.resolve();
    await Promise.all([reloading, closing]);
    expect(calls).toEqual(['late stop', 'closed']);
  });

  it('whose handler still starts when the time of the shutdown is over fails, and its handler stops when it has started', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const harness = await Harness.open();
    const reloading = harness.server.reload({ handler: noting(calls, 'late', { start: () => ready.promise }) });
    const refused = expect(reloading).rejects.toMatchObject({ code: 'YODEL_SHUTTING_DOWN' });
    await harness.close();
    await refused;
    expect(calls).toEqual([]);
    ready.resolve();
    await settled();
    expect(calls).toEqual(['late stop']);
  });

  it('whose handler takes longer than startTimeout to start fails and changes nothing, and later ones do not wait', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const harness = await Harness.open({ handler: () => 'old', startTimeout: 3000 });
    const slow = noting(calls, 'slow', { start: () => ready.promise.then(() => void calls.push('slow start')) });
    const reloading = harness.server.reload({ handler: slow, startTimeout: 2000, maxConnections: 7 });
    const refused = expect(reloading).rejects.toMatchObject({
      code: 'YODEL_HANDLER_TIMEOUT',
      message: 'the start() of the handler has not finished within startTimeout (2 s)',
    });
    const next = harness.server.reload({ maxConnections: 8 });
    await harness.passes(1999);
    expect(harness.server.maxConnections).not.toBe(8);
    await harness.passes(1);
    await refused;
    await next;
    expect(harness.server.maxConnections).toBe(8);
    expect(await (await harness.connect()).says('a\n')).toBe('old\n');
    ready.resolve();
    await settled();
    expect(calls).toEqual(['slow start', 'slow stop']);
  });

  it('to a handler whose start took too long, and still goes on, waits for that start', async () => {
    const calls: string[] = [];
    const ready = Promise.withResolvers<void>();
    const slow = noting(calls, 'slow', {
      start: () => {
        calls.push('slow start');
        return ready.promise;
      },
    });
    const harness = await Harness.open();
    const refused = expect(harness.server.reload({ handler: slow })).rejects.toMatchObject({
      code: 'YODEL_HANDLER_TIMEOUT',
    });
    await harness.passes(10_000);
    await refused;
    const again = harness.server.reload({ handler: slow });
    await harness.passes(9999);
    ready.resolve();
    await again;
    expect(await (await harness.connect()).says('a\n')).toBe('slow a\n');
    expect(calls).toEqual(['slow start']);
  });

  it('does not wait longer than shutdownTimeout for the stop of the handler that it brings back', async () => {
    const calls: string[] = [];
    const failures: YodelError[] = [];
    const a = noting(calls, 'a', { stop: () => new Promise(() => undefined) });
    const telemetry = { stopFailed: (error: YodelError) => failures.push(error) };
    const harness = await Harness.open({ handler: a, shutdownTimeout: 4000, telemetry });
    await harness.server.reload({ handler: noting(calls, 'b') });
    const reloading = harness.server.reload({ handler: a });
    await harness.passes(3999);
    expect([calls, failures]).toEqual([['a start', 'b start'], []]);
    await harness.passes(1);
    await reloading;
    expect(calls).toEqual(['a start', 'b start', 'a start', 'b stop']);
    expect(failures).toMatchObject([{ code: 'YODEL_HANDLER_TIMEOUT', message: /within shutdownTimeout$/ }]);
    const closing = harness.server.close();
    await harness.passes(4000);
    await closing;
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
