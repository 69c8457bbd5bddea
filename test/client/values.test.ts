import { describe, expect, it } from 'vitest';
import { connect } from '../../src/client/connect.ts';
import { json } from '../../src/codec/json.ts';
import { Message } from '../../src/framing/message.ts';
import { serve } from '../../src/server/server.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, Host } from './host.ts';

/** A client of a server that the test controls. */
async function meet(options: object = {}) {
  const host = await Host.open();
  const client = await connect(host.address, {
    codec: json(),
    transport: host.transport,
    clock: host.clock,
    ...options,
  });
  await settled();
  const peer = host.peers[0];
  if (!peer) throw new Error('nobody has connected');
  return { client, peer };
}

describe('a client with a codec', () => {
  it('sends values, gets values as replies, and others by iteration', async () => {
    const { client, peer } = await meet({ correlate: 'order' });
    client.send({ a: 1 });
    expect(Buffer.from(client.encode([1])).toString()).toBe('[1]\n');
    const reply = client.request({ b: 2 });
    await settled();
    expect(peer.text).toBe('{"a":1}\n{"b":2}\n');
    await peer.says('{"reply":1}\n{"pushed":2}\nnull\n');
    expect(await reply).toEqual({ reply: 1 });
    const values = client[Symbol.asyncIterator]();
    expect(await values.next()).toEqual({ done: false, value: { pushed: 2 } });
    expect(await values.next()).toEqual({ done: false, value: null });
    client.abort();
  });

  it('sends messages as they are', async () => {
    const { client, peer } = await meet();
    client.send(Message.of('no JSON'));
    await settled();
    expect(peer.text).toBe('no JSON\n');
    client.abort();
  });

  it('rejects a request whose reply is not valid, with that reply, and goes on', async () => {
    const { client, peer } = await meet({ correlate: 'order' });
    const first = fateOf(client.request(1));
    const second = client.request(2);
    await peer.says('}\n"two"\n');
    expect(first.error).toMatchObject({
      code: 'YODEL_UNDECODABLE_MESSAGE',
      message: 'invalid message: not JSON: unexpected "}" at character 1',
      received: expect.objectContaining({ text: '}' }),
    });
    expect(await second).toBe('two');
    expect(client.state).toBe('open');
    client.abort();
  });

  it('by ids, what is not valid is no reply: it rejects the iteration at its place, which may be begun again', async () => {
    const correlate = {
      requestId: (value: { id: number }) => value.id,
      replyId: (value: { id?: number }) => value.id,
    };
    const { client, peer } = await meet({ correlate });
    const reply = client.request({ id: 7 });
    await peer.says('{"pushed":1}\n}\n{"id":7}\n{"pushed":2}\n');
    expect(await reply).toEqual({ id: 7 });
    const values: unknown[] = [];
    const iterate = async () => {
      for await (const value of client) if (values.push(value) === 2) break;
    };
    await expect(iterate()).rejects.toMatchObject({ code: 'YODEL_UNDECODABLE_MESSAGE' });
    await iterate();
    expect(values).toEqual([{ pushed: 1 }, { pushed: 2 }]);
    expect(client.state).toBe('open');
    client.abort();
  });

  it('says what it cannot send', async () => {
    const { client, peer } = await meet();
    const error = {
      code: 'YODEL_UNENCODABLE_MESSAGE',
      message: 'the codec json cannot encode the value: NaN at n is no JSON value',
    };
    expect(client.send({ n: Number.NaN })).toMatchObject(error);
    expect(() => client.encode({ n: Number.NaN })).toThrow(expect.objectContaining(error));
    await expect(client.request({ n: Number.NaN })).rejects.toMatchObject(error);
    const reply = client.request(1);
    await settled();
    expect(peer.text).toBe('1\n');
    await peer.says('2\n');
    expect(await reply).toBe(2);
    client.abort();
  });

  it('refuses what is no codec', async () => {
    await expect(meet({ codec: json })).rejects.toThrow(
      'the option "codec" takes a codec, such as json(): a function is none',
    );
  });
});

describe('over WebSocket', () => {
  it('JSON is sent as text, also in reply to a binary message, and as a notification', async () => {
    const handler = { open: () => 'hello', message: (value: unknown) => ({ value }) };
    await using server = await serve({ listen: 'ws://127.0.0.1:0', codec: json(), handler });
    const address = server.addresses[0];
    await using client = await connect(address, { codec: json() });
    const values = client[Symbol.asyncIterator]();
    expect((await values.next()).value).toBe('hello');
    expect(await client.request([1])).toEqual({ value: [1] });
    await using plain = await connect(address);
    const messages = plain[Symbol.asyncIterator]();
    expect((await messages.next()).value?.kind).toBe('text');
    plain.send(Buffer.from('2'));
    const { value } = await messages.next();
    expect([value?.kind, value?.text]).toEqual(['text', '{"value":2}']);
  });
});
