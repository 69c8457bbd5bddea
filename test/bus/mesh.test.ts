/** Several workers' meshes in one process, over real Unix sockets. */
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname, join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { UnixAddress } from '../../src/address.ts';
import { makeMeshFolder, removeMeshFolder } from '../../src/bus/folder.ts';
import { Mesh } from '../../src/bus/mesh.ts';
import { batchPacket, helloPacket } from '../../src/bus/packets.ts';
import { isMessage } from '../../src/framing/message.ts';
import type { BusBatch, BusBeat, BusReceiver, MemberName, RoomState } from '../../src/rooms/bus.ts';
import { packMessages, unpackMessages } from '../../src/rooms/packed-messages.ts';
import type { RoomMessage } from '../../src/rooms/segment.ts';
import { runtimeTransport } from '../../src/transport/runtime.ts';
import { temporaryFolder } from '../support/files.ts';

/** One worker, and what it has received. */
class Node implements BusReceiver {
  readonly node: string;
  busBuffer = 1_048_576;
  readonly mesh: Mesh;
  /** Bytes that wait for others, and how often memory is kept. */
  waitingBytes = 0;
  readonly keptMemory: object[] = [];
  readonly keeper = {
    kept: (memory: object) => void this.keptMemory.push(memory),
    freed: (memory: object) => void this.keptMemory.splice(this.keptMemory.indexOf(memory), 1),
  };
  readonly states = new Map<string, RoomState>();
  readonly batches: BusBatch[] = [];
  readonly events: string[] = [];
  readonly sizes = new Map<string, number>();
  /** The names of its own members, and those that it was told, by worker and room. */
  readonly own = new Map<string, readonly MemberName[]>();
  readonly names = new Map<string, readonly MemberName[]>();

  constructor(folder: string, worker: number, workers: number) {
    this.node = `${worker}-${crypto.randomUUID().slice(0, 4)}`;
    this.mesh = new Mesh({ folder, worker, workers });
  }

  get worker(): string {
    return nameOf(this.node);
  }

  stateOf(room: string): RoomState {
    return this.states.get(room) ?? { last: 0, sentAt: 0, size: 0 };
  }
  startOf(room: string) {
    return { sentAt: 0, ...this.stateOf(room) };
  }
  namesOf(room: string): readonly MemberName[] {
    return this.own.get(room) ?? [];
  }
  received(batch: BusBatch): boolean {
    const isReadable = !Buffer.from(batch.bytes).includes('unreadable');
    if (isReadable) this.batches.push(batch);
    return isReadable;
  }
  followed(node: string, room: string, last: number): void {
    this.events.push(`${nameOf(node)} begins ${room} after ${last}`);
  }
  started(): void {}
  unknownStarts(): Iterable<string> {
    return [];
  }
  accepts(): boolean {
    return true;
  }
  beaten({ node, last, sizes, names }: BusBeat): void {
    for (const [room, list] of names) this.names.set(`${nameOf(node)} ${room}`, list);
    for (const [room, size] of sizes) this.sizes.set(`${nameOf(node)} ${room}`, size);
    for (const [room, number] of last) this.events.push(`${nameOf(node)} sent ${number} to ${room}`);
  }
  unfollowed(room: string): void {
    this.events.push(`nobody follows ${room}`);
  }
  gone(node: string): void {
    this.events.push(`${nameOf(node)} is gone`);
  }
  wholeBeat(): BusBeat {
    throw new Error('the mesh repeats what has changed');
  }
  waiting(bytes: number): void {
    this.waitingBytes = bytes;
  }
  forgotten(): void {}
  numbered(): Iterable<string> {
    return this.states.keys();
  }
  reported(): void {}
  drained(): void {
    this.events.push('drained');
  }

  /** Follows a room, and waits until the others know. */
  async follows(room: string, others: readonly Node[]): Promise<void> {
    this.mesh.follow(room);
    await soon(() => others.every(({ mesh }) => mesh.isFollowed(room))).toBe(true);
  }

  /** Publishes messages, numbered from where the room is. */
  publish(room: string, ...messages: readonly RoomMessage[]): void {
    const { last, size } = this.stateOf(room);
    this.states.set(room, { last: last + messages.length, sentAt: last, size });
    this.mesh.publish({ node: this.node, first: last + 1, ...batchOf(room, messages) });
  }

  textsOf(room: string): string[] {
    return this.batches.filter((batch) => batch.room === room).flatMap((batch) => messagesOf(batch).map(textOf));
  }
}

