/** Opening, filling and reading journals in tests. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { TcpAddress } from '../../src/address.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import type { Framing } from '../../src/framing/framing.ts';
import type { Protocol } from '../../src/framing/protocol.ts';
import type { Entry, JournalQuery, JournalReader } from '../../src/journal/journal.ts';
import { type JournalOptions, openJournal } from '../../src/journal/sqlite.ts';
import { Verification } from '../../src/journal/verify.ts';
import type { Journaled } from '../../src/session/journaling.ts';
import { frameOf } from '../../src/transcript/frames.ts';
import { protocolFrom, readFraming } from '../../src/transcript/wire.ts';
import { temporaryFolder } from '../support/files.ts';

let lastPort = 1000;

/** A session with the properties that a journal reads. */
export function session(wire: Framing | Protocol = lines(), port = ++lastPort): Journaled {
  const protocol = 'replyFraming' in wire ? wire : protocolFrom(wire);
  const { framing, replyFraming } = protocol;
  const address = new TcpAddress('127.0.0.1', port);
  return {
    ...{ id: port, peer: address, local: new TcpAddress('127.0.0.1', 7878), framing },
    ...{ replyFraming, protocol },
    ...{ endedBy: 'peer', durationMs: 0 },
    ...{ messagesReceived: 0, messagesSent: 0, bytesReceived: 0, bytesSent: 0, queued: 0, unsent: 0, roomsJoined: 0 },
  };
}

function batchOf(framing: Framing, bytes: string | Uint8Array) {
  const limits = { maxMessageLength: 1e9, onTooLong: 'close', encoding: 'binary' } as const;
  return framing.createDecoder(limits).decode(Buffer.from(bytes));
}

export async function open(options: JournalOptions = {}, file = join(temporaryFolder(), 'test.journal')) {
  const journal = await openJournal(file, options);
  onTestFinished(() => journal.close());
  const add = (one: Journaled, text: string) => journal.append(one, batchOf(one.framing, text));
  return { file, journal, add };
}

export async function all<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const list: Item[] = [];
  for await (const item of items) list.push(item);
  return list;
}

export const textOf = ({ bytes }: Pick<Entry, 'bytes'>) => Buffer.from(bytes).toString();

export async function texts(reader: Pick<JournalReader, 'read'>, query: JournalQuery = {}): Promise<string[]> {
  return (await all(reader.read(query))).map(textOf);
}

export async function problemsOf(file: string): Promise<readonly string[]> {
  const verification = new Verification(file);
  await all(verification.run());
  verification.close();
  return verification.problems;
}

/** The frame of a recorded message. */
export function frameOfEntry({ framing, bytes: payload, header, kind, ending }: Entry): Buffer {
  const parts = { payload, header: header.length > 0 ? header : undefined, kind: kind ?? undefined };
  return Buffer.from(frameOf(readFraming(framing), { ...parts, ending: ending ?? undefined }));
}
