import { describe, expect, it, onTestFinished } from 'vitest';
import type { Client } from '../../src/client/client.ts';
import { connect } from '../../src/client/connect.ts';
import { json } from '../../src/codec/json.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, Host, meet } from './host.ts';

const network = { capacity: 1000 };

describe('readable', () => {
  it('is a stream of the messages that are not replies, and closes when the server ends', async () => {
    const { client, peer } = await meet();
    const reply = client.request('a');
    await peer.says('A\none\ntwo\n');
    await reply;
    const seen: string[] = [];
    const reading = (async () => {
      for await (const message of client.readable as unknown as AsyncIterable<{ text: string }>)
        seen.push(message.text);
    })();
    await peer.ends();
    await reading;
    expect(seen).toEqual(['one', 'two']);
  });

  it('fails when the connection breaks', async () => {
    const { client, peer } = await meet();
    const read = fateOf(client.readable.getReader().read());
    await peer.aborts();
    expect(read.error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
  });

  it('slows the server down while nobody reads', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network });
    const { readable } = client;
    await peer.says('news\n'.repeat(100_000));
    expect(peer.connection.unsent).toBeGreaterThan(400_000);
    const reader = readable.getReader();
    for (let count = 0; count < 50_000; count++) await reader.read();
    await settled();
    expect(peer.connection.unsent).toBeLessThan(300_000);
  });

  it('can be cancelled, and leaves the client open', async () => {
    const { client, peer } = await meet();
    await client.readable.cancel();
    expect(client.state).toBe('open');
    const reply = client.request('a');
    await peer.says('A\n');
    expect(String(await reply)).toBe('A');
  });
});

it('readable is another stream once it was cancelled', async () => {
  const { client, peer } = await meet();
  const { readable } = client;
  expect(client.readable).toBe(readable);
  await readable.cancel();
  const read = client.readable.getReader().read();
  await peer.says('one\n');
  expect(String((await read).value)).toBe('one');
});

it('readable is another stream once it has failed, with the message that follows', async () => {
  const host = await Host.open();
  const client = await connect(host.address, { transport: host.transport, clock: host.clock, codec: json<string>() });
  onTestFinished(() => client.abort());
  await settled();
  const { peer } = host;
  await peer.says('not JSON\n"one"\n');
  await expect(client.readable.getReader().read()).rejects.toMatchObject({ code: 'YODEL_UNDECODABLE_MESSAGE' });
  expect(await client.readable.getReader().read()).toEqual({ done: false, value: 'one' });
});

it('what sends to a client that is closed fails at once, also while its source is silent', async () => {
  const { client } = await meet();
  client.abort();
  await client.closed;
  const silent = () => new ReadableStream<string>({});
  const sending: Promise<unknown>[] = [
    client.sendAll(silent() as unknown as AsyncIterable<string>),
    silent().pipeTo(client.writable),
  ];
  const fates = sending.map((promise) => fateOf(promise));
  await settled();
  for (const { error } of fates) expect(error).toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
});

it('a message that a cancelled stream waited for goes to the iteration', async () => {
  const { client, peer } = await meet();
  const reader = client.readable.getReader();
  const read = fateOf(reader.read());
  await settled();
  await reader.cancel();
  const messages = client[Symbol.asyncIterator]();
  await peer.says('one\ntwo\n');
  expect(read.value).toMatchObject({ done: true });
  expect(String((await messages.next()).value)).toBe('one');
  expect(String((await messages.next()).value)).toBe('two');
});

