import { describe, expect, it } from 'vitest';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, meet } from './host.ts';

describe('client.send', () => {
  it('sends text and bytes, in order with requests', async () => {
    const { client, peer } = await meet();
    client.send('one');
    void client.request('two').catch(() => {});
    client.send(Buffer.from('three'));
    await settled();
    expect(peer.text).toBe('one\ntwo\nthree\n');
  });

  it('sends many messages in large writes', async () => {
    const { client, peer } = await meet({ network: { capacity: 10_000_000 } });
    for (let each = 0; each < 10_000; each++) client.send('a message of twenty-four');
    expect(client.unsent).toBeLessThan(65_536);
    await settled();
    expect(peer.lines).toHaveLength(10_000);
  });

  it('refuses what is neither text nor bytes, and assigns the other replies correctly', async () => {
    const { client, peer } = await meet();
    for (const wrong of [5, { json: 1 }, null, undefined, new Uint16Array(2)]) {
      await expect(client.request(wrong as never)).rejects.toThrow(TypeError);
      expect(() => client.send(wrong as never)).toThrow(TypeError);
    }
    const reply = client.request('right');
    await settled();
    expect(peer.text).toBe('right\n');
    await peer.says('yes\n');
    expect((await reply).text).toBe('yes');
  });

  it('returns the reason if the message cannot be sent', async () => {
    const { client, peer } = await meet();
    expect(client.send('two\nlines')).toMatchObject({ code: 'YODEL_UNENCODABLE_MESSAGE' });
    client.send('fine');
    await settled();
    expect(peer.text).toBe('fine\n');
  });

  it.each(['end', 'close', 'abort'] as const)('throws after %s()', async (how) => {
    const { client } = await meet();
    void client[how]();
    if (how === 'abort') await settled();
    expect(() => client.send('late')).toThrow(
      expect.objectContaining({
        code: 'YODEL_CONNECTION_CLOSED',
        message: 'the connection to unix:///host is closed',
      }),
    );
    await expect(client.request('late')).rejects.toMatchObject({ code: 'YODEL_CONNECTION_CLOSED' });
  });

  it('returns false above highWaterMark, and true again when the server has read', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network: { capacity: 100 } });
    peer.connection.pause();
    expect(client.send('x'.repeat(500))).toBe(true);
    expect(client.send('x'.repeat(600))).toBe(false);
    peer.connection.resume();
    await client.drained();
    expect(client.unsent).toBe(0);
    expect(client.send('x')).toBe(true);
  });
});

describe('client.drained', () => {
  it('resolves at once when nothing is unsent', async () => {
    const { client } = await meet();
    await client.drained();
  });

  it('resolves when everything was sent', async () => {
    const { client, peer } = await meet({ network: { capacity: 100 } });
    peer.connection.pause();
    client.send('x'.repeat(1000));
    const drained = fateOf(client.drained());
    await settled();
    expect(drained.settled).toBe(false);
    peer.connection.resume();
    await settled();
    expect(drained.settled).toBe(true);
    expect(peer.received.length).toBe(1001);
  });

  it('resolves when the network takes all of it at once', async () => {
    const { client } = await meet();
    client.send('x');
    await client.drained();
  });

  it.each([false, true])('resolves when the connection is lost, with reconnect %s', async (reconnect) => {
    const { client, peer } = await meet({ reconnect, network: { capacity: 100 } });
    peer.connection.pause();
    client.send('x'.repeat(1000));
    const drained = fateOf(client.drained());
    await settled();
    expect(drained.settled).toBe(false);
    await peer.aborts();
    expect(drained.settled).toBe(true);
  });

  it('limits what a sender buffers to highWaterMark and one message', async () => {
    const { client, peer } = await meet({ highWaterMark: 1000, network: { capacity: 100 } });
    let most = 0;
    for (let number = 0; number < 1000; number++) {
      if (!client.send(`number ${number}`)) await client.drained();
      most = Math.max(most, client.unsent);
    }
    await peer.until(() => peer.lines.length === 1000);
    expect(most).toBeLessThan(1020);
  });
});