/** Waits until a value is as expected. */
const soon = <Value>(read: () => Value) => expect.poll(read, { timeout: 15_000, interval: 10 });

const nameOf = (node: string) => node.slice(0, 1);

function text(message: string): RoomMessage {
  return { message, size: message.length, except: undefined, key: undefined, isRemote: false };
}

function batchOf(room: string, messages: readonly RoomMessage[]): Omit<BusBatch, 'node' | 'first'> {
  const [packed] = packMessages(messages, Number.POSITIVE_INFINITY);
  return { room, time: 5, timeBefore: 4, count: messages.length, bytes: packed?.bytes ?? Buffer.alloc(0) };
}

const messagesOf = ({ bytes, count }: BusBatch) => unpackMessages(Buffer.from(bytes), count);
const textOf = ({ message }: RoomMessage) =>
  isMessage(message) ? message.text : Buffer.from(message as Uint8Array).toString();

const sizeOf = (memory: object) => (memory as ArrayBuffer).byteLength;

function makeFolder(path: string): string {
  mkdirSync(path);
  return path;
}

function folderOf(): string {
  const folder = makeMeshFolder();
  onTestFinished(() => removeMeshFolder(folder));
  return folder;
}

async function start(folder: string, worker: number, workers: number): Promise<Node> {
  const node = new Node(folder, worker, workers);
  onTestFinished(() => node.mesh.close());
  await node.mesh.start(node);
  return node;
}

/** The first worker starts alone, as the parent does it. */
async function startAll(workers: number, folder = folderOf()): Promise<Node[]> {
  const first = await start(folder, 1, workers);
  const others = Array.from({ length: workers - 1 }, (_, index) => start(folder, index + 2, workers));
  return [first, ...(await Promise.all(others))];
}

