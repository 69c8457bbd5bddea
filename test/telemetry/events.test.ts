import { describe, expect, it, vi } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import type { Handler } from '../../src/session/handler.ts';
import { type SessionView, type Subscriber, Telemetry } from '../../src/telemetry/telemetry.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, type HarnessOptions } from '../session/harness.ts';

/** A subscriber to all events, and what it received. */
function recorder(): { events: string[]; telemetry: Required<Subscriber> } {
  const events: string[] = [];
  const code = (error: YodelError | undefined) => error?.code ?? 'well';
  const telemetry: Required<Subscriber> = {
    listening: (address) => events.push(`listening ${address}`),
    draining: (sessions) => events.push(`draining ${sessions}`),
    refused: (_peer, error) => events.push(`refused ${code(error)}`),
    left: (_peer, error) => events.push(`left ${code(error)}`),
    opened: ({ id }) => events.push(`opened ${id}`),
    received: ({ id }, batch) => events.push(`received ${id} ${[...batch].join()}`),
    relayed: ({ id }, batch) => events.push(`relayed ${id} ${[...batch].join()}`),
    faulted: ({ id }, { name }) => events.push(`faulted ${id} ${name}`),
    // Tested separately below: the number of writes is not specified.
    sent: () => undefined,
    inputEnded: ({ id }) => events.push(`inputEnded ${id}`),
    handled: ({ id }, messages, durationMs) => events.push(`handled ${id} ${messages} ${durationMs}`),
    discarded: ({ id }, error) => events.push(`discarded ${id} ${code(error)}`),
    undelivered: ({ id }, error) => events.push(`undelivered ${id} ${code(error)}`),
    bus: (event) => events.push(`bus ${event}`),
    roomJoined: ({ id }, room) => events.push(`roomJoined ${id} ${room}`),
    roomLeft: ({ id }, room) => events.push(`roomLeft ${id} ${room}`),
    published: (room, messages, members) => events.push(`published ${room} ${messages.length} ${members}`),
    missed: ({ id }, room, messages) => events.push(`missed ${id} ${room} ${messages}`),
    roomLost: (room, messages, members) => events.push(`roomLost ${room} ${messages} ${members}`),
    handlerFailed: ({ id }, error) => events.push(`handlerFailed ${id} ${error.cause}`),
    stopFailed: (error) => events.push(`stopFailed ${code(error)}`),
    closed: ({ id }, error) => events.push(`closed ${id} ${code(error)}`),
  };
  return { events, telemetry };
}

describe('a session that ended without an error has its duration, and what ended it first', () => {
  /** The record of the first session that is over. */
  async function accountOf(options: HarnessOptions, end: (harness: Harness, peer: Peer) => Promise<unknown>) {
    let account: Partial<SessionView> | undefined;
    const closed = ({ endedBy, durationMs }: SessionView) => {
      account ??= { endedBy, durationMs };
    };
    const harness = await Harness.open({ ...options, telemetry: { closed } });
    const peer = await harness.connect();
    await harness.passes(1500);
    await end(harness, peer);
    await peer.ends();
    await settled();
    return account;
  }
  const handler: Handler = ({ text }, session) => session[text as 'abort' | 'close' | 'end']();

  it('the peer', async () => {
    expect(await accountOf({}, (_scene, peer) => peer.says('a\n'))).toEqual({ endedBy: 'peer', durationMs: 1500 });
  });

  it.each(['close', 'abort', 'end'])('the handler, by %s()', async (text) => {
    const account = await accountOf({ handler }, (_scene, peer) => peer.says(`${text}\n`));
    expect(account).toEqual({ endedBy: 'handler', durationMs: 1500 });
  });

  it('the handler, by an error of its own', async () => {
    const denies: Handler = () => {
      throw new YodelError('APP_DENIED', 'no');
    };
    const account = await accountOf({ handler: denies }, (_scene, peer) => peer.says('a\n'));
    expect(account?.endedBy).toBe('handler');
  });

  it('the shutdown of the server', async () => {
    const account = await accountOf({}, async (harness) => {
      void harness.server.close();
      await settled();
    });
    expect(account).toEqual({ endedBy: 'shutdown', durationMs: 1500 });
  });

  it('the limit of messages', async () => {
    const account = await accountOf({ maxMessages: 1 }, (_scene, peer) => peer.says('a\n'));
    expect(account).toEqual({ endedBy: 'limit', durationMs: 1500 });
  });

  it('the peer, if a handler closes after it', async () => {
    const late = Promise.withResolvers<void>();
    const slow: Handler = async (_message, session) => {
      await late.promise;
      session.close();
    };
    const account = await accountOf({ handler: slow }, async (_scene, peer) => {
      await peer.says('a\n');
      await peer.ends();
      late.resolve();
    });
    expect(account?.endedBy).toBe('peer');
  });
});

