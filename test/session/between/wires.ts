/** Every framing and protocol that messages are passed on to and from, with what can always be sent there. */

import type { Framing } from '../../../src/framing/framing.ts';
import { Message } from '../../../src/framing/message.ts';
import { parseFraming } from '../../../src/framing/notation.ts';
import { defineFraming } from '../../../src/framing/own/define.ts';
import type { Protocol } from '../../../src/framing/protocol.ts';
import { protocols } from '../../../src/framing/protocols/protocols.ts';
import { websocket, websocketClient } from '../../../src/framing/websocket.ts';
import { changing, prefixed, stuffed, summed, varied } from '../../framing/own/framings.ts';

/** One end of a room. */
export interface Wire {
  readonly name: string;
  readonly protocol: Protocol;
  /** The framings of a connection that has its own: of the client's end and of the server's. */
  readonly own?: readonly [client: Framing, server: Framing];
  /** What a client says first, so that others may follow. */
  readonly opening?: Message;
  /** A request and a reply that can be sent after any other message. */
  readonly fine: readonly [request: Message, reply: Message];
  /** Whether it carries every payload. */
  readonly takesAll: boolean;
  /** Whether the boundaries of messages are lost. */
  readonly isRaw: boolean;
}

const word = Message.of('fine');

function wire(name: string, framing: Framing, parts: Partial<Wire> = {}): Wire {
  const protocol = { framing, replyFraming: framing, encoding: 'binary' } as const;
  return { name, protocol, fine: [word, word], takesAll: false, isRaw: false, ...parts };
}

const notations = [
  'lines',
  'delimiter:\\0',
  'delimiter:||',
  'delimiters:\\0,\\n,||',
  'between:\\x02,\\x03',
  'between:\\x0b,\\x1c\\r,gap=\\r\\n',
  'between:\\x10\\x02,\\x10\\x03,escape=\\x10',
  'between:\\x02,\\x03,escape=\\x1b',
  'length:1',
  'length:2',
  'length:3,little',
  'length:8',
  'length:4,digits',
  'length:2,bcd',
  'length:varint',
  'length:2,offset=4,after=1,counts=rest',
  'length:2,offset=2',
  'length:4,offset=1,inclusive',
  'slip',
  'cobs',
  'netstring',
  'octet-counted',
  'octet-counted:mixed',
  'resp',
  'resp:inline',
  'headers',
  'headers:max=64',
  'until(lines,/^END$/)',
  'until(length:1,/^END$/)',
  'raw',
];

/** Those that carry any payload of less than 100 bytes. */
const open = /^(?:length|headers|raw|cobs|netstring)|escape=/;

const end = Message.of('END');
const ok = Message.of('+OK\r\n');
const startup = Message.of(Uint8Array.of(0, 3, 0, 0, 0));
const typed = Message.of('fine', { header: Buffer.from('Z') });
const framed = Message.of('fine', { header: Uint8Array.of(1, 0, 1) });
const command = Message.of('fine', { header: Buffer.from('SEND\ndestination:/fine\n') });

function pair(request: string, reply: string): Pick<Wire, 'fine'> {
  return { fine: [Message.of(request), Message.of(reply)] };
}

/** What can be sent in protocols where not every text is a message. */
const particulars: Readonly<Record<string, Partial<Wire>>> = {
  amqp: { fine: [framed, framed] },
  ftp: pair('NOOP', '200 fine'),
  memcached: pair('version', 'VERSION fine'),
  nats: pair('PING', 'PONG'),
  nntp: pair('DATE', '111 fine'),
  pop3: pair('NOOP', '+OK fine'),
  postgres: { opening: startup, fine: [typed, typed] },
  redis: pair('+OK\r\n', '+OK\r\n'),
  smtp: pair('NOOP', '250 fine'),
  stomp: { fine: [command, command] },
};

export const wires: readonly Wire[] = [
  ...notations.map((notation) =>
    wire(notation, parseFraming(notation), {
      takesAll: open.test(notation),
      isRaw: notation === 'raw',
      ...(notation.startsWith('until') && { fine: [end, end] }),
      ...(notation.startsWith('resp') && { fine: [ok, ok] }),
    }),
  ),
  wire('websocket', websocket, { own: [websocketClient, websocket], takesAll: true }),
  ...[prefixed, stuffed].map((own) => wire(`own:${own.name}`, defineFraming(own), { takesAll: true })),
  ...[summed, varied, changing].map((own) => wire(`own:${own.name}`, defineFraming(own))),
  ...protocols.map((protocol) => ({
    ...{ name: protocol.name, protocol, fine: [word, word] as const, takesAll: false, isRaw: false },
    ...particulars[protocol.name],
  })),
];

/** The wire with this name. */
export function wireNamed(name: string): Wire {
  return wires.find((one) => one.name === name) as Wire;
}
