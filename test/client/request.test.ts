import { describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness } from '../session/harness.ts';
import { fateOf, meet, readAll } from './host.ts';

const numbers = Array.from({ length: 1000 }, (_, number) => String(number));

describe('a request', () => {
  it('resolves with its reply', async () => {
    const { client, peer } = await meet();
    const reply = client.request('hello');
    await settled();
    expect(peer.text).toBe('hello\n');
    await peer.says('hello yourself\r\n');
    expect((await reply).text).toBe('hello yourself');
  });

  it('is not answered by a greeting that its protocol announces', async () => {
    const { client, peer } = await meet({ protocol: { framing: 'lines', greeting: 2 } });
    const reply = client.request('hello');
    await peer.says('welcome\nto this server\nhello yourself\n');
    expect((await reply).text).toBe('hello yourself');
    const messages = client[Symbol.asyncIterator]();
    expect((await messages.next()).value?.text).toBe('welcome');
    expect((await messages.next()).value?.text).toBe('to this server');
  });

  it('may be bytes, as may its reply', async () => {
    const { client, peer } = await meet({ framing: 'length:1' });
    const reply = client.request(Uint8Array.of(0, 255));
    await settled();
    expect(peer.received.toString('hex')).toBe('0200ff');
    await peer.says(Buffer.from('01fe', 'hex'));
    expect([...(await reply).bytes]).toEqual([254]);
  });

  it('waits until its reply is complete, byte by byte', async () => {
    const { client, peer } = await meet({ network: { chunkSize: 1 } });
    const reply = fateOf(client.request('hello'));
    await peer.says('long ');
    expect(reply.settled).toBe(false);
    await peer.says('reply\n');
    expect(reply.value?.text).toBe('long reply');
  });

  it.each([1, 7, 1000])('can be one of a thousand in flight, in chunks of %s', async (chunkSize) => {
    const harness = await Harness.open({ network: { chunkSize } });
    const client = await connect(harness.address, { transport: harness.transport, clock: harness.clock });
    const replies = await Promise.all(numbers.map((number) => client.request(number)));
    expect(replies.map(({ text }) => text)).toEqual(numbers);
    const closing = client.close();
    await settled();
    await closing;
  });

  it('is sent in one write with others of the same turn', async () => {
    const { client, peer } = await meet();
    const chunks: number[] = [];
    const { onData } = peer;
    peer.onData = (chunk) => {
      chunks.push(chunk.length);
      onData.call(peer, chunk);
    };
    const replies = numbers.map((number) => client.request(number));
    await settled();
    expect(chunks).toHaveLength(1);
    await peer.says(peer.text);
    expect((await Promise.all(replies)).map(String)).toEqual(numbers);
  });

  it('that cannot be encoded is rejected, and the others get their own replies', async () => {
    const { client, peer } = await meet();
    const fates = [client.request('a'), client.request('b\nc'), client.request('d')].map(fateOf);
    await peer.says('A\nD\n');
    expect(fates[0]?.value?.text).toBe('A');
    expect(fates[1]?.error).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    expect(fates[2]?.value?.text).toBe('D');
    expect(peer.text).toBe('a\nd\n');
  });

  it('does not take messages that arrived before it', async () => {
    const { client, peer } = await meet({ correlate: 'order' });
    const unasked: string[] = [];
    void readAll(client, unasked);
    await peer.says('welcome\nread this first\n');
    const reply = client.request('a');
    await peer.says('A\nnews\n');
    expect(String(await reply)).toBe('A');
    const [second, third] = [client.request('b'), client.request('c')];
    await peer.says('B\nC\nmore news\n');
    expect([String(await second), String(await third)]).toEqual(['B', 'C']);
    expect(unasked).toEqual(['welcome', 'read this first', 'news', 'more news']);
  });
});

