/** What is recorded, in which order, and when it is durable. */
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import type { Framing } from '../../src/framing/framing.ts';
import type { Entry, Journal } from '../../src/journal/journal.ts';
import { readJournal } from '../../src/journal/reader.ts';
import { serve } from '../../src/server/server.ts';
import { readFraming } from '../../src/transcript/wire.ts';
import { fc } from '../support/fast-check.ts';
import { all, frameOfEntry, open, problemsOf, session, textOf, texts } from './open.ts';

test('the next commit contains the messages sent after replies, and those that arrived in the meantime', async () => {
  const { journal, add } = await open();
  const [one, two] = [session(), session()];
  const first = add(one, 'a\n');
  const second = add(two, 'b\n');
  await first;
  const third = add(one, 'c\n');
  // Everything in a commit has the same promise.
  expect(third).toBe(second);
  await third;
  // Two messages are expected now, and only one arrives.
  await add(two, 'd\n');
  expect(await texts(journal)).toEqual(['a', 'b', 'c', 'd']);
});

test('replies are recorded soon, even if no message follows', async () => {
  const { journal, add } = await open({ replies: true });
  const one = session();
  await add(one, 'question\n');
  journal.subscriber?.sent?.(one, Buffer.from('answer\n'));
  const entries = await all(journal.read({ to: 2, follow: true }));
  expect(entries.map((entry) => [textOf(entry), entry.direction])).toEqual([
    ['question', 'in'],
    ['answer', 'out'],
  ]);
});

test('replies that become due while the disk is busy are recorded', async () => {
  const { file, journal, add } = await open({ replies: true });
  const one = session();
  await add(one, 'first\n');
  const other = new DatabaseSync(file);
  other.exec('BEGIN IMMEDIATE');
  const second = add(one, 'second\n');
  journal.subscriber?.sent?.(one, Buffer.from('answer\n'));
  await delay(50);
  other.exec('ROLLBACK');
  other.close();
  await second;
  expect((await all(journal.read({ to: 3, follow: true }))).map(textOf)).toEqual(['first', 'second', 'answer']);
});

test.each([1, 3, 4, 5, 1000])('%i messages without a byte are recorded, in one batch', async (count) => {
  const { file, journal, add } = await open();
  await add(session(), '\n'.repeat(count));
  await add(session(), 'not empty\n');
  await add(session(length({ bytes: 2 })), '\0'.repeat(2 * count));
  const none = Array(count).fill('');
  expect(await texts(journal)).toEqual([...none, 'not empty', ...none]);
  expect(await problemsOf(file)).toEqual([]);
});

test('messages are read as they were written, with session and time', async () => {
  const before = Date.now();
  const { journal, add } = await open();
  const [one, two] = [session(), session()];
  await Promise.all([add(one, 'a\nb\n'), add(two, 'c\n'), add(one, 'd\n')]);
  const entries = await all(journal.read());
  expect(entries.map(textOf)).toEqual(['a', 'b', 'c', 'd']);
  expect(entries.map(({ sequence }) => sequence)).toEqual([1, 2, 3, 4]);
  expect(entries.map(({ session }) => session)).toEqual([1, 1, 2, 1]);
  const { time, elapsed, ...rest } = entries[0] as Entry;
  expect(rest).toEqual({
    ...{ sequence: 1, session: 1, run: 1, peer: `127.0.0.1:${one.peer.scheme === 'tcp' ? one.peer.port : 0}` },
    ...{ direction: 'in', framing: 'lines', bytes: new Uint8Array([97]), isTruncated: false, members: null },
    ...{ header: new Uint8Array(), kind: null, ending: null },
  });
  expect(time).toBeGreaterThanOrEqual(before);
  expect(elapsed).toBeGreaterThan(0);
});

test('messages of many sessions are recorded in the order in which they arrived', async () => {
  const { journal, add, file } = await open();
  const sessions = Array.from({ length: 20 }, () => session());
  const expected: string[] = [];
  const done: Promise<void>[] = [];
  for (let round = 0; round < 50; round++) {
    for (const [index, one] of sessions.entries()) {
      expected.push(`${index}:${round}`);
      done.push(add(one, `${index}:${round}\n`));
    }
    if (round % 10 === 0) await done.at(-1);
  }
  await Promise.all(done);
  expect(await texts(journal)).toEqual(expected);
  await journal.close();
  expect(await problemsOf(file)).toEqual([]);
});

