/** Clients with different framings in one room: every message reaches every client in that client's own framing. */
import { once } from 'node:events';
import { expect, onTestFinished, test } from 'vitest';
import { WebSocket } from 'ws';
import type { Address, TcpAddress } from '../../src/address.ts';
import { length } from '../../src/framing/counted/length.ts';
import { lines } from '../../src/framing/delimited/lines.ts';
import { decodeChunk, encode, type Framing } from '../../src/framing/framing.ts';
import { defineFraming } from '../../src/framing/own/define.ts';
import { type Server, serve } from '../../src/server/server.ts';
import type { Session } from '../../src/session/public-session.ts';
import { stuffed } from '../framing/own/framings.ts';
import { dial } from '../support/peer.ts';
import { waitUntil } from '../support/process/process.ts';

/** A client of the room, as its user sees it. */
interface Member {
  readonly name: string;
  send(text: string): void;
  /** What arrived so far. */
  received(): readonly string[];
  readonly isOpen: () => boolean;
}

const decoderOptions = { maxMessageLength: 65_536, onTooLong: 'close', encoding: 'binary' } as const;

async function tcpMember(name: string, port: number, framing: Framing, ending?: string): Promise<Member> {
  const peer = await dial(port);
  let isOpen = true;
  void peer.closed.then(() => {
    isOpen = false;
  });
  return {
    name,
    isOpen: () => isOpen,
    send: (text) => void peer.send(ending === undefined ? encode(framing, text) : text + ending),
    received() {
      const decoder = framing.createDecoder(decoderOptions);
      const messages = [...decodeChunk(decoder, peer.received)].flatMap((batch) => [...batch]);
      // The ending of each line is the one that the client uses itself, once it has sent one.
      const lines = messages.filter(({ text }) => ending !== undefined && text !== 'first');
      for (const { terminator } of lines) expect(Buffer.from(terminator).toString()).toBe(ending);
      return messages.map(({ text }) => text);
    },
  };
}

async function webMember(name: string, port: number, isBinary: boolean): Promise<Member> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
  onTestFinished(() => socket.terminate());
  const received: string[] = [];
  socket.on('message', (data) => void received.push(String(data)));
  await once(socket, 'open');
  return {
    name,
    isOpen: () => socket.readyState === socket.OPEN,
    send: (text) => socket.send(Buffer.from(text), { binary: isBinary }),
    received: () => received,
  };
}

interface Room {
  readonly members: readonly Member[];
  readonly servers: readonly Server[];
  readonly undelivered: string[];
}

/** All clients are of one server, or of two with different framings whose sessions share a room. */
async function openRoom(): Promise<Room> {
  const all = new Set<Session>();
  const undelivered: string[] = [];
  const handler = {
    open: (session: Session) => void all.add(session),
    message(message: Parameters<Session['send']>[0], from: Session) {
      for (const other of all) if (other !== from) other.send(message);
    },
    close: (session: Session) => void all.delete(session),
  };
  const telemetry = {
    undelivered: (session: { readonly peer: Address }) => void undelivered.push(String(session.peer)),
  };
  const mixed = await serve({ listen: ['tcp://127.0.0.1:0', 'ws://127.0.0.1:0'], handler, telemetry });
  const prefixed = await serve({ listen: 'tcp://127.0.0.1:0', framing: 'length:2', handler, telemetry });
  const escaping = defineFraming(stuffed);
  const own = await serve({ listen: 'tcp://127.0.0.1:0', framing: escaping, handler, telemetry });
  const servers = [mixed, prefixed, own];
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.close({ timeoutMs: 0 })))));
  const [plain, web] = mixed.addresses.map((address) => (address as TcpAddress).port) as [number, number];
  const members = await Promise.all([
    tcpMember('LF', plain, lines(), '\n'),
    tcpMember('CRLF', plain, lines(), '\r\n'),
    tcpMember('length', (prefixed.addresses[0] as TcpAddress).port, length({ bytes: 2 })),
    tcpMember('own framing', (own.addresses[0] as TcpAddress).port, escaping),
    webMember('WebSocket text', web, false),
    webMember('WebSocket binary', web, true),
  ]);
  await waitUntil('all clients are in the room', () => all.size === members.length);
  // The server learns a client's line ending from its first line.
  for (const one of members.slice(0, 2)) one.send('first');
  await waitUntil('all received it', () =>
    members.every(({ received }, index) => received().length === (index < 2 ? 1 : 2)),
  );
  return { members, servers, undelivered };
}

test('a message of each client reaches each other one', async () => {
  const { members } = await openRoom();
  for (const member of members) member.send(`grüezi von ${member.name} 😀`);
  const isComplete = ({ received }: Member) =>
    received().filter((text) => text.startsWith('grüezi')).length === members.length - 1;
  await waitUntil('all arrived', () => members.every(isComplete));
  for (const member of members) {
    const others = members.filter((other) => other !== member).map(({ name }) => `grüezi von ${name} 😀`);
    const received = member.received().filter((text) => text !== 'first');
    expect(received.toSorted()).toEqual(others.toSorted());
  }
});

test('what some clients cannot receive is counted for them, delivered to the others, and closes nobody', async () => {
  const room = await openRoom();
  const { members, servers, undelivered } = room;
  const sender = members.find(({ name }) => name === 'WebSocket text') as Member;
  sender.send('two\nlines');
  sender.send('after it');
  await waitUntil('all others received the next message', () =>
    members.every((member) => member === sender || member.received().includes('after it')),
  );
  for (const member of members) {
    const canReceive = member !== sender && !['LF', 'CRLF'].includes(member.name);
    expect(member.received().includes('two\nlines')).toBe(canReceive);
    expect(member.isOpen()).toBe(true);
  }
  expect(undelivered).toHaveLength(2);
  expect(servers.map((server) => server.sessions.size)).toEqual([4, 1, 1]);
  expect(servers.map(({ counters }) => counters.errors.get('YODEL_UNENCODABLE_MESSAGE'))).toEqual([
    2,
    undefined,
    undefined,
  ]);
});