describe('a subscriber receives, in order', () => {
  it('the events of a session from its beginning to its end', async () => {
    const { events, telemetry } = recorder();
    const harness = await Harness.open({ telemetry });
    const peer = await harness.connect();
    await peer.says('a\nb\nc');
    await peer.says('c\n');
    await peer.ends();
    await harness.server.close();
    expect(events).toEqual([
      'listening tcp://127.0.0.1:7878',
      'opened 1',
      'received 1 a,b',
      'handled 1 2 0',
      'received 1 cc',
      'handled 1 1 0',
      'inputEnded 1',
      'closed 1 well',
      'draining 0',
    ]);
  });

  it('errors', async () => {
    const { events, telemetry } = recorder();
    const handler = ({ text }: { text: string }) => {
      if (text === 'bad') throw new Error('bad indeed');
    };
    const harness = await Harness.open({
      telemetry,
      handler,
      maxConnections: 2,
      maxMessageLength: 5,
      onTooLong: 'discard',
      listen: ['/a', '/b'].map((path) => `unix:${path}`),
    });
    const first = await harness.connect();
    const second = await harness.connect();
    const third = await harness.connect();
    await third.ends();
    await first.says('fine\nmuch too long\nbad\nmore\n');
    await second.aborts();
    const closing = harness.server.close();
    await first.ends();
    await closing;
    expect(events).toEqual([
      'listening unix:///a',
      'listening unix:///b',
      'opened 1',
      'opened 2',
      'refused YODEL_TOO_MANY_CONNECTIONS',
      'received 1 fine',
      'handled 1 1 0',
      'discarded 1 YODEL_MESSAGE_TOO_LONG',
      'received 1 bad,more',
      'handlerFailed 1 Error: bad indeed',
      'closed 2 YODEL_CONNECTION_RESET',
      'draining 1',
      'closed 1 YODEL_HANDLER_FAILED',
    ]);
  });

  it('messages when they go to the handler, and not before', async () => {
    const { events, telemetry } = recorder();
    const harness = await Harness.open({ telemetry, rate: 1 });
    const peer = await harness.connect();
    await peer.says('a\nb\n');
    expect(events.slice(2)).toEqual(['received 1 a', 'handled 1 1 0']);
    await harness.passes(1000);
    expect(events.slice(4)).toEqual(['received 1 b', 'handled 1 1 0']);
  });

  it('the duration of handlers, including those that are awaited', async () => {
    const { events, telemetry } = recorder();
    const reply = Promise.withResolvers<string>();
    const harness = await Harness.open({ telemetry, handler: ({ text }) => (text === 'wait' ? reply.promise : text) });
    const peer = await harness.connect();
    await peer.says('now\nwait\nthen\n');
    await harness.passes(250);
    reply.resolve('there');
    await settled();
    expect(events.filter((text) => text.startsWith('handled'))).toEqual([
      'handled 1 1 0',
      'handled 1 1 250',
      'handled 1 1 0',
    ]);
    expect(peer.text).toBe('now\nthere\nthen\n');
  });

  it('no handled message for a greeting', async () => {
    const { events, telemetry } = recorder();
    const handler = { open: async () => 'welcome', message: async ({ text }: { text: string }) => text };
    const harness = await Harness.open({ telemetry, handler });
    await harness.passes(1000);
    const peer = await harness.connect();
    await peer.says('a\nb\n');
    expect(peer.text).toBe('welcome\na\nb\n');
    expect(events.filter((text) => text.startsWith('handled'))).toEqual(['handled 1 1 0', 'handled 1 1 0']);
  });

  it('a closed session with its counts', async () => {
    const views: Partial<SessionView>[] = [];
    const harness = await Harness.open({
      telemetry: {
        closed: ({ id, messagesReceived, messagesSent, bytesReceived, bytesSent }) =>
          views.push({ id, messagesReceived, messagesSent, bytesReceived, bytesSent }),
      },
    });
    const peer = await harness.connect();
    await peer.says('one\ntwo\n');
    await peer.ends();
    expect(views).toEqual([{ id: 1, messagesReceived: 2, messagesSent: 2, bytesReceived: 8, bytesSent: 8 }]);
  });
});

