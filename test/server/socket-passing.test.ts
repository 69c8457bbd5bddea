import type { Socket } from 'node:net';
import { expect, test } from 'vitest';
import type { PassedSocket } from '../../src/server/passed-sockets.ts';
import { SocketPassing, type SocketTaker } from '../../src/server/socket-passing.ts';

/** A worker that takes a number of connections until it has acknowledged them. */
class Taker implements SocketTaker {
  room: number;
  readonly taken: string[] = [];

  constructor(room: number) {
    this.room = room;
  }

  get canTake(): boolean {
    return this.taken.length < this.room;
  }

  get passing(): number {
    return this.taken.length;
  }

  pass({ address }: PassedSocket): void {
    this.taken.push(address);
  }
}

function connection(address: string, closed: string[] = []): PassedSocket {
  return { address, socket: { destroy: () => closed.push(address) } as unknown as Socket };
}

test('connections go to the workers in turn, and wait in order while none can take them', () => {
  const [first, second] = [new Taker(2), new Taker(1)];
  const passing = new SocketPassing([first, second]);
  for (const name of ['a', 'b', 'c', 'd', 'e']) passing.add(connection(name));
  expect([first.taken, second.taken, passing.size]).toEqual([['a', 'c'], ['b'], 5]);
  second.room = 3;
  passing.passWaiting();
  expect([second.taken, passing.size]).toEqual([['b', 'd', 'e'], 5]);
});

test('what a worker did not receive before it ended goes to another one, before all others', () => {
  const [first, second] = [new Taker(1), new Taker(0)];
  const passing = new SocketPassing([first, second]);
  for (const name of ['a', 'b']) passing.add(connection(name));
  first.room = 0;
  passing.putBack([connection(first.taken.pop() as string)]);
  second.room = 2;
  passing.passWaiting();
  expect([first.taken, second.taken]).toEqual([[], ['a', 'b']]);
});

test('a shutdown waits until all are passed, and closes those that no worker takes in time', async () => {
  const worker = new Taker(1);
  const passing = new SocketPassing([worker]);
  const closed: string[] = [];
  for (const name of ['a', 'b']) passing.add(connection(name, closed));
  const emptied = passing.emptied(60_000);
  worker.taken.pop();
  passing.passWaiting();
  worker.taken.pop();
  passing.passWaiting();
  await emptied;
  worker.room = 0;
  passing.add(connection('c', closed));
  await passing.emptied(1);
  expect(closed).toEqual(['c']);
});