describe('workers', () => {
  it('that start at once are connected to each other, once', async () => {
    const folder = folderOf();
    const all = await Promise.all([1, 2, 3, 4, 5].map((worker) => start(folder, worker, 5)));
    for (const one of all) one.mesh.follow('a');
    for (const one of all) {
      await soon(() => one.events.length).toBeGreaterThanOrEqual(4);
      const others = all.filter((other) => other !== one).map(({ worker }) => `${worker} begins a after 0`);
      expect(one.events.filter((event) => event.includes('begins')).sort()).toEqual(others.sort());
      one.publish('a', text(`from ${one.worker}`));
    }
    for (const one of all) {
      await soon(() => one.textsOf('a').length).toBe(4);
      expect(one.textsOf('a')).not.toContain(`from ${one.worker}`);
    }
  });

  it('that is replaced is gone at once, and its replacement is connected to all', async () => {
    const folder = folderOf();
    const [one, two, three] = (await startAll(3, folder)) as [Node, Node, Node];
    await one.follows('a', [two, three]);
    await two.mesh.close();
    await soon(() => [one, three].map(({ events }) => events.at(-1))).toEqual(['2 is gone', '2 is gone']);
    const again = await start(folder, 2, 3);
    await again.follows('a', [one, three]);
    again.publish('a', text('I am back'));
    one.publish('a', text('welcome'));
    await soon(() => [one.textsOf('a'), again.textsOf('a')]).toEqual([['I am back'], ['welcome']]);
  });

  it('learn which rooms and members one has that was there before', async () => {
    const folder = folderOf();
    const one = await start(folder, 1, 2);
    one.states.set('a', { last: 7, sentAt: 5, size: 3 });
    one.mesh.follow('a');
    const two = await start(folder, 2, 2);
    await soon(() => two.sizes.get('1 a')).toBe(3);
    expect(two.mesh.isFollowed('a')).toBe(true);
    two.mesh.follow('a');
    await soon(() => two.events).toContain('1 begins a after 7');
  });

  it('tell each other the names of members, also those that come later', async () => {
    const folder = folderOf();
    const one = await start(folder, 1, 3);
    const two = await start(folder, 2, 3);
    const names = [
      { name: 'ana', since: 1_700_000_000_123, alone: false },
      { name: '你好'.repeat(21), since: 5, alone: false },
      { name: '', since: 0, alone: true },
    ];
    one.own.set('a', names);
    one.own.set('b', []);
    for (const room of ['a', 'b']) one.mesh.follow(room);
    const beat = { node: one.node, last: new Map(), sentAt: new Map(), sizes: new Map() };
    one.mesh.beat({ ...beat, names: one.own });
    await soon(() => two.names).toEqual(
      new Map([
        ['1 a', names],
        ['1 b', []],
      ]),
    );
    const three = await start(folder, 3, 3);
    await soon(() => three.names).toEqual(new Map([['1 a', names]]));
    one.own.set('a', []);
    one.mesh.beat({ ...beat, names: one.own });
    await soon(() => [two, three].map((node) => node.names.get('1 a'))).toEqual([[], []]);
  });

  it('start although another one does not respond', async () => {
    const folder = folderOf();
    const listener = await runtimeTransport.listen(new UnixAddress(join(folder, '2')), {
      backlog: 1,
      accept: () => undefined,
      failed: () => undefined,
    });
    const one = await start(folder, 1, 2);
    expect(one.mesh.isFollowed('a')).toBe(false);
    await listener.close();
  });

  it('disconnect one that speaks another language, and go on', async () => {
    const folder = folderOf();
    const [one, two] = (await startAll(2, folder)) as [Node, Node];
    await two.follows('a', [one]);
    const wrong = [
      Buffer.from('GET / HTTP/1.1\r\n\r\n'),
      Buffer.from([0, 0, 0, 0]),
      Buffer.from([0, 0, 0, 2, 1, 99]),
      batchPacket({ node: 'x', first: 1, ...batchOf('a', [text('not greeted')]) }),
      Buffer.concat([
        helloPacket({ worker: 1, node: 'x' }),
        batchPacket({ node: 'x', first: 1, ...batchOf('a', [text('unreadable')]) }),
      ]),
      Buffer.concat([
        helloPacket({ worker: 1, node: 'x' }),
        batchPacket({ node: 'x', ...batchOf('a', [text('impossible')]), first: Number.POSITIVE_INFINITY }),
      ]),
      Buffer.concat([helloPacket({ worker: 1, node: 'x' }), Buffer.from([0, 0, 0, 3, 5, 200, 1])]),
    ];
    for (const bytes of wrong) {
      const socket = connect(join(folder, '2')).on('error', () => undefined);
      await new Promise((resolve) => socket.on('close', resolve).resume().write(bytes));
    }
    // Some said that they were worker 1: it is connected again soon.
    await soon(() => {
      one.publish('a', text('still here'));
      return two.textsOf('a').length;
    }).toBeGreaterThan(0);
    // Whatever was sent meanwhile is known to have been sent.
    expect(two.batches[0]?.first).toBe(1 + Number(/after (\d+)$/.exec(two.events.at(-1) ?? '')?.[1]));
  });

  it('disconnect strangers that say nothing, too much, or that they are somebody else', async () => {
    const folder = folderOf();
    const [one, two] = (await startAll(2, folder)) as [Node, Node];
    await two.follows('a', [one]);
    const strangers: Socket[] = [];
    let closed = 0;
    const stranger = (bytes?: Buffer) => {
      const socket = connect(join(folder, '1')).on('error', () => undefined);
      socket.on('close', () => closed++).resume();
      if (bytes) socket.write(bytes);
      strangers.push(socket);
    };
    onTestFinished(() => strangers.forEach((socket) => void socket.destroy()));
    const tooLong = Buffer.alloc(100_000);
    tooLong.writeUInt32BE(1_000_000);
    const refused = [
      tooLong,
      ...[0, 1, 3, 65_535].map((worker) => helloPacket({ worker, node: 'x' })),
      Buffer.concat([helloPacket({ worker: 2, node: two.node }), helloPacket({ worker: 2, node: 'y' })]),
    ];
    for (const bytes of refused) stranger(bytes);
    await soon(() => closed).toBe(refused.length);
    for (let count = 0; count < 200; count++) stranger();
    await soon(() => closed).toBeGreaterThan(refused.length + 150);
    await soon(() => {
      one.publish('a', text('still here'));
      return two.textsOf('a').length;
    }).toBeGreaterThan(0);
  });
});

