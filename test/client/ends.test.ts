import { describe, expect, it } from 'vitest';
import type { ClientState } from '../../src/client/client.ts';
import { settled } from '../../src/testing/turns.ts';
import { fateOf, meet, readAll } from './host.ts';

/** Records the states of a client. */
function states() {
  const seen: string[] = [];
  const onStateChange = (state: ClientState, error?: { code: string }) =>
    void seen.push(error ? `${state}: ${error.code}` : state);
  return { seen, onStateChange };
}

describe('client.end', () => {
  it('sends what is pending and then FIN, and still receives', async () => {
    const { seen, onStateChange } = states();
    const { client, peer } = await meet({ onStateChange });
    client.send('last words');
    client.end();
    await settled();
    expect(peer.text).toBe('last words\n');
    expect(peer.ended).toBe(true);
    expect(client.state).toBe('ending');
    const reading = readAll(client);
    await peer.says('a long\nanswer\n');
    await peer.ends();
    expect(await reading).toEqual(['a long', 'answer']);
    await client.closed;
    expect(seen).toEqual(['ending', 'closed']);
  });

  it('still delivers replies to requests in flight', async () => {
    const { client, peer } = await meet();
    const fates = [client.request('a'), client.request('b')].map(fateOf);
    client.end();
    await peer.says('A\n');
    await peer.ends();
    expect(fates[0]?.value?.text).toBe('A');
    expect(fates[1]?.error).toMatchObject({
      code: 'YODEL_CONNECTION_CLOSED',
      message: 'unix:///host ended the connection before it replied',
    });
  });

  it('sets no time limit for the server', async () => {
    const { client, host } = await meet();
    client.end();
    await host.passes(1_000_000_000);
    expect(client.state).toBe('ending');
  });

  it('has no effect the second time', async () => {
    const { seen, onStateChange } = states();
    const { client, peer } = await meet({ onStateChange });
    client.end();
    client.end();
    await peer.ends();
    client.end();
    expect(seen).toEqual(['ending', 'closed']);
  });
});

describe('client.close', () => {
  it('waits for pending replies and for the server to end', async () => {
    const { client, peer } = await meet();
    const reply = fateOf(client.request('a'));
    const closed = fateOf(client.close());
    await peer.says('A\n');
    expect(reply.value?.text).toBe('A');
    expect(closed.settled).toBe(false);
    await peer.ends();
    expect(closed.settled).toBe(true);
    expect(client.state).toBe('closed');
    expect(peer.error).toBeUndefined();
  });

  it('waits at most closeTimeout', async () => {
    const { seen, onStateChange } = states();
    const { client, host } = await meet({ closeTimeout: 1000, onStateChange });
    const reply = fateOf(client.request('a'));
    const closed = fateOf(client.close());
    await host.passes(999);
    expect(closed.settled).toBe(false);
    await host.passes(1);
    expect(closed.settled).toBe(true);
    expect(reply.error).toMatchObject({
      code: 'YODEL_CONNECTION_CLOSED',
      message: 'unix:///host did not end the connection within 1000 ms (closeTimeout)',
    });
    expect(seen).toEqual(['ending', 'closed']);
    expect(host.clock.waiting).toBe(0);
  });

  it('with closeTimeout 0 does not wait', async () => {
    const { client, host } = await meet({ closeTimeout: 0 });
    const closed = fateOf(client.close());
    await host.passes(1);
    expect(closed.settled).toBe(true);
  });

  it('can be called repeatedly, and always resolves when the client is closed', async () => {
    const { client, peer, host } = await meet();
    const closings = [client.close(), client.close(), client.closed, client[Symbol.asyncDispose]()];
    await peer.ends();
    await Promise.all(closings);
    await client.close();
    expect(host.clock.waiting).toBe(0);
  });

  it('after end() starts its time limit', async () => {
    const { client, host } = await meet({ closeTimeout: 1000 });
    client.end();
    await host.passes(5000);
    const closed = fateOf(client.close());
    await host.passes(1000);
    expect(closed.settled).toBe(true);
  });

  it('is called at the end of `await using`', async () => {
    const { client, peer } = await meet();
    {
      await using used = client;
      used.send('bye');
      void peer.until(() => peer.ended).then(() => peer.connection.end());
    }
    expect(client.state).toBe('closed');
    expect(peer.text).toBe('bye\n');
  });
});