describe('a request without a reply', () => {
  it('is rejected after requestTimeout', async () => {
    const { client, host } = await meet({ requestTimeout: 1000 });
    const fate = fateOf(client.request('a'));
    await host.passes(999);
    expect(fate.settled).toBe(false);
    await host.passes(1);
    expect(fate.error).toMatchObject({ name: 'YodelError', code: 'YODEL_REQUEST_TIMEOUT' });
    expect(host.clock.waiting).toBe(0);
  });

  it('is not rejected for the time in which the process did not run', async () => {
    const { client, host } = await meet({ requestTimeout: 1000 });
    const fate = fateOf(client.request('a'));
    await host.passes(600);
    host.clock.stall(60_000);
    await host.passes(399);
    expect(fate.settled).toBe(false);
    await host.passes(1);
    expect(fate.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
  });

  it('is rejected after timeoutMs, if given', async () => {
    const { client, host } = await meet({ requestTimeout: 1000 });
    const [long, short] = [client.request('a', { timeoutMs: 5000 }), client.request('b', { timeoutMs: 10 })].map(
      fateOf,
    );
    await host.passes(10);
    expect(short?.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    await host.passes(4989);
    expect(long?.settled).toBe(false);
    await host.passes(1);
    expect(long?.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
  });

  it('has no time limit with timeoutMs 0 or requestTimeout 0', async () => {
    const { client, host } = await meet({ requestTimeout: 0 });
    const fates = [client.request('a'), client.request('b', { timeoutMs: 0 })].map(fateOf);
    await host.passes(1_000_000_000);
    expect(fates.some(({ settled: done }) => done)).toBe(false);
    expect(host.clock.waiting).toBe(0);
  });

  it('that timed out leaves the next reply to the next request', async () => {
    const { client, host, peer } = await meet();
    const first = fateOf(client.request('a', { timeoutMs: 100 }));
    const second = fateOf(client.request('b'));
    await host.passes(100);
    expect(first.error).toMatchObject({ code: 'YODEL_REQUEST_TIMEOUT' });
    const third = fateOf(client.request('c'));
    await peer.says('late A\nB\nC\n');
    expect(second.value?.text).toBe('B');
    expect(third.value?.text).toBe('C');
  });

  it.each([-1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])(
    'is not sent with %s as its timeoutMs',
    async (timeoutMs) => {
      const { client, peer } = await meet();
      const fate = fateOf(client.request('a', { timeoutMs }));
      await settled();
      expect(fate.error).toMatchObject({
        code: 'YODEL_INVALID_OPTION',
        message: expect.stringContaining('"timeoutMs"'),
      });
      expect(peer.text).toBe('');
    },
  );

  it('shares one timer with all others', async () => {
    const { client, host, peer } = await meet();
    const replies = numbers.map((number, index) => client.request(number, { timeoutMs: 1000 + index }));
    expect(host.clock.waiting).toBe(1);
    await peer.says(`${numbers.join('\n')}\n`);
    await Promise.all(replies);
    await host.passes(60_000);
    expect(host.clock.waiting).toBe(0);
  });
});

describe('a request with a signal', () => {
  const reason = new Error('not needed any more');

  it('aborted before is not sent', async () => {
    const { client, peer } = await meet();
    await expect(client.request('a', { signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    await settled();
    expect(peer.text).toBe('');
  });

  it('aborted in flight is rejected, and its late reply is dropped', async () => {
    const { client, peer } = await meet();
    const controller = new AbortController();
    const first = fateOf(client.request('a', { signal: controller.signal }));
    const second = fateOf(client.request('b'));
    await settled();
    controller.abort(reason);
    await settled();
    expect(first.error).toBe(reason);
    await peer.says('A\nB\n');
    expect(second.value?.text).toBe('B');
  });

  it('aborted afterwards has its reply', async () => {
    const { client, peer } = await meet();
    const controller = new AbortController();
    const reply = client.request('a', { signal: controller.signal });
    await peer.says('A\n');
    controller.abort(reason);
    expect(String(await reply)).toBe('A');
    expect(client.state).toBe('open');
  });

  it('keeps no listener on the signal once it is done', async () => {
    const { client, peer } = await meet();
    const { signal } = new AbortController();
    let listeners = 0;
    signal.addEventListener = () => void listeners++;
    signal.removeEventListener = () => void listeners--;
    const replies = numbers.map((number) => client.request(number, { signal }));
    expect(listeners).toBe(1000);
    await peer.says(`${numbers.join('\n')}\n`);
    await Promise.all(replies);
    expect(listeners).toBe(0);
  });
});

describe('requests in flight', () => {
  it.each([
    ['the server ends', 'ends', 'YODEL_CONNECTION_CLOSED', 'unix:///host ended the connection'],
    [
      'the server resets the connection',
      'aborts',
      'YODEL_CONNECTION_RESET',
      'the connection to unix:///host broke: the peer reset the connection',
    ],
  ] as const)('are rejected when %s', async (_, how, code, message) => {
    const { client, peer } = await meet();
    const fates = [client.request('a'), client.request('b'), client.request('c')].map(fateOf);
    await peer.says('A\n');
    await peer[how]();
    expect(fates[0]?.value?.text).toBe('A');
    for (const fate of fates.slice(1)) expect(fate.error).toMatchObject({ code, message });
    expect(client.state).toBe('closed');
  });

  it('are rejected when the client is aborted', async () => {
    const { client } = await meet();
    const fate = fateOf(client.request('a'));
    client.abort();
    await settled();
    expect(fate.error).toMatchObject({
      code: 'YODEL_CONNECTION_CLOSED',
      message: 'the connection to unix:///host was aborted',
    });
  });

  it('get the last message of a server that ends without a line ending', async () => {
    const { client, peer } = await meet();
    const reply = client.request('a');
    await settled();
    await peer.says('no line feed');
    await peer.ends();
    expect(String(await reply)).toBe('no line feed');
  });
});
