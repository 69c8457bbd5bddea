/** Which peers' PROXY headers a server trusts. */
import { describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/server/options.ts';
import type { Server } from '../../src/server/server.ts';
import type { Peer } from '../../src/testing/peer.ts';
import { waitUntil } from '../support/process/process.ts';
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
    expect(text).toBe('error: connections from 127.0.0.1 are not allowed\n');
    expect(Object.fromEntries(counters.errors)).toEqual({ YODEL_ADDRESS_DENIED: 1 });
  });

  it('of a load balancer subjects the client to the rules, and it gets the reason', async () => {
    const { text, counters } = await serveOneClient({ proxyProtocol: trusted, deny: ['203.0.113.0/24'] });
    expect(text).toBe('error: connections from 203.0.113.7 are not allowed\n');
    expect(Object.fromEntries(counters.errors)).toEqual({ YODEL_ADDRESS_DENIED: 1 });
  });
});

/** A connection of a load balancer that sends this and nothing else. */
async function connectThrough(server: Server, text: string): Promise<Peer> {
  const peer = await connectTo(server);
  peer.connection.write(Buffer.from(text));
  return peer;
}

function headerOf(client: string): string {
  return `PROXY TCP4 ${client} 127.0.0.1 51234 7878\r\n`;
}

describe('before its PROXY header is complete, a connection of a load balancer', () => {
  it('takes a place until it is reset', async () => {
    const server = await serveOnSockets({ proxyProtocol: trusted, maxConnections: 1 });
    const { counters } = server;
    // One that can be served, and those that would be refused with a reason.
    const places = 1 + 64;
    const stalled = await Promise.all(Array.from({ length: places + 5 }, () => connectThrough(server, 'PROXY ')));
    await waitUntil('five are refused', () => counters.connectionsRefused === 5);
    expect(Object.fromEntries(counters.errors)).toEqual({ YODEL_TOO_MANY_CONNECTIONS: 5 });
    for (const { connection } of stalled) connection.abort();
    await waitUntil('all places are free', () => counters.connectionsRefused === 5 + places);
    const client = await connectThrough(server, `${header}hello\n`);
    await client.until(() => client.text === 'hello\n');
  });

  it('has the time of a handshake', async () => {
    const server = await serveOnSockets({ proxyProtocol: trusted, handshakeTimeout: 50 });
    const stalled = await connectTo(server);
    await stalled.until(() => stalled.ended);
    expect(Object.fromEntries(server.counters.errors)).toEqual({ YODEL_HANDSHAKE_TIMEOUT: 1 });
  });

  it('counts for no address, and afterwards for the client that the header names', async () => {
    const server = await serveOnSockets({ proxyProtocol: trusted, maxConnectionsPerAddress: 1 });
    const [first, second] = [await connectThrough(server, 'PROXY '), await connectThrough(server, 'PROXY ')];
    first.connection.write(Buffer.from(`${headerOf('203.0.113.7').slice(6)}hello\n`));
    await first.until(() => first.text === 'hello\n');
    second.connection.write(Buffer.from(headerOf('203.0.113.7').slice(6)));
    await second.until(() => second.ended);
    expect(second.text).toBe('error: this address has reached its limit of 1 connections; try again later\n');
    expect(Object.fromEntries(server.counters.errors)).toEqual({ YODEL_TOO_MANY_CONNECTIONS: 1 });
    const other = await connectThrough(server, `${headerOf('203.0.113.8')}hello\n`);
    await other.until(() => other.text === 'hello\n');
    first.connection.abort();
    await waitUntil('it is gone', () => server.sessions.size === 1);
    const again = await connectThrough(server, `${headerOf('203.0.113.7')}hello\n`);
    await again.until(() => again.text === 'hello\n');
  });
});
