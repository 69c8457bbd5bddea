/** What a closed socket of `node:net` still refers to: a garbage collector may keep many of them for a while. */
import { once } from 'node:events';
import * as net from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { connectionOf, prepareReads } from '../../src/transport/node/connection.ts';

test('a socket that is closed no longer refers to its connection, nor to its listeners', async () => {
  await prepareReads();
  const server = net.createServer({ allowHalfOpen: true }).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  const client = net.connect(port, '127.0.0.1').on('error', () => undefined);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  const connection = connectionOf(socket, new TcpAddress('127.0.0.1', port));
  const closed = Promise.withResolvers<void>();
  const events: string[] = [];
  connection.start({
    onData: (bytes) => events.push(Buffer.from(bytes).toString()),
    onEnd: () => events.push('end'),
    onDrain: () => undefined,
    onClose: () => closed.resolve(),
  });
  client.write('hello', () => client.resetAndDestroy());
  await closed.promise;
  const refersToIt = () =>
    Object.getOwnPropertySymbols(socket).some((symbol) => Reflect.get(socket, symbol) === connection);
  // The listeners of the event are still being called.
  await new Promise((resolve) => setImmediate(resolve));
  expect(refersToIt()).toBe(false);
  expect(socket.eventNames()).toEqual(['error']);
  // The connection can still be asked and called, and does nothing.
  expect(connection.unsent).toBe(0);
  connection.write(Buffer.from('late'));
  connection.end();
  connection.abort();
  expect(events).not.toContain('end');
});