describe('batches', () => {
  it('arrive whole and in order, with all that a message has, whatever its size', async () => {
    const [one, two] = (await startAll(2)) as [Node, Node];
    one.busBuffer = 100_000_000;
    await two.follows('你好', [one]);
    const sent = [text('ä'), text('x'.repeat(3_000_000)), text('')];
    for (const message of sent) one.publish('你好', message);
    one.publish('你好', ...sent);
    one.publish('你好', ...sent);
    await soon(() => two.batches.length).toBe(5);
    const texts = sent.map(({ message }) => message);
    expect(two.textsOf('你好')).toEqual([...texts, ...texts, ...texts]);
    expect(two.batches.map(({ node, room, first, time }) => [node, room, first, time])).toEqual(
      [1, 2, 3, 4, 7].map((first) => [one.node, '你好', first, 5]),
    );
  });

  it('go only to workers that follow the room', async () => {
    const [one, two, three] = (await startAll(3)) as [Node, Node, Node];
    await two.follows('a', [one]);
    await three.follows('b', [one]);
    one.publish('a', text('to a'));
    one.publish('b', text('to b'));
    await soon(() => [two.batches.length, three.batches.length]).toEqual([1, 1]);
    expect([two.textsOf('a'), three.textsOf('b')]).toEqual([['to a'], ['to b']]);
    two.mesh.unfollow('a');
    await soon(() => one.events).toContain('nobody follows a');
    expect(one.mesh.isFollowed('a')).toBe(false);
  });

  it('for a worker that does not read are lost above the limit, which the numbers show exactly', async () => {
    const folder = folderOf();
    const one = await start(folder, 1, 2);
    one.busBuffer = 50_000;
    // A worker that says hello and follows the room, but reads nothing.
    const stuck = await connectStuck(folder, 'a');
    await soon(() => one.mesh.isFollowed('a')).toBe(true);
    const states = new Set<string>();
    for (let number = 1; number <= 2000; number++) {
      one.publish('a', text('x'.repeat(1000)));
      if (number % 20 === 0) await new Promise((resolve) => setImmediate(resolve));
      states.add(one.mesh.state);
    }
    expect(states).toContain('full');
    const { last, received, numbers } = await stuck.readAll(() => one.stateOf('a').last);
    expect(received).toBeLessThan(2000);
    expect(received).toBeGreaterThan(50);
    // All that was lost is after what was received, and the last number tells how much.
    expect(numbers).toEqual(Array.from({ length: received }, (_, index) => index + 1));
    expect(last).toBe(2000);
    await soon(() => one.mesh.state).toBe('ready');
    expect(one.events).toContain('drained');
  });

  it('of one turn are all sent to a worker that has read everything before', async () => {
    const [one, two] = (await startAll(2)) as [Node, Node];
    one.busBuffer = 50_000;
    await two.follows('a', [one]);
    for (let number = 0; number < 15; number++) one.publish('a', text('x'.repeat(10_000)));
    await soon(() => two.batches.length).toBe(15);
    // More than four times the limit is too much, even so.
    for (let number = 0; number < 100; number++) one.publish('a', text('x'.repeat(10_000)));
    await soon(() => two.events).toContain('1 sent 115 to a');
    expect(two.batches.length).toBeLessThan(40);
  });

  it('that wait for another worker are counted as memory until it has read them', async () => {
    const folder = folderOf();
    const one = await start(folder, 1, 2);
    const stuck = await connectStuck(folder, 'a');
    await soon(() => one.mesh.isFollowed('a')).toBe(true);
    const waiting = () => one.waitingBytes + one.keptMemory.reduce((sum: number, memory) => sum + sizeOf(memory), 0);
    for (let number = 0; number < 300; number++) {
      one.publish('a', text('x'.repeat(10_000)));
      await new Promise((resolve) => setImmediate(resolve));
    }
    // The limit, and what the kernel has accepted.
    expect(waiting()).toBeGreaterThan(900_000);
    expect(waiting()).toBeLessThan(1_300_000);
    await stuck.readAll(() => one.stateOf('a').last);
    await soon(waiting).toBe(0);
  });

  it('for a worker that does not read hold up senders only for a moment', async () => {
    const folder = folderOf();
    const one = await start(folder, 1, 2);
    one.busBuffer = 50_000;
    await connectStuck(folder, 'a');
    await soon(() => one.mesh.isFollowed('a')).toBe(true);
    const states = new Set<string>();
    for (let number = 0; number < 100; number++) {
      one.publish('a', text('x'.repeat(10_000)));
      await new Promise((resolve) => setImmediate(resolve));
      states.add(one.mesh.state);
    }
    expect(states).toContain('full');
    await soon(() => one.mesh.state).toBe('ready');
    one.publish('a', text('x'.repeat(10_000)));
    await new Promise((resolve) => setImmediate(resolve));
    expect(one.mesh.state).toBe('ready');
  });
});

