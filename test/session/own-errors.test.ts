/** Errors of a program's own: what the peer receives, what the log and the subscribers get, and what is counted. */
import { describe, expect, it, vi } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { YodelError } from '../../src/errors.ts';
import { serve } from '../../src/server/server.ts';
import type { Handler } from '../../src/session/handler.ts';
import type { Session } from '../../src/session/public-session.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from './harness.ts';

const cause = new Error('row 12 of /srv/rights.db');

function denied(): YodelError {
  return new YodelError('APP_DENIED', 'ada may not write to #ops', { cause, reply: 'you may not write here' });
}

const fails = () => {
  throw denied();
};

const ways: [string, HarnessOptions][] = [
  ['message throws', { handler: fails }],
  ['message rejects', { handler: async () => fails() }],
  ['batch throws', { handler: { batch: fails } }],
  ['batch rejects', { handler: { batch: async () => fails() } }],
  ['open throws', { handler: { open: fails } }],
  ['open rejects', { handler: { open: async () => fails() } }],
  ['data throws', { data: fails, handler: () => undefined }],
  ['the session is closed with', { handler: (_, session) => session.close(denied()) }],
];

describe.each(ways)('an own error that %s', (_, options) => {
  it('ends the session: the peer receives its reply, and subscribers get all of it', async () => {
    const closed: (YodelError | undefined)[] = [];
    const handlerFailed = vi.fn();
    const telemetry = { closed: (_: unknown, error: YodelError | undefined) => closed.push(error), handlerFailed };
    const harness = await Harness.open({ ...options, telemetry } as HarnessOptions);
    const peer = await harness.connect();
    await peer.says('hello\nnever handled\n');
    expect(peer.text).toBe('error: you may not write here\n');
    await peer.ends();
    expect(closed).toMatchObject([{ code: 'APP_DENIED', message: 'ada may not write to #ops', cause }]);
    expect(handlerFailed).not.toHaveBeenCalled();
    expect(harness.server.counters.errors).toEqual(new Map([['APP_DENIED', 1]]));
  });
});

it('an own error that `end` throws reaches the peer too', async () => {
  const harness = await Harness.open({ handler: { end: fails } });
  const peer = await harness.connect();
  expect(await peer.ends()).toBe('error: you may not write here\n');
});

it('an own error that aborts the session is counted, and the peer receives nothing', async () => {
  const harness = await Harness.open({ handler: (_, session) => session.abort(denied()) });
  const peer = await harness.connect();
  expect(await peer.says('hello\n')).toBe('');
  expect(harness.server.counters.errors).toEqual(new Map([['APP_DENIED', 1]]));
});

it('without a reply of its own, the peer learns nothing of the error', async () => {
  const handler: Handler = () => {
    throw new YodelError('APP_DENIED', 'ada may not write to #ops', { cause });
  };
  const harness = await Harness.open({ handler });
  const peer = await harness.connect();
  expect(await peer.says('hello\n')).toBe('error: the server ended the connection\n');
});

it('an error of a subclass is an own error, too', async () => {
  class Denied extends YodelError {
    constructor(who: string) {
      super('APP_DENIED', `${who} may not write`, { reply: 'no' });
      this.name = 'Denied';
    }
  }
  const harness = await Harness.open({
    handler: () => {
      throw new Denied('ada');
    },
  });
  const peer = await harness.connect();
  expect(await peer.says('hello\n')).toBe('error: no\n');
  await peer.ends();
  expect(harness.server.counters.errors).toEqual(new Map([['APP_DENIED', 1]]));
});

it("an error of yodel's that the handler lets through is a failure of the handler, and names nothing to the peer", async () => {
  const failures: YodelError[] = [];
  const handler: Handler = () => {
    throw new YodelError('YODEL_CONNECTION_REFUSED', 'cannot connect to tcp://10.0.0.7:5432', { reply: 'at 10.0.0.7' });
  };
  const telemetry = { handlerFailed: (_: unknown, error: YodelError) => failures.push(error) };
  const harness = await Harness.open({ handler, telemetry });
  const peer = await harness.connect();
  expect(await peer.says('hello\n')).toBe('error: the handler failed on the server\n');
  expect(failures).toMatchObject([{ code: 'YODEL_HANDLER_FAILED', cause: { code: 'YODEL_CONNECTION_REFUSED' } }]);
});