it('the counters of a server add up all of its sessions', async () => {
  const harness = await Harness.open({ maxMessageLength: 5, handler: ({ text }) => [text, text] });
  const peers = [await harness.connect(), await harness.connect(), await harness.connect()];
  await peers[0]?.says('a\nb\n');
  await peers[1]?.says('c\nmuch too long\n');
  await peers[2]?.aborts();
  await peers[1]?.ends();
  await settled();
  const tooLong = 'error: message 2 is longer than the limit of 5 bytes\n'.length;
  expect(harness.server.counters).toEqual({
    connectionsAccepted: 3,
    connectionsRefused: 0,
    connectionsOpen: 1,
    messagesReceived: 3,
    messagesSent: 7,
    messagesUndelivered: 0,
    rooms: 0,
    roomMembers: 0,
    roomHistoryBytes: 0,
    roomMessages: 0,
    roomMessagesLost: 0,
    roomMessagesMissed: 0,
    roomMessagesReplaced: 0,
    roomMessagesStored: 0,
    roomStoredBytes: 0,
    bytesReceived: 20,
    bytesSent: 12 + tooLong,
    errors: new Map([
      ['YODEL_CONNECTION_RESET', 1],
      ['YODEL_MESSAGE_TOO_LONG', 1],
    ]),
  });
});

it('without subscribers nothing is emitted, and everything is counted', async () => {
  const emit = vi.spyOn(Telemetry.prototype, 'emit');
  const harness = await Harness.open({ maxMessageLength: 5, onTooLong: 'discard', maxConnections: 1 });
  const peer = await harness.connect();
  await (await harness.connect()).ends();
  await peer.says('a\nmuch too long\nb\n');
  await peer.aborts();
  await harness.close();
  expect(emit).not.toHaveBeenCalled();
  expect(harness.server.counters.messagesReceived).toBe(2);
  expect([...harness.server.counters.errors.values()]).toEqual([1, 1, 1]);
  emit.mockRestore();
});

it('telemetry calls all subscribers that have a method for an event', () => {
  const telemetry = new Telemetry();
  const events: string[] = [];
  expect(telemetry.watched).toBe(false);
  telemetry.subscribe({ draining: (sessions) => events.push(`one ${sessions}`) });
  telemetry.subscribe({ draining: (sessions) => events.push(`two ${sessions}`) });
  telemetry.subscribe({ listening: () => events.push('three') });
  expect(telemetry.watched).toBe(true);
  telemetry.emit('draining', 5);
  expect(events).toEqual(['one 5', 'two 5']);
});

it('a subscriber may be an object with a state of its own', () => {
  class Counting {
    count = 0;
    draining(sessions: number): void {
      this.count += sessions;
    }
  }
  const telemetry = new Telemetry();
  const counting = new Counting();
  telemetry.subscribe(counting);
  telemetry.emit('draining', 3);
  expect(counting.count).toBe(3);
});