describe('rooms', () => {
  it('may come and go by the thousand', async () => {
    const [one, two] = (await startAll(2)) as [Node, Node];
    for (let round = 0; round < 3; round++) {
      for (let room = 0; room < 20_000; room++) two.mesh.follow(`room ${room}`);
      for (let room = 0; room < 20_000; room += 2) two.mesh.unfollow(`room ${room}`);
      await new Promise((resolve) => setImmediate(resolve));
    }
    await soon(() => one.mesh.isFollowed('room 19999')).toBe(true);
    await soon(() => one.mesh.isFollowed('room 19998')).toBe(false);
    one.publish('room 1', text('one'));
    await soon(() => two.textsOf('room 1')).toEqual(['one']);
  });
});

describe('the folder', () => {
  it('is private, and nothing is left of it', async () => {
    const folder = folderOf();
    expect(statSync(folder).mode & 0o777).toBe(0o700);
    const [one, two] = (await startAll(2, folder)) as [Node, Node];
    expect(readdirSync(folder).sort()).toEqual(['1', '2']);
    await one.mesh.close();
    await two.mesh.close();
    expect(readdirSync(folder)).toEqual([]);
    removeMeshFolder(folder);
    expect(existsSync(folder)).toBe(false);
  });

  it('is made again when something has removed it, and not used when others may enter it', async () => {
    const folder = folderOf();
    const [one, two, three] = (await startAll(3, folder)) as [Node, Node, Node];
    removeMeshFolder(folder);
    await two.mesh.close();
    const again = await start(folder, 2, 3);
    // Those that were there find it.
    again.mesh.follow('a');
    await soon(() => [one, three].map(({ mesh }) => mesh.isFollowed('a'))).toEqual([true, true]);
    chmodSync(folder, 0o755);
    const refused = new Mesh({ folder, worker: 3, workers: 3 }).start(new Node(folder, 3, 3));
    await expect(refused).rejects.toThrow('cannot make the folder for the sockets of the workers');
  });

  it('is no link to another folder', async () => {
    const folder = folderOf();
    const link = join(temporaryFolder(), 'link');
    symlinkSync(folder, link);
    const refused = new Mesh({ folder: link, worker: 1, workers: 2 }).start(new Node(link, 1, 2));
    await expect(refused).rejects.toThrow('cannot make the folder for the sockets of the workers');
    expect(readdirSync(folder)).toEqual([]);
  });

  it('is another one for each server', () => {
    const [one, two] = [folderOf(), folderOf()];
    expect(one).not.toBe(two);
    expect(dirname(one)).toBe(dirname(two));
  });

  it.each([
    ['with a path that is too long for a socket', () => makeFolder(join(temporaryFolder(), 'x'.repeat(80)))],
    ['that does not exist', () => join(temporaryFolder(), 'missing')],
  ])('is below /tmp in place of a folder %s', (_what, folder) => {
    const before = process.env.TMPDIR;
    process.env.TMPDIR = folder();
    try {
      expect(folderOf()).toMatch(/^\/tmp\/yodel-\w{6}$/);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
    }
  });
});

/** A worker that follows a room but does not read, until it is asked to. */
async function connectStuck(folder: string, room: string) {
  const node = new Node(folder, 2, 2);
  const connection = await runtimeTransport.connect(new UnixAddress(join(folder, '1')));
  onTestFinished(() => connection.abort());
  const { Link } = await import('../../src/bus/link.ts');
  const numbers: number[] = [];
  let last = 0;
  const link = new Link(connection, {
    limit: 1_048_576,
    keeper: node.keeper,
    memoryChanged: () => undefined,
    follows: () => true,
    stateOf: () => ({ last: 0, sentAt: 0, size: 1 }),
    startOf: () => ({ last: 0, sentAt: 0 }),
    namesOf: () => [],
    received: (link, packet) => {
      if (packet.type === 'hello') link.node = packet.hello.node;
      if (packet.type === 'batch') numbers.push(packet.batch.first);
      if (packet.type === 'news') last = packet.states.get(room)?.last ?? 0;
    },
    fullnessChanged: () => undefined,
    closed: () => undefined,
  });
  link.start();
  connection.pause();
  link.greet({ worker: 2, node: node.node });
  link.changed(room);
  return {
    /** Reads on until it knows the last number. */
    async readAll(lastNumber: () => number) {
      connection.resume();
      await soon(() => last).toBe(lastNumber());
      return { received: numbers.length, numbers, last };
    },
  };
}