it('the error of a lost connection is for the iteration if the stream was cancelled', async () => {
  const { client, peer } = await meet();
  const reader = client.readable.getReader();
  void reader.read();
  await settled();
  await reader.cancel();
  const message = fateOf(client[Symbol.asyncIterator]().next());
  await peer.aborts();
  expect(message.error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
});

describe('writable', () => {
  it('sends each chunk as a message, and ends this side when it is closed', async () => {
    const { client, peer } = await meet();
    const writer = client.writable.getWriter();
    await writer.write('one');
    await writer.write('two');
    await writer.close();
    await settled();
    expect(peer.lines).toEqual(['one', 'two']);
    expect(client.state).toBe('ending');
  });

  it('waits for a slow server', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network });
    peer.connection.pause();
    const writer = client.writable.getWriter();
    const writes = fateOf(
      (async () => {
        for (let count = 0; count < 100; count++) await writer.write('x'.repeat(1000));
      })(),
    );
    await settled();
    expect(writes.settled).toBe(false);
    expect(client.unsent).toBeLessThan(5000);
    peer.connection.resume();
    await settled();
    await settled();
    expect([writes.settled, writes.error]).toEqual([true, undefined]);
  });

  it('continues after a reconnect', async () => {
    const { client, host, peer } = await meet({ reconnect: true, connectTimeout: 0 });
    const writer = client.writable.getWriter();
    await peer.aborts();
    const write = fateOf(writer.write('hello again'));
    await settled();
    expect(write.settled).toBe(false);
    await host.passes(50);
    expect([write.settled, host.peer.text]).toEqual([true, 'hello again\n']);
  });

  it('fails with a message that cannot be sent', async () => {
    const { client } = await meet();
    const writer = client.writable.getWriter();
    writer.closed.catch(() => {});
    await expect(writer.write('two\nlines')).rejects.toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
  });

  it('ends what is piped into it when the client is closed, also while that has nothing to say', async () => {
    const { client, peer } = await meet();
    let isCancelled = false;
    const silent = new ReadableStream({
      cancel() {
        isCancelled = true;
      },
    });
    const piping = fateOf(silent.pipeTo(client.writable));
    await settled();
    await peer.aborts();
    expect(piping.error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    expect(isCancelled).toBe(true);
  });

  it('aborts the client when it is aborted', async () => {
    const { client } = await meet();
    await client.writable.abort(new Error('enough'));
    await settled();
    expect(client.state).toBe('closed');
  });
});

describe('sendAll', () => {
  it('sends what an iteration yields, and resolves with its number', async () => {
    const { client, peer } = await meet();
    expect(await client.sendAll(['one', 'two'])).toBe(2);
    async function* numbers() {
      yield '3';
      await settled();
      yield '4';
    }
    expect(await client.sendAll(numbers())).toBe(2);
    expect(peer.lines).toEqual(['one', 'two', '3', '4']);
  });

  it('takes no more from the iteration than the server takes', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network });
    peer.connection.pause();
    let taken = 0;
    function* endless() {
      for (;;) {
        taken++;
        yield 'x'.repeat(999);
      }
    }
    const aborter = new AbortController();
    const sending = fateOf(client.sendAll(endless(), { signal: aborter.signal }));
    await settled();
    expect(taken).toBeLessThan(10);
    aborter.abort(new Error('enough'));
    await settled();
    expect(sending.error).toBe(aborter.signal.reason);
  });

  it.each([
    ['a message that cannot be sent', (_: Client) => ['one', 'two\nlines'], 'YODEL_UNENCODABLE_MESSAGE'],
    [
      'the end of the client',
      (client: Client) => {
        client.abort();
        return ['one'];
      },
      'YODEL_CONNECTION_CLOSED',
    ],
  ])('rejects because of %s, and ends the iteration', async (_, messagesOf, code) => {
    const { client } = await meet();
    let isEnded = false;
    function* messages() {
      try {
        yield* messagesOf(client);
      } finally {
        isEnded = true;
      }
    }
    await expect(client.sendAll(messages())).rejects.toMatchObject({ code });
    expect(isEnded).toBe(true);
  });

  /** An iteration that never yields anything, and whether it was ended. */
  function silence() {
    const state = { isEnded: false };
    const messages: AsyncIterable<string> = {
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => {}),
        return() {
          state.isEnded = true;
          return new Promise(() => {});
        },
      }),
    };
    return { state, messages };
  }

  it('is stopped by its signal while the iteration has nothing to say', async () => {
    const { client } = await meet();
    const { state, messages } = silence();
    const aborter = new AbortController();
    const sending = fateOf(client.sendAll(messages, { signal: aborter.signal }));
    await settled();
    aborter.abort(new Error('enough'));
    await settled();
    expect([sending.error, state.isEnded, client.state]).toEqual([aborter.signal.reason, true, 'open']);
  });

  it('is stopped by the end of the client while the iteration has nothing to say', async () => {
    const { client, peer } = await meet();
    const { state, messages } = silence();
    const sending = fateOf(client.sendAll(messages));
    await settled();
    await peer.aborts();
    await settled();
    expect([sending.error, state.isEnded]).toMatchObject([{ code: 'YODEL_CONNECTION_RESET' }, true]);
  });

  it('throws what an asynchronous iteration throws', async () => {
    const { client, peer } = await meet();
    async function* broken() {
      yield 'one';
      throw new RangeError('no more');
    }
    await expect(client.sendAll(broken())).rejects.toThrow('no more');
    expect(peer.lines).toEqual(['one']);
  });
});