describe('what is sent', () => {
  it('is passed to subscribers with `sent`, byte for byte, including errors', async () => {
    const seen: string[] = [];
    const telemetry: Subscriber = { sent: (_session, bytes) => void seen.push(Buffer.from(bytes).toString()) };
    const harness = await Harness.open({ telemetry, maxMessageLength: 5 });
    const peer = await harness.connect();
    await peer.says('a\nb\r\n');
    await peer.says('too long\n');
    expect(seen.join('')).toBe(peer.text);
    expect(peer.text).toMatch(/^a\nb\r\nerror: .*\n$/);
  });
});

describe('several subscribers', () => {
  it('are all called, in order; one that throws disturbs neither the others nor the session', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const events: string[] = [];
    const telemetry: Subscriber[] = [
      { received: () => void events.push('first') },
      {
        received: () => {
          throw new Error('a bug');
        },
      },
      { received: () => void events.push('third'), handled: undefined as never },
    ];
    const harness = await Harness.open({ telemetry });
    const peer = await harness.connect();
    expect(await peer.says('a\n')).toBe('a\n');
    expect(events).toEqual(['first', 'third']);
    expect(emit).toHaveBeenCalledWith(new Error('a bug'));
    emit.mockRestore();
  });

  it('may have async methods, which are not awaited; one that rejects is a warning', async () => {
    const emit = vi.spyOn(process, 'emitWarning').mockImplementation(() => undefined);
    const harness = await Harness.open({ telemetry: { received: async () => Promise.reject(new Error('a bug')) } });
    const peer = await harness.connect();
    expect(await peer.says('a\n')).toBe('a\n');
    expect(emit).toHaveBeenCalledWith(new Error('a bug'));
    emit.mockRestore();
  });

  it('can come and go while the server runs, and see what has begun before', async () => {
    const events: string[] = [];
    const harness = await Harness.open();
    const peer = await harness.connect();
    await peer.says('a\n');
    const end = harness.server.subscribe([
      { received: ({ id }, batch) => void events.push(`received ${id} ${[...batch].join()}`) },
      {
        sent: ({ id }, bytes) => void events.push(`sent ${id} ${Buffer.from(bytes)}`),
        handled: ({ id }, messages) => void events.push(`handled ${id} ${messages}`),
      },
    ]);
    await peer.says('b\n');
    end();
    end();
    await peer.says('c\n');
    expect(events).toEqual(['received 1 b', 'handled 1 1', 'sent 1 b\n']);
  });

  it('may come while a handler works: what it has begun before is not measured', async () => {
    const durations: number[] = [];
    const waits = Promise.withResolvers<string>();
    const harness = await Harness.open({ handler: () => waits.promise });
    const peer = await harness.connect();
    await peer.says('a\n');
    harness.server.subscribe({ handled: (_session, _messages, durationMs) => void durations.push(durationMs) });
    await harness.passes(5);
    waits.resolve('done');
    await settled();
    await peer.says('b\n');
    expect(durations).toEqual([0]);
  });
});

describe('what is no subscriber is refused at start', () => {
  it.each([
    ['no object', 7, /takes an object with methods for events, or an array/],
    ['an array in an array', [[{}]], /takes an object with methods for events, or an array/],
    ['a misspelt event', { openned: () => undefined }, /has no event "openned". Did you mean "opened"\?/],
    ['a misspelt event of one of several', [{}, { recieved: () => undefined }], /Did you mean "received"\?/],
    ['an event that is no function', { closed: true }, /"closed" is none/],
  ])('%s', async (_, telemetry, message) => {
    const refused = Harness.open({ telemetry: telemetry as never });
    await expect(refused).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: expect.stringMatching(message),
    });
    const { server } = await Harness.open();
    expect(() => server.subscribe(telemetry as never)).toThrow(message);
  });
});
