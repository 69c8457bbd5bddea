/** Messages wait for the journal before they are handled: here a journal that the test controls. */
import { expect, test } from 'vitest';
import { YodelError } from '../../src/errors.ts';
import type { Batch } from '../../src/framing/message.ts';
import type { SessionJournal } from '../../src/session/journaling.ts';
import { settled } from '../../src/testing/turns.ts';
import { Harness, serveOneClient } from './harness.ts';

/** Keeps what it records. The test controls when each append resolves. */
class SlowJournal implements SessionJournal {
  readonly texts: string[][] = [];
  readonly #waiting: { resolve(): void; reject(error: unknown): void }[] = [];
  #fail!: (error: YodelError) => void;
  readonly failed = new Promise<YodelError>((resolve) => {
    this.#fail = resolve;
  });

  append(_session: unknown, batch: Batch): Promise<void> {
    this.texts.push(Array.from(batch, ({ text }) => text));
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** Resolves the oldest append, or the one at this index. */
  async settle(at = 0): Promise<void> {
    this.#waiting.splice(at, 1)[0]?.resolve();
    await settled();
  }

  async reject(error: unknown): Promise<void> {
    this.#waiting.shift()?.reject(error);
    await settled();
  }

  async fail(error: YodelError): Promise<void> {
    this.#fail(error);
    await settled();
  }
}

const full = new YodelError('YODEL_NOT_RECORDED', 'the disk is full');

test('a reply is sent when its message is recorded, and not before', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal });
  await peer.says('a\nb\n');
  expect(journal.texts).toEqual([['a', 'b']]);
  expect(harness.writes).toEqual([]);
  await journal.settle();
  expect(harness.writes).toEqual(['a\nb\n']);
});

test('later messages are passed to the journal at once, and answered in order even if they are recorded first', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal, handler: ({ text }) => text.toUpperCase() });
  await peer.says('a\n');
  await peer.says('b\n');
  expect(journal.texts).toEqual([['a'], ['b']]);
  await journal.settle(1);
  expect(harness.writes).toEqual([]);
  await journal.settle();
  expect(harness.writes.join('')).toBe('A\nB\n');
});

test('a slow journal pauses its peer, and resumes it', async () => {
  const journal = new SlowJournal();
  const { peer, harness, session } = await serveOneClient({ journal, highWaterMark: 10 });
  await peer.says(`${'x'.repeat(20)}\n`);
  await peer.says('more\n');
  await peer.says('and more\n');
  expect(session.queued).toBeLessThan(40);
  const before = journal.texts.length;
  await journal.settle();
  while (journal.texts.flat().length < 3) await journal.settle();
  await journal.settle();
  await journal.settle();
  expect(before).toBeLessThan(3);
  expect(harness.writes.join('')).toBe(`${'x'.repeat(20)}\nmore\nand more\n`);
});

test('when the disk is full, each message is answered with the error and not handled, and the session continues', async () => {
  const journal = new SlowJournal();
  const handled: string[] = [];
  const { peer, harness } = await serveOneClient({ journal, handler: ({ text }) => void handled.push(text) });
  await peer.says('a\nb\n');
  await journal.reject(full);
  const reply = 'error: the message was not recorded, and not handled; try again later\n';
  expect(harness.writes.join('')).toBe(reply.repeat(2));
  await peer.says('c\n');
  await journal.settle();
  expect(handled).toEqual(['c']);
  expect(harness.server.counters.errors.get('YODEL_NOT_RECORDED')).toBe(2);
});

test.each([new YodelError('YODEL_JOURNAL_FAILED', 'no disk'), new TypeError('a bug')])(
  'after %s a session is disconnected without a reply',
  async (error) => {
    const journal = new SlowJournal();
    const { peer, harness } = await serveOneClient({ journal });
    await peer.says('a\n');
    await journal.reject(error);
    expect(harness.writes).toEqual([]);
    expect(harness.server.sessions.size).toBe(0);
    expect(harness.server.counters.errors.get('YODEL_JOURNAL_FAILED')).toBe(1);
  },
);

test('when the journal fails, the server disconnects all sessions and closes', async () => {
  const journal = new SlowJournal();
  const harness = await Harness.open({ journal });
  const [idle, busy] = [await harness.connect(), await harness.connect()];
  await busy.says('a\n');
  await journal.fail(new YodelError('YODEL_JOURNAL_FAILED', 'no disk'));
  await harness.passes(1);
  await harness.server.closed;
  expect(harness.writes).toEqual([]);
  expect(idle.closed && busy.closed).toBe(true);
});

test('a peer that has ended still gets its replies', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal });
  await peer.says('a\nb');
  await peer.ends();
  expect(journal.texts).toEqual([['a'], ['b']]);
  await journal.settle();
  await journal.settle();
  expect(harness.writes.join('')).toBe('a\nb');
  expect(harness.server.sessions.size).toBe(0);
});

test('a shutdown waits for the messages that are being recorded', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal });
  await peer.says('a\n');
  const closing = harness.server.close({ timeoutMs: 1000 });
  await settled();
  await journal.settle();
  await peer.ends();
  await closing;
  expect(harness.writes).toEqual(['a\n']);
});

