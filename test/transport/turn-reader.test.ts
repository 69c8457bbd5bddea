import { setImmediate as turn } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { TurnReader, type TurnReading } from '../../src/transport/turn-reader.ts';

const kilobytes = 1024;

/** Bytes that tell where they are from. */
function chunkOf(size: number, from = 0): Uint8Array {
  const chunk = new Uint8Array(size);
  for (let at = 0; at < size; at++) chunk[at] = (from + at) % 251;
  return chunk;
}

/** The time of `performance.now`: it passes only by {@link work}. */
let now = 1000;

function work(milliseconds: number): void {
  now += milliseconds;
}

/** A connection that writes down what happens to it. */
class Fake implements TurnReading {
  readonly events: string[] = [];
  readonly received: Uint8Array[] = [];
  readonly reader = new TurnReader(this);
  chunksAreBorrowed = false;
  isReading = true;
  /** Bytes that are counted now. */
  counted = 0;
  recounted = 0;
  /** What the receiver does with a piece. */
  act: (bytes: Uint8Array) => void = () => undefined;
  readonly keeper = {
    kept: (_: object, size: number) => {
      this.counted += size;
    },
    freed: (memory: object) => {
      this.counted -= (memory as ArrayBuffer).byteLength;
    },
    recount: () => {
      this.recounted = this.counted;
    },
  };

  get bytes(): Uint8Array {
    return Buffer.concat(this.received);
  }

  deliver(bytes: Uint8Array): void {
    this.events.push('piece');
    this.received.push(Buffer.from(bytes));
    this.act(bytes);
  }

  ended(): void {
    if (!this.reader.postponesEnd()) this.events.push('end');
  }

  stopSocket(): void {
    this.events.push('stop');
  }

  resumeSocket(): void {
    this.events.push('resume');
  }
}

/** Resolves when the connection has been delivered this many bytes; the turns of the event loop are among its events. */
async function whenDelivered(connection: Fake, bytes: number): Promise<void> {
  for (let turns = 0; connection.bytes.length < bytes && turns < 1000; turns++) {
    connection.events.push('turn');
    await turn();
  }
}

afterEach(() => {
  vi.restoreAllMocks();
});

beforeEach(async () => {
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  // The turn of the test before is over.
  for (let turns = 0; turns < 4; turns++) await turn();
});

describe('a chunk', () => {
  test('whose bytes take long is delivered in pieces, between which others are read', async () => {
    const connection = new Fake();
    connection.act = () => work(2);
    const chunk = chunkOf(512 * kilobytes);
    connection.reader.receive(chunk);
    expect(connection.bytes.length).toBeLessThan(chunk.length);
    expect(connection.reader.awaitsTurn).toBe(true);
    await whenDelivered(connection, chunk.length);
    const { events } = connection;
    expect(connection.bytes).toEqual(Buffer.from(chunk));
    // Each piece has a turn of its own, except perhaps the second one.
    expect(events.join(' ').replace('piece piece', 'piece')).not.toContain('piece piece');
    expect(events.filter((event) => event === 'turn').length).toBeGreaterThan(4);
    // Nothing is read meanwhile.
    await turn();
    await turn();
    expect(events.filter((event) => event === 'resume')).toHaveLength(1);
    expect(events.lastIndexOf('piece')).toBeLessThan(events.indexOf('resume'));
    expect(connection.counted).toBe(0);
  });

  test('whose bytes take long is copied as far as it is kept, if it is borrowed', async () => {
    const connection = new Fake();
    connection.chunksAreBorrowed = true;
    connection.act = () => work(2);
    const first = chunkOf(64 * kilobytes);
    const second = chunkOf(64 * kilobytes, 64 * kilobytes);
    const expected = Buffer.concat([first, second]);
    connection.reader.receive(first);
    connection.reader.receive(second);
    second.fill(255);
    await whenDelivered(connection, expected.length);
    expect(connection.bytes).toEqual(expected);
  });

  test('whose bytes take no time is delivered at once', () => {
    const connection = new Fake();
    const chunk = chunkOf(256 * kilobytes);
    connection.reader.receive(chunk);
    expect(connection.received.map(({ length }) => length / kilobytes)).toEqual([64, 64, 64, 64]);
    connection.act = () => work(0.01);
    connection.received.length = 0;
    connection.reader.receive(chunk);
    connection.reader.receive(chunk);
    // The first piece taught how long they take.
    expect(connection.received.map(({ length }) => length / kilobytes)).toEqual([64, 192, 256]);
  });
});

describe('a connection that is paused in the middle of a chunk', () => {
  function paused(): { connection: Fake; chunk: Uint8Array } {
    const connection = new Fake();
    const chunk = chunkOf(300 * kilobytes);
    connection.act = () => {
      connection.isReading = false;
    };
    connection.reader.receive(chunk);
    connection.act = () => undefined;
    expect(connection.bytes.length).toBe(64 * kilobytes);
    return { connection, chunk };
  }

  test('gets the rest when it is resumed, and not within that call', async () => {
    const { connection, chunk } = paused();
    await turn();
    await turn();
    expect(connection.bytes.length).toBe(64 * kilobytes);
    connection.isReading = true;
    connection.reader.resume();
    expect(connection.bytes.length).toBe(64 * kilobytes);
    expect(connection.reader.awaitsTurn).toBe(true);
    await whenDelivered(connection, chunk.length);
    expect(connection.bytes).toEqual(Buffer.from(chunk));
    expect(connection.events.at(-1)).toBe('resume');
  });

  test('counts what it keeps', async () => {
    const { connection, chunk } = paused();
    expect(connection.recounted).toBe(chunk.length);
    connection.isReading = true;
    connection.reader.resume();
    await whenDelivered(connection, chunk.length);
    expect(connection.counted).toBe(0);
  });

  test('gets what arrives meanwhile after the rest', async () => {
    const { connection, chunk } = paused();
    const more = chunkOf(100, chunk.length);
    connection.reader.receive(more);
    connection.isReading = true;
    connection.reader.resume();
    await whenDelivered(connection, chunk.length + more.length);
    expect(connection.bytes).toEqual(Buffer.concat([chunk, more]));
  });

  test('gets the end after the rest, even if it is paused again by the last piece', async () => {
    const { connection, chunk } = paused();
    connection.ended();
    connection.act = () => {
      if (connection.bytes.length === chunk.length) connection.isReading = false;
    };
    connection.isReading = true;
    connection.reader.resume();
    await whenDelivered(connection, chunk.length);
    expect(connection.events).not.toContain('end');
    connection.isReading = true;
    connection.reader.resume();
    await turn();
    await turn();
    expect(connection.events.filter((event) => event === 'end')).toHaveLength(1);
  });

  test('gets the rest before it is closed', () => {
    const { connection, chunk } = paused();
    connection.reader.closed();
    expect(connection.bytes).toEqual(Buffer.from(chunk));
    expect(connection.counted).toBe(0);
  });

  test('gets nothing more after it was released', async () => {
    const { connection } = paused();
    connection.reader.drop();
    connection.isReading = true;
    connection.reader.resume();
    connection.reader.closed();
    await turn();
    await turn();
    expect(connection.bytes.length).toBe(64 * kilobytes);
    expect(connection.counted).toBe(0);
  });
});
