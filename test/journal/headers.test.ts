/** Headers, kinds and endings in journals, and in those of version 1. */

import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { length } from '../../src/framing/counted/length.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import type { Framing } from '../../src/framing/framing.ts';
import { encode } from '../../src/framing/framing.ts';
import { Message } from '../../src/framing/message.ts';
import { protocolNamed } from '../../src/framing/protocols/protocols.ts';
import { websocket } from '../../src/framing/websocket.ts';
import type { Entry } from '../../src/journal/journal.ts';
import { readJournal } from '../../src/journal/reader.ts';
import { transcriptOf } from '../../src/journal/transcripts.ts';
import { protocolFrom, readFraming } from '../../src/transcript/wire.ts';
import { fc } from '../support/fast-check.ts';
import { temporaryFolder } from '../support/files.ts';
import { unusualFrames } from '../transcript/framings.ts';
import { all, frameOfEntry, open, problemsOf, session, textOf } from './open.ts';
import { writeVersion1 } from './version-1.ts';

const shown = ({ direction, header, kind, bytes, ending }: Entry) => [
  direction,
  Buffer.from(header).toString('hex'),
  kind,
  Buffer.from(bytes).toString(),
  ending && Buffer.from(ending).toString(),
];

function batchOf(framing: Framing, ...frames: readonly Uint8Array[]) {
  const limits = { maxMessageLength: 1e9, onTooLong: 'close', encoding: 'binary' } as const;
  return framing.createDecoder(limits).decode(Buffer.concat(frames));
}

test('each direction is recorded in its framing, with headers', async () => {
  const { file, journal } = await open({ replies: true });
  const requests = length({ bytes: 2, offset: 2 });
  const one = session(protocolFrom(requests, lines()));
  await journal.append(one, batchOf(requests, Buffer.from('000100026869', 'hex')));
  journal.subscriber.sent?.(one, Buffer.from('hello\r\n'));
  journal.subscriber.closed?.(one, undefined);
  await journal.close();
  const reader = readJournal(file);
  const entries = await all(reader.read());
  expect(entries.map(shown)).toEqual([
    ['in', '0001', null, 'hi', null],
    ['out', '', null, 'hello', '\r\n'],
  ]);
  expect(entries.map(({ framing }) => framing)).toEqual(['length:2,offset=2', 'lines']);
  const [recorded] = await all(reader.sessions());
  expect(recorded).toMatchObject({ framing: 'length:2,offset=2', replyFraming: 'lines', protocol: null, bytesIn: 2 });
  const text = (await all(transcriptOf(recorded as NonNullable<typeof recorded>, reader.read()))).join('');
  expect(text.split('\n').slice(1)).toEqual([
    ...['@framing length:2,offset=2', '@reply-framing lines', '>h 00 01 | hi', '@ending crlf', '< hello'],
    ...['@close', '@closed', ''],
  ]);
  await reader.close();
  expect(await problemsOf(file)).toEqual([]);
});

test('replies are decoded with what the requests said', async () => {
  const { journal } = await open({ replies: true });
  const smtp = protocolNamed('smtp');
  const one = session(smtp);
  const state = smtp.createState?.();
  const decoder = smtp.framing.createDecoder({ maxMessageLength: 1e6, onTooLong: 'close', encoding: 'binary' }, state);
  const replies = smtp.replyFraming.createDecoder(
    { maxMessageLength: 1e6, onTooLong: 'close', encoding: 'binary' },
    state,
  );
  const says = (text: string) => journal.append(one, decoder.decode(Buffer.from(text)));
  const answers = (text: string) => {
    replies.decode(Buffer.from(text));
    journal.subscriber.sent?.(one, Buffer.from(text));
  };
  answers('220 ready\r\n');
  await says('EHLO me\r\n');
  answers('250-hello\r\n250 SIZE\r\n');
  await says('DATA\r\n');
  answers('354 go\r\n');
  await says('Subject: x\r\n\r\n..hi\r\n.\r\n');
  answers('250 kept\r\n');
  await says('QUIT\r\n');
  const entries = await all(journal.read({ to: 8, follow: true }));
  expect(entries.map(({ direction, bytes }) => `${direction} ${Buffer.from(bytes)}`)).toEqual([
    ...['out 220 ready', 'in EHLO me', 'out 250-hello\r\n250 SIZE', 'in DATA', 'out 354 go'],
    ...['in Subject: x\r\n\r\n.hi', 'out 250 kept', 'in QUIT'],
  ]);
  expect(await all(journal.sessions())).toMatchObject([{ protocol: 'smtp' }]);
});