test('a fault after recorded messages is reported after their replies', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal, maxMessageLength: 4 });
  await peer.says('a\ntoo long\n');
  expect(harness.writes).toEqual([]);
  await journal.settle();
  expect(harness.writes.join('')).toMatch(/^a\nerror: message 2 is longer/);
});

test('messages above maxMessages are not recorded, and refused after the replies', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal, maxMessages: 2 });
  await peer.says('a\nb\nc\n');
  expect(journal.texts).toEqual([['a', 'b']]);
  expect(harness.writes).toEqual([]);
  await journal.settle();
  expect(harness.writes.join('')).toMatch(/^a\nb\nerror: this connection has reached its limit of 2 messages/);
});

test('the rate limit applies, and a peer above it is refused after its replies', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal, rate: 1, ratePolicy: 'close' });
  await peer.says('a\nb\n');
  expect(journal.texts).toEqual([['a']]);
  await journal.settle();
  expect(harness.writes.join('')).toMatch(/^a\nerror: more than 1 messages per second/);
});

test('a peer that waits for the journal is not idle', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal, idleTimeout: 100 });
  await peer.says('a\n');
  await harness.passes(1000);
  expect(harness.server.sessions.size).toBe(1);
  await journal.settle();
  expect(harness.writes).toEqual(['a\n']);
});

test('a peer that disconnects while it waits leaves nothing behind', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal });
  await peer.says('a\n');
  await peer.aborts();
  await journal.settle();
  expect(harness.writes).toEqual([]);
  expect(harness.server.pendingBytes).toBe(0);
});

test('very many short messages of one chunk are recorded a part at a time, and count as what they cost', async () => {
  const journal = new SlowJournal();
  const { peer, harness } = await serveOneClient({ journal });
  const messages = 20_000;
  await peer.says('\n'.repeat(messages));
  const counts = journal.texts.map(({ length }) => length);
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(messages);
  expect(Math.max(...counts)).toBeLessThan(messages / 10);
  expect(harness.server.pendingBytes).toBeGreaterThan(messages * 40);
  for (let settle = counts.length; settle > 0; settle--) await journal.settle();
  expect(harness.writes.join('')).toBe('\n'.repeat(messages));
});

/** More than the journal takes at once. */
const many = 60_000;

/** Settles one append after another until nothing more is passed to the journal. Returns how many messages it had at most. */
async function settleAll(journal: SlowJournal): Promise<number> {
  let most = 0;
  let settled = 0;
  for (let next = 0; next < journal.texts.length; next++) {
    most = Math.max(most, journal.texts.flat().length - settled);
    settled += journal.texts[next]?.length ?? 0;
    await journal.settle();
  }
  return most;
}

test('what a flood brings waits in its session, and short messages of others are recorded meanwhile', async () => {
  const journal = new SlowJournal();
  const harness = await Harness.open({ journal, highWaterMark: 1_000_000 });
  const [flood, other] = [await harness.connect(), await harness.connect()];
  await flood.says('\n'.repeat(many));
  expect(journal.texts.flat().length).toBeLessThan(many * 0.6);
  await other.says('hi\n');
  expect(journal.texts.at(-1)).toEqual(['hi']);
  await settleAll(journal);
  expect(journal.texts.flat()).toHaveLength(many + 1);
  expect(harness.server.pendingBytes).toBe(0);
});

test('sessions with many messages take turns, and none is lost or reordered', async () => {
  const journal = new SlowJournal();
  const harness = await Harness.open({ journal, highWaterMark: 1_000_000 });
  const letters = ['a', 'b', 'c'];
  const peers = [await harness.connect(), await harness.connect(), await harness.connect()];
  const count = many / 2;
  for (const [at, peer] of peers.entries()) {
    await peer.says(Array.from({ length: count }, (_, number) => `${letters[at]}${number}\n`).join(''));
  }
  const most = await settleAll(journal);
  expect(most).toBeLessThan(many * 0.6);
  for (const letter of letters) {
    const own = journal.texts.flat().filter((text) => text.startsWith(letter));
    expect(own).toEqual(Array.from({ length: count }, (_, number) => `${letter}${number}`));
  }
  const turns = journal.texts.map(([text]) => text?.[0]);
  expect(turns.indexOf('c')).toBeLessThan(turns.lastIndexOf('b'));
});

test('a flood whose client has left leaves only what was passed to the journal', async () => {
  const journal = new SlowJournal();
  const harness = await Harness.open({ journal, highWaterMark: 1_000_000 });
  const [flood, other] = [await harness.connect(), await harness.connect()];
  await flood.says('\n'.repeat(many));
  await flood.aborts();
  const passed = journal.texts.flat().length;
  await settleAll(journal);
  expect(journal.texts.flat()).toHaveLength(passed);
  await other.says('hi\n');
  await settleAll(journal);
  expect(harness.writes.at(-1)).toBe('hi\n');
});

test('a message that is refused after many waits for its turn as they do', async () => {
  const journal = new SlowJournal();
  const harness = await Harness.open({ journal, highWaterMark: 1_000_000, rate: 40_000, ratePolicy: 'close' });
  const [flood, other] = [await harness.connect(), await harness.connect()];
  await flood.says('\n'.repeat(33_000));
  await other.says('\n'.repeat(100));
  await settleAll(journal);
  expect(harness.writes.join('')).toBe('\n'.repeat(33_100));
  expect(harness.server.sessions.size).toBe(2);
});