describe('client.abort', () => {
  it('closes the connection at once', async () => {
    const { seen, onStateChange } = states();
    const { client, peer, host } = await meet({ onStateChange });
    client.send('lost');
    client.abort();
    await client.closed;
    await settled();
    expect(peer.text).toBe('');
    expect(peer.error).toMatchObject({ code: 'ECONNRESET' });
    expect(seen).toEqual(['closed']);
    expect(host.clock.waiting).toBe(0);
  });

  it('ends the wait of close()', async () => {
    const { client } = await meet();
    const closed = fateOf(client.close());
    client.abort();
    await settled();
    expect(closed.settled).toBe(true);
  });

  it('has no effect on a closed client', async () => {
    const { client, peer } = await meet();
    void client.close();
    await peer.ends();
    client.abort();
    expect(client.state).toBe('closed');
  });
});

describe('a server that ends', () => {
  it('ends the client, without an error', async () => {
    const { seen, onStateChange } = states();
    const { client, peer } = await meet({ onStateChange });
    await peer.ends();
    await client.closed;
    expect(peer.ended).toBe(true);
    expect(seen).toEqual(['ending', 'closed']);
  });

  it('still receives what was sent before', async () => {
    const { client, peer } = await meet({ network: { capacity: 100 } });
    peer.connection.pause();
    client.send('x'.repeat(1000));
    await settled();
    peer.connection.end();
    await settled();
    expect(client.state).toBe('ending');
    peer.connection.resume();
    await client.closed;
    expect(peer.received.length).toBe(1001);
  });

  it('with a reset closes the client with an error', async () => {
    const { seen, onStateChange } = states();
    const { client, peer } = await meet({ onStateChange, network: { capacity: 100 } });
    const reading = fateOf(readAll(client));
    peer.connection.pause();
    client.send('x'.repeat(999));
    await settled();
    await peer.aborts();
    expect(seen).toEqual(['closed: YODEL_CONNECTION_RESET']);
    expect(reading.error).toMatchObject({
      code: 'YODEL_CONNECTION_RESET',
      message: expect.stringMatching(/^the connection to unix:\/\/\/host broke: the peer reset the connection/),
    });
  });
});

describe('a server that sends an invalid message', () => {
  it.each([
    [
      'a message that is too long',
      { maxMessageLength: 5 },
      'too long\n',
      'YODEL_MESSAGE_TOO_LONG',
      'message 2 is longer than the limit of 5 bytes',
    ],
    [
      'bytes that are not text',
      {},
      Buffer.from('\xff\n', 'latin1'),
      'YODEL_INVALID_UTF8',
      'message 2 is not valid UTF-8',
    ],
  ])(
    '%s: the connection is closed, and everything that waits fails with the reason',
    async (_, options, bytes, code, expectedMessage) => {
      const { seen, onStateChange } = states();
      const { client, peer } = await meet({ ...options, onStateChange });
      const fates = [client.request('a'), client.request('b'), client.request('c')].map(fateOf);
      const reading = fateOf(readAll(client));
      await peer.says('fine\n');
      await peer.says(bytes);
      const error = {
        code,
        message: expect.stringContaining(`unix:///host sent an invalid message: ${expectedMessage}`),
      };
      expect(fates[0]?.value?.text).toBe('fine');
      expect(fates[1]?.error).toMatchObject(error);
      expect(fates[2]?.error).toMatchObject(error);
      expect(reading.error).toMatchObject(error);
      expect(seen).toEqual([`closed: ${code}`]);
      expect(peer.closed).toBe(true);
    },
  );

  it('half a frame at the end: requests fail with the reason', async () => {
    const { client, peer } = await meet({ framing: 'length:1' });
    const fate = fateOf(client.request('a'));
    await peer.says('\x05hel');
    await peer.ends();
    expect(fate.error).toMatchObject({ code: 'YODEL_UNFINISHED_FRAME' });
    expect(client.state).toBe('closed');
  });
});