describe('an own error after the session is over', () => {
  it.each([
    ['that `close` throws', { close: fails }],
    [
      'that a pending promise rejects with',
      {
        async message(_: unknown, session: Session) {
          session.abort();
          await settled();
          fails();
        },
      },
    ],
  ])('%s is reported, and counted', async (_, handler) => {
    const failures: YodelError[] = [];
    const telemetry = { handlerFailed: (_: unknown, error: YodelError) => failures.push(error) };
    const harness = await Harness.open({ handler, telemetry });
    const peer = await harness.connect();
    await peer.says('hello\n');
    await peer.ends();
    await settled();
    expect(failures).toMatchObject([{ code: 'APP_DENIED', cause }]);
    expect(harness.server.counters.errors).toEqual(new Map([['APP_DENIED', 1]]));
  });

  it('is a warning of the process where nothing else reports it', async () => {
    const warn = vi.spyOn(process, 'emitWarning').mockReturnValue();
    const harness = await Harness.open({ handler: { close: fails } });
    const peer = await harness.connect();
    await peer.ends();
    expect(warn.mock.calls).toMatchObject([[{ code: 'APP_DENIED' }]]);
    warn.mockRestore();
  });
});

it('a program that makes up codes fills neither the memory nor the metrics: after 100, others count as "other"', async () => {
  const handler: Handler = ({ text }) => {
    throw new YodelError(`APP_${text}`, 'no');
  };
  const harness = await Harness.open({ handler });
  for (let code = 0; code < 150; code++) {
    const peer = await harness.connect();
    await peer.says(`${code}\n`);
    await peer.ends();
  }
  const { errors } = harness.server.counters;
  expect(errors.size).toBe(101);
  expect(errors.get('other')).toBe(50);
  const again = await harness.connect();
  await again.says('7\n');
  await again.ends();
  expect(errors.get('APP_7')).toBe(2);
});

it('over WebSocket the connection is closed with 1008 and the reply as the reason', async () => {
  const server = await serve({ listen: 'ws://127.0.0.1:0', handler: fails });
  const socket = new WebSocket(`ws://127.0.0.1:${(server.addresses[0] as { port: number }).port}`);
  const closed = new Promise<{ code: number }>((resolve) => {
    socket.onclose = resolve;
  });
  socket.onopen = () => socket.send('hello');
  expect(await closed).toMatchObject({ code: 1008, reason: 'you may not write here' });
  await server.close();
});

it('a client of yodel receives the reply as a message', async () => {
  const server = await serve({ listen: 'tcp://127.0.0.1:0', handler: fails });
  const client = await connect(server.addresses[0]);
  expect((await client.request('hello')).text).toBe('error: you may not write here');
  await client.close();
  await server.close();
});

it('one error may end many sessions, also those that have asked their clients', async () => {
  const always = denied();
  const closed: unknown[] = [];
  const harness = await Harness.open({
    telemetry: { closed: (_, error) => closed.push(error) },
    handler({ text }, session) {
      if (text === 'ask') session.request('who?').catch(() => undefined);
      throw always;
    },
  });
  for (const text of ['ask\n', 'hello\n', 'ask\n']) {
    const peer = await harness.connect();
    expect(await peer.says(text)).toMatch(/error: you may not write here\n$/);
    await peer.ends();
  }
  expect(closed).toEqual([always, always, always]);
});

it.each([42, null, { text: 'no' }, ['no'], Symbol('no')])('the reply of an error is text, not %o', (reply) => {
  expect(() => new YodelError('APP_DENIED', 'denied', { reply: reply as never })).toThrow(
    'the "reply" of an error is text',
  );
});

it.each([{}, { code: 5 }, { code: 'APP_DENIED', reply: 5 }])(
  'an error that is called YodelError, and is none, is a failure of the handler: %o',
  async (properties) => {
    const thrown = Object.assign(new Error('denied'), { name: 'YodelError', ...properties });
    const failures: unknown[] = [];
    const harness = await Harness.open({
      telemetry: { handlerFailed: (_, { cause }) => failures.push(cause) },
      handler: () => {
        throw thrown;
      },
    });
    const peer = await harness.connect();
    expect(await peer.says('hello\n')).toBe('error: the handler failed on the server\n');
    expect(failures).toEqual([thrown]);
  },
);
