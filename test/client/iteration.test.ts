import { describe, expect, it } from 'vitest';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, meet, readAll } from './host.ts';

describe('iterating over a client', () => {
  it('yields the messages of the server in order, until it ends', async () => {
    const { client, peer } = await meet({ network: { chunkSize: 3 } });
    const reading = readAll(client);
    await peer.says('one\ntwo\r\n\nthree\n');
    await peer.says('unfinished');
    await peer.ends();
    expect(await reading).toEqual(['one', 'two', '', 'three', 'unfinished']);
    expect(client.state).toBe('closed');
  });

  it('yields messages received before the iteration started', async () => {
    const { client, peer } = await meet();
    await peer.says('one\ntwo\n');
    await peer.ends();
    expect(await readAll(client)).toEqual(['one', 'two']);
  });

  it('throws when the connection breaks, after all earlier messages', async () => {
    const { client, peer } = await meet();
    await peer.says('one\ntwo\n');
    await peer.aborts();
    const seen: string[] = [];
    await expect(readAll(client, seen)).rejects.toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    expect(seen).toEqual(['one', 'two']);
    expect(await readAll(client)).toEqual([]);
  });

  it('throws in each loop that was running when the connection broke', async () => {
    const { client, peer } = await meet();
    const busy = client[Symbol.asyncIterator]();
    const first = busy.next();
    const waiting = [
      fateOf(readAll(client)),
      fateOf(readAll(client)),
      fateOf(client.readable.pipeTo(new WritableStream())),
    ];
    await peer.says('a\nb\nc\nd\n');
    await first;
    await peer.aborts();
    for (const { error } of waiting) expect(error).toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    await expect(busy.next()).rejects.toMatchObject({ code: 'YODEL_CONNECTION_RESET' });
    expect(await busy.next()).toEqual({ done: true, value: undefined });
    expect(await readAll(client)).toEqual([]);
  });

  it('may begin with next()', async () => {
    const { client, peer } = await meet();
    const messages = client[Symbol.asyncIterator]();
    await peer.says('title\none\ntwo\n');
    await peer.ends();
    expect(String((await messages.next()).value)).toBe('title');
    const seen: string[] = [];
    for await (const { text } of messages) seen.push(text);
    expect(seen).toEqual(['one', 'two']);
  });

  it('ends without an error when this side aborts', async () => {
    const { client } = await meet();
    const reading = readAll(client);
    client.abort();
    expect(await reading).toEqual([]);
  });

  it('may stop and continue later', async () => {
    const { client, peer } = await meet();
    await peer.says('one\ntwo\nthree\n');
    for await (const message of client) {
      expect(message.text).toBe('one');
      break;
    }
    expect(client.state).toBe('open');
    await peer.ends();
    expect(await readAll(client)).toEqual(['two', 'three']);
  });

  it('by several consumers gives each message to one of them', async () => {
    const { client, peer } = await meet();
    const [left, right]: [string[], string[]] = [[], []];
    const reading = Promise.all([readAll(client, left), readAll(client, right)]);
    await peer.says('a\nb\n');
    await peer.says('c\nd\n');
    await peer.ends();
    await reading;
    expect([...left, ...right].sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  it('yields messages that may be kept', async () => {
    const { client, peer } = await meet({ network: { chunkSize: 2 } });
    const kept = [];
    await peer.says('first\nsecond\nthird\n');
    await peer.ends();
    for await (const message of client) kept.push(message);
    expect(kept.map(String)).toEqual(['first', 'second', 'third']);
  });

  it('after close() yields what was received before, then ends', async () => {
    const { client, peer } = await meet();
    await peer.says('one\ntwo\n');
    const closing = client.close();
    await peer.says('dropped\n');
    await peer.ends();
    await closing;
    expect(await readAll(client)).toEqual(['one', 'two']);
  });

  it('after close() does not throw, however the connection ends', async () => {
    const { client, peer } = await meet();
    const reading = fateOf(readAll(client));
    void client.close();
    await peer.aborts();
    expect(reading.value).toEqual([]);
  });

  it('ends when the client is closed', async () => {
    const { client, peer } = await meet();
    const reading = fateOf(readAll(client));
    void client.close();
    await peer.ends();
    expect(reading.value).toEqual([]);
  });
});

describe('while no reader takes the messages', () => {
  const flood = 'some line\n'.repeat(20_000);

  it('the server is paused, and little is buffered', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network: { capacity: 500 } });
    await peer.says(flood);
    expect(flood.length - peer.connection.unsent).toBeLessThan(1000 + 3 * 500);
    const reading = readAll(client);
    await peer.ends();
    expect((await reading).length).toBe(20_000);
  });

  it('the server is paused even when its messages are empty', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network: { capacity: 500 } });
    await peer.says('\n'.repeat(100_000));
    expect(peer.connection.unsent).toBeGreaterThan(95_000);
    const reading = readAll(client);
    await peer.ends();
    expect((await reading).length).toBe(100_000);
  });

  it('a request still gets its reply: earlier messages are read first', async () => {
    const { client, peer } = await meet({ highWaterMark: 100, network: { capacity: 100 } });
    await peer.says('unasked\n'.repeat(100));
    const reply = fateOf(client.request('a'));
    await settled();
    expect(peer.text).toBe('a\n');
    expect(reply.value?.text).toBe('unasked');
  });

  it('the client can still be closed', async () => {
    const { client, peer } = await meet({ highWaterMark: 100, network: { capacity: 100 } });
    await peer.says('unasked\n'.repeat(10_000));
    const closing = client.close();
    await settled();
    expect(peer.connection.unsent).toBe(0);
    await peer.ends();
    await closing;
  });
});
