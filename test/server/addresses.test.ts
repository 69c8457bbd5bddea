import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type Address, TcpAddress, UnixAddress } from '../../src/address.ts';
import { serve } from '../../src/server/server.ts';
import { memoryTransport } from '../../src/transport/memory.ts';
import { nodeTransport } from '../../src/transport/node.ts';
import { Harness } from '../session/harness.ts';
import { connectTo, freshSocketPath, serveOnSockets } from './sockets.ts';

describe('a server', () => {
  it('listens on tcp://127.0.0.1:7878 by default', async () => {
    const { server } = await Harness.open();
    expect(server.addresses.map(String)).toEqual(['tcp://127.0.0.1:7878']);
  });

  it.each([
    ['text', 'localhost:5000', 'tcp://localhost:5000'],
    ['a port', 5000, 'tcp://127.0.0.1:5000'],
    ['an address', new TcpAddress('::1', 5000), 'tcp://[::1]:5000'],
    ['a Unix socket', 'unix:///run/app.sock', 'unix:///run/app.sock'],
    ['several of them', [5000, 'unix:/a', new UnixAddress('/b')], 'tcp://127.0.0.1:5000,unix:///a,unix:///b'],
  ])('listens on the configured address: %s', async (_, listen, addresses) => {
    const { server } = await Harness.open({ listen });
    expect(server.addresses.map(String).join()).toBe(addresses);
  });

  it('picks a free port for port 0, and reports it', async () => {
    const [one, two] = [await serveOnSockets(), await serveOnSockets()];
    const ports = [...one.addresses, ...two.addresses].map((address) => (address as TcpAddress).port);
    expect(ports.every((port) => port > 0)).toBe(true);
    expect(ports[0]).not.toBe(ports[1]);
    const peer = await connectTo(one);
    peer.connection.write(Buffer.from('hello\n'));
    await peer.until(() => peer.text === 'hello\n');
  });

  it('serves TCP and Unix sockets side by side, as one server', async () => {
    const path = freshSocketPath();
    const server = await serveOnSockets({
      listen: ['127.0.0.1:0', `unix://${path}`],
      handler: (_message, { id, local }) => `${id} ${local.scheme}`,
    });
    expect(server.addresses.map(({ scheme }) => scheme)).toEqual(['tcp', 'unix']);
    for (const [index, address] of server.addresses.entries()) {
      const peer = await connectTo(server, address);
      peer.connection.write(Buffer.from('who\n'));
      await peer.until(() => peer.text !== '');
      expect(peer.text).toBe(`${index + 1} ${address.scheme}\n`);
    }
    expect(server.sessions.size).toBe(2);
    await server.close({ timeoutMs: 0 });
    expect(existsSync(path)).toBe(false);
  });
});

describe('an address that cannot be listened on', () => {
  it('is a program', async () => {
    await expect(serve({ listen: ['127.0.0.1:0', 'exec:cat'] })).rejects.toMatchObject({
      code: 'YODEL_INVALID_ADDRESS',
      message: expect.stringMatching(/^cannot listen on exec:cat: .*use the handler exec$/),
    });
  });

  it('is refused with the reason', async () => {
    const taken = await serveOnSockets();
    await expect(serve({ listen: taken.addresses })).rejects.toMatchObject({
      name: 'YodelError',
      code: 'YODEL_ADDRESS_IN_USE',
      message: `cannot listen on ${taken.addresses[0]}: the address is in use: stop the other program, or choose another port (port 0 picks a free one)`,
    });
  });

  it('leaves none of the other listeners open', async () => {
    const taken = await serveOnSockets();
    const path = freshSocketPath();
    const listen = [`unix://${path}`, ...taken.addresses.map(String)];
    await expect(serve({ listen })).rejects.toMatchObject({ code: 'YODEL_ADDRESS_IN_USE' });
    expect(existsSync(path)).toBe(false);
    await expect(nodeTransport.connect(new UnixAddress(path))).rejects.toMatchObject({
      code: 'YODEL_CONNECTION_REFUSED',
    });
  });

  it('reports to subscribers that the listeners already open have closed', async () => {
    const transport = memoryTransport();
    const events: string[] = [];
    const telemetry = {
      listening: (address: Address) => events.push(`listening ${address}`),
      draining: () => events.push('draining'),
    };
    const failure = (listen: number[]) => expect(serve({ transport, telemetry, listen })).rejects.toThrow('in use');
    await failure([5000, 5000]);
    expect(events).toEqual(['listening tcp://127.0.0.1:5000', 'draining']);
    await using _taken = await serve({ transport, listen: 5000 });
    events.length = 0;
    await failure([5000]);
    expect(events).toEqual([]);
  });

  it.each([
    ['localhost:http', 'the port "http" is not a number'],
    ['http://localhost', 'unknown scheme "http"'],
    [70_000, 'the port 70000 is above 65535'],
  ])('is refused when it is invalid: %s', async (listen, expectedReason) => {
    await expect(serve({ listen, transport: memoryTransport() })).rejects.toMatchObject({
      code: 'YODEL_INVALID_ADDRESS',
      message: expect.stringContaining(expectedReason),
    });
  });

  it('is required: an empty list is refused', async () => {
    await expect(serve({ listen: [], transport: memoryTransport() })).rejects.toMatchObject({
      code: 'YODEL_INVALID_OPTION',
      message: 'the option "listen" is empty; leave it out for the default, or set it to false to listen nowhere',
    });
  });
});
