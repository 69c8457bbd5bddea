/** Which peers' PROXY headers a server trusts. */
import { describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/server/options.ts';
import { connectTo, serveOnSockets } from './sockets.ts';

const header = 'PROXY TCP4 203.0.113.7 127.0.0.1 51234 7878\r\n';
/** The test's own address is a balancer's, or only this other one is. */
const trusted = ['127.0.0.0/8'];
const untrusted = ['192.0.2.1'];

/** Sends a header and a message. Replies name the peer and repeat the message. */
async function serveOneClient(options: ServeOptions) {
  const server = await serveOnSockets({
    handler: ({ text }, { peer }) => `${peer.scheme === 'unix' ? '' : peer.host} ${text}`,
    ...options,
  });
  const peer = await connectTo(server);
  peer.connection.write(Buffer.from(`${header}hello\n`));
  peer.connection.end();
  await peer.until(() => peer.ended);
  return { text: peer.text, counters: server.counters };
}

describe('a PROXY header', () => {
  it('of a load balancer names the client', async () => {
    expect((await serveOneClient({ proxyProtocol: trusted })).text).toBe('203.0.113.7 hello\n');
  });

  it.each([
    ['of another peer', untrusted],
    ['where no load balancer is configured', []],
  ])('%s is a message like any other', async (_, proxyProtocol) => {
    const { text } = await serveOneClient({ proxyProtocol });
    expect(text).toBe(`127.0.0.1 ${header}127.0.0.1 hello\n`);
  });

  it('of another peer does not get it past the rules', async () => {
    const { text, counters } = await serveOneClient({ proxyProtocol: untrusted, allow: ['203.0.113.0/24'] });
    expect(text).toBe('');
    expect(Object.fromEntries(counters.errors)).toEqual({ YODEL_ADDRESS_DENIED: 1 });
  });

  it('of a load balancer subjects the client to the rules', async () => {
    const { counters } = await serveOneClient({ proxyProtocol: trusted, deny: ['203.0.113.0/24'] });
    expect(Object.fromEntries(counters.errors)).toEqual({ YODEL_ADDRESS_DENIED: 1 });
  });
});
