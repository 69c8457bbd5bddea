import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import type { YodelError } from '../../src/errors.ts';
import type { Handler } from '../../src/session/handler.ts';
import type { SessionView } from '../../src/telemetry/telemetry.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from './harness.ts';

const secret = new Error('the password is 1234');

const failures: [string, Handler, string][] = [
  [
    'throws',
    ({ text }) => {
      if (text === 'bad') throw secret;
      return text;
    },
    'the password',
  ],
  [
    'rejects',
    async ({ text }) => {
      if (text === 'bad') throw secret;
      return text;
    },
    'the password',
  ],
  [
    'throws something other than an error',
    ({ text }) => (text === 'bad' ? Promise.reject('just text') : text),
    'just text',
  ],
  [
    'returns a reply that cannot be sent',
    ({ text }) => (text === 'bad' ? 'two\nlines' : text),
    'line feed at offset 3',
  ],
  [
    'returns such a reply later',
    async ({ text }) => (text === 'bad' ? ['fine', 'two\nlines'] : text),
    'line feed at offset 3',
  ],
  [
    'handles batches',
    {
      batch(batch) {
        if ([...batch].some(({ text }) => text === 'bad')) throw secret;
        return batch;
      },
    },
    'the password',
  ],
];

describe.each(failures)('a handler that %s', (_, handler, expectedMessage) => {
  it('closes its own session with an error that hides its internals', async () => {
    const failed: [SessionView, YodelError][] = [];
    const harness = await Harness.open({ handler, telemetry: { handlerFailed: (...all) => failed.push(all) } });
    const [one, two] = [await harness.connect(), await harness.connect()];
    await one.says('good\n');
    await one.says('bad\nnever handled\n');
    expect(one.lines[0]).toBe('good');
    expect(one.lines.at(-1)).toBe('error: the handler failed on the server');
    expect(one.text).not.toContain('password');
    expect(one.text).not.toContain('never handled');
    expect(one.ended).toBe(true);
    expect(failed).toHaveLength(1);
    expect(failed[0]?.[0].id).toBe(1);
    expect(failed[0]?.[1].code).toBe('YODEL_HANDLER_FAILED');
    expect(String(failed[0]?.[1].cause)).toContain(expectedMessage);
    expect(harness.server.counters.errors).toEqual(new Map());
    await one.ends();
    expect(harness.server.counters.errors).toEqual(new Map([['YODEL_HANDLER_FAILED', 1]]));
    expect(await two.says('unharmed\n')).toBe('unharmed\n');
  });
});

describe.each(['close', 'abort'] as const)('a handler in JavaScript that calls %s with an error of its own', (how) => {
  it('has failed: the peer does not receive the text of the error', async () => {
    const causes: unknown[] = [];
    const handler: Handler = (_, session) => session[how](secret as YodelError);
    const harness = await Harness.open({
      handler,
      telemetry: { handlerFailed: (_, error) => causes.push(error.cause) },
    });
    const peer = await harness.connect();
    await peer.says('a\n');
    expect(peer.text).toBe(how === 'close' ? 'error: the handler failed on the server\n' : '');
    expect(causes).toEqual([secret]);
    if (how === 'close') await peer.ends();
    expect(harness.server.counters.errors).toEqual(new Map([['YODEL_HANDLER_FAILED', 1]]));
  });
});

it('replies from before the failure still arrive', async () => {
  const handler: Handler = ({ text }) => {
    if (text === 'c') throw secret;
    return [text, text];
  };
  const harness = await Harness.open({ handler, telemetry: { handlerFailed() {} } });
  const peer = await harness.connect();
  expect(await peer.says('a\nb\nc\nd\n')).toBe('a\na\nb\nb\nerror: the handler failed on the server\n');
});

describe('a handler that fails after its session is over', () => {
  it('is still reported, because it is a bug', async () => {
    const causes: unknown[] = [];
    const turn = Promise.withResolvers<void>();
    const handler: Handler = async () => {
      await turn.promise;
      throw secret;
    };
    const harness = await Harness.open({
      handler,
      telemetry: { handlerFailed: (_, error) => causes.push(error.cause) },
    });
    const peer = await harness.connect();
    await peer.says('a\n');
    await peer.aborts();
    turn.resolve();
    await settled();
    expect(causes).toEqual([secret]);
    expect(harness.server.counters.errors.get('YODEL_HANDLER_FAILED')).toBe(1);
  });

  it.each(['the peer', 'this side'])(
    'is not reported if it only waited with the signal and %s disconnected',
    async (who) => {
      const causes: unknown[] = [];
      const handler: Handler = (_message, { signal }) =>
        new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      const harness = await Harness.open({
        handler,
        telemetry: { handlerFailed: (_, error) => causes.push(error.cause) },
      });
      const peer = await harness.connect();
      await peer.says('a\n');
      if (who === 'the peer') await peer.aborts();
      else harness.session.abort();
      await settled();
      expect(harness.server.sessions.size).toBe(0);
      expect(causes).toEqual([]);
    },
  );
});

describe('without a subscriber, a failure is a warning of the process', () => {
  const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
  afterEach(() => warn.mockClear());
  afterAll(() => warn.mockRestore());

  it.each([
    ['without any subscriber', undefined],
    ['with a subscriber to other events', { opened() {} }],
  ])('%s', async (_, telemetry) => {
    const handler: Handler = () => {
      throw secret;
    };
    const harness = await Harness.open({ handler, telemetry });
    const peer = await harness.connect();
    await peer.says('a\n');
    expect(warn.mock.calls).toEqual([[secret]]);
  });

  it('also if something other than an error was thrown', async () => {
    const harness = await Harness.open({ handler: () => Promise.reject('just text') });
    const peer = await harness.connect();
    await peer.says('a\n');
    expect(warn.mock.calls).toMatchObject([[{ code: 'YODEL_HANDLER_FAILED', cause: 'just text' }]]);
  });
});