describe('frames', () => {
  const kinds = [
    'lines',
    'delimiter:\\0',
    'delimiter:END',
    'length:4',
    'length:2,little,offset=3',
    'length:varint,offset=1',
    'raw',
  ];

  /** What a stream has of messages, as parts and as frames, and what is read back of it. */
  async function recorded(wire: Framing, bytes: Uint8Array, journal: Journal) {
    const decoder = wire.createDecoder({ maxMessageLength: 1e6, onTooLong: 'discard', encoding: 'binary' });
    const sent: { readonly frame: Uint8Array; readonly payload: string; readonly header: string }[] = [];
    const one = session(wire);
    for (const batch of [decoder.decode(Buffer.from(bytes)), decoder.end()]) {
      if (batch.count === 0) continue;
      for (const { frame, bytes: payload, header } of batch) {
        sent.push({ frame: Uint8Array.from(frame), payload: hex(payload), header: hex(header) });
      }
      await journal.append(one, batch);
    }
    const peer = `127.0.0.1:${one.peer.scheme === 'tcp' ? one.peer.port : 0}`;
    return { sent, entries: sent.length === 0 ? [] : await all(journal.read({ peer })) };
  }

  const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');

  /** A frame of `length:varint,offset=1`, with its length in as few bytes as possible. */
  function withShortestLength(frame: Uint8Array): Uint8Array {
    const bytes = [...frame];
    let last = bytes.findIndex((byte, index) => index > 0 && byte < 0x80);
    for (; last > 1 && bytes[last] === 0; last--) {
      bytes.splice(last, 1);
      bytes[last - 1] = (bytes[last - 1] as number) - 0x80;
    }
    return Uint8Array.from(bytes);
  }

  test.each(kinds)('%s: messages and frames are read back byte for byte, unusual ones included', async (name) => {
    const wire = readFraming(name);
    const expected = name.includes('varint') ? withShortestLength : (frame: Uint8Array) => frame;
    const { journal } = await open();
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        const { sent, entries } = await recorded(wire, bytes, journal);
        expect(entries.map(({ bytes: payload, header }) => [hex(payload), hex(header)])).toEqual(
          sent.map(({ payload, header }) => [payload, header]),
        );
        expect(entries.map((entry) => Uint8Array.from(frameOfEntry(entry)))).toEqual(
          sent.map(({ frame }) => expected(frame)),
        );
      }),
      { numRuns: 40 },
    );
  });

  test.each([
    ['0 in two bytes', [0, 128, 0], [0, 0]],
    ['0 in three', [7, 128, 128, 0], [7, 0]],
    ['1 in five', [7, 129, 128, 128, 128, 0, 65], [7, 1, 65]],
  ])('a length that was written longer than necessary is read back in its shortest form: %s', async (_, sent, read) => {
    const { journal } = await open();
    const wire = readFraming('length:varint,offset=1');
    const { entries } = await recorded(wire, Uint8Array.from(sent), journal);
    expect(entries.map((entry) => [...frameOfEntry(entry)])).toEqual([read]);
    expect(withShortestLength(Uint8Array.from(sent))).toEqual(Uint8Array.from(read));
  });
});

test('replies are recorded if configured', async () => {
  const { file, journal, add } = await open({ replies: true });
  const one = session();
  await add(one, 'a\n');
  journal.subscriber.sent?.(one, Buffer.from('A'));
  journal.subscriber.sent?.(one, Buffer.from('A\nB'));
  journal.subscriber.closed?.(one, undefined);
  await journal.close();
  const reader = readJournal(file);
  const entries = await all(reader.read());
  expect(entries.map((entry) => [entry.direction, frameOfEntry(entry).toString()])).toEqual([
    ['in', 'a\n'],
    ['out', 'AA\n'],
    ['out', 'B'],
  ]);
  expect(await all(reader.sessions())).toMatchObject([
    { messagesIn: 1, messagesOut: 2, bytesIn: 1, bytesOut: 3, endedBy: 'peer' },
  ]);
  await reader.close();
});

test('a reply that is too long for the journal does not hide the replies after it', async () => {
  const { journal, add } = await open({ replies: true });
  const one = session(length());
  const tooLong = 2 ** 30 + 1;
  const chunk = Buffer.alloc(4 + tooLong + 6);
  chunk.writeUInt32BE(tooLong);
  chunk.write('\0\0\0\x02hi', 4 + tooLong);
  journal.subscriber.sent?.(one, chunk);
  await add(one, '\0\0\0\x01a');
  expect(await texts(journal)).toEqual(['hi', 'a']);
});

test('maxMessage truncates long messages and marks them', async () => {
  const { journal, add } = await open({ maxMessage: 4 });
  await add(session(), 'long text\nabcd\n');
  const entries = await all(journal.read());
  expect(entries.map((entry) => [textOf(entry), entry.isTruncated])).toEqual([
    ['long', true],
    ['abcd', false],
  ]);
});

test.each(['full', 'normal', 'off'] as const)('durability %s records every message', async (durability) => {
  const { journal, add, file } = await open({ durability });
  for (let index = 0; index < 100; index++) await add(session(), `${index}\n`);
  await journal.close();
  const reader = readJournal(file);
  expect(await texts(reader)).toEqual(Array.from({ length: 100 }, (_, index) => String(index)));
  await reader.close();
});

test('a server refuses a message limit above that of its journal', async () => {
  const { journal } = await open();
  const serving = serve({ listen: 'tcp://127.0.0.1:0', journal, maxMessageLength: 1_073_741_824 });
  await expect(serving).rejects.toMatchObject({
    code: 'YODEL_INVALID_OPTION',
    message: expect.stringMatching(/at most 999999000/),
  });
});