describe('many messages in one chunk', () => {
  const message = fc.record({
    header: fc.uint8Array({ minLength: 3, maxLength: 3 }),
    payload: fc.uint8Array({ maxLength: 30 }),
    kind: fc.constantFrom('text' as const, 'binary' as const),
  });
  const framings: readonly Framing[] = [length({ bytes: 1, offset: 1, after: 2 }), websocket, readFraming('lines')];

  test.each(framings.map((framing) => [framing.name, framing] as const))('%s', async (_, framing) => {
    const { file, journal } = await open();
    await fc.assert(
      fc.asyncProperty(fc.array(message, { minLength: 1, maxLength: 12 }), async (messages) => {
        const frames = messages
          .filter(({ payload }) => framing.name !== 'lines' || !payload.includes(10))
          .map(({ payload, header, kind }) => encode(framing, Message.of(payload, { header, kind })));
        if (frames.length === 0) return;
        const one = session(framing);
        await journal.append(one, batchOf(framing, ...frames));
        const peer = `127.0.0.1:${one.peer.scheme === 'tcp' ? one.peer.port : 0}`;
        const entries = await all(journal.read({ peer }));
        expect(entries.map((entry) => frameOfEntry(entry).toString('hex'))).toEqual(
          frames.map((frame) => Buffer.from(frame).toString('hex')),
        );
      }),
      { numRuns: 60 },
    );
    await journal.close();
    expect(await problemsOf(file)).toEqual([]);
  });
});

test.each(unusualFrames)('%s: every frame reads back', async (name, frames) => {
  const { journal } = await open();
  const framing = readFraming(name);
  const bytes = frames.map((frame) => Buffer.from(frame, 'latin1'));
  await journal.append(session(framing), batchOf(framing, ...bytes));
  const entries = await all(journal.read());
  expect(entries.map((entry) => frameOfEntry(entry).toString('latin1'))).toEqual(frames);
});

test('long payloads are cut, and headers are not', async () => {
  const framing = length({ bytes: 2, offset: 2 });
  const { journal } = await open({ maxMessage: 3 });
  const frames = ['0001', '0002'].map((id) => encode(framing, Message.of('hello', { header: Buffer.from(id, 'hex') })));
  await journal.append(session(framing), batchOf(framing, ...frames));
  expect((await all(journal.read())).map(shown)).toEqual([
    ['in', '0001', null, 'hel', null],
    ['in', '0002', null, 'hel', null],
  ]);
});

describe('a journal of version 1', () => {
  const framings = ['lines', 'length:2,offset=2,inclusive', 'websocket'];
  const messages = [
    [1, 1, 0, 'a', null],
    [2, 1, 1, 'b', Buffer.from('\r\n')],
    [3, 1, 0, 'c', new Uint8Array()],
    [4, 2, 0, 'd', Buffer.from([0, 7])],
    [5, 2, 1, 'e', null],
    [6, 3, 0, 'f', Buffer.from([2])],
    [7, 3, 1, 'g', Buffer.from([1])],
  ] as const;
  const expected = [
    ['in', '', null, 'a', null],
    ['out', '', null, 'b', '\r\n'],
    ['in', '', null, 'c', ''],
    ['in', '0007', null, 'd', null],
    ['out', '0000', null, 'e', null],
    ['in', '', 'binary', 'f', null],
    ['out', '', 'text', 'g', null],
  ];

  test('is read as it is', async () => {
    const file = join(temporaryFolder(), 'old.journal');
    writeVersion1(file, framings, messages);
    const reader = readJournal(file);
    expect((await all(reader.read())).map(shown)).toEqual(expected);
    expect(await all(reader.sessions())).toMatchObject([
      { framing: 'lines', replyFraming: 'lines', protocol: null, messagesIn: 2, messagesOut: 1 },
      // Then the length counted the whole frame.
      { framing: 'length:2,offset=2,counts=frame' },
      { framing: 'websocket' },
    ]);
    await reader.close();
    expect(await problemsOf(file)).toEqual([]);
    expect(new DatabaseSync(file).prepare('PRAGMA user_version').get()).toEqual({ user_version: 1 });
  });

  test('is continued', async () => {
    const file = join(temporaryFolder(), 'old.journal');
    writeVersion1(file, framings, messages);
    const { journal } = await open({}, file);
    const framing = length({ bytes: 1, offset: 1 });
    await journal.append(session(framing), batchOf(framing, Buffer.from('09016e', 'hex')));
    const entries = await all(journal.read());
    expect(entries.map(shown)).toEqual([...expected, ['in', '09', null, 'n', null]]);
    expect(entries.at(-1)).toMatchObject({ session: 4, run: 2, framing: 'length:1,offset=1' });
    await journal.close();
    expect(await problemsOf(file)).toEqual([]);
    const database = new DatabaseSync(file);
    expect(database.prepare('SELECT text, header FROM conversations WHERE sequence = 8').get()).toEqual({
      ...{ text: 'n', header: '09' },
    });
    database.close();
    expect(entries.map(textOf).join('')).toBe('abcdefgn');
  });
});
