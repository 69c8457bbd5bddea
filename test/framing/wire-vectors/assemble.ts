/**
 * Writes the frames of the wire vectors from header and payload, in the most direct way and by the protocols'
 * specifications. Shares no code with `src/framing/`, against which it can be compared.
 */
import type { WireMessage, WireVector } from './read.ts';

/** The stream that a vector's messages make. */
export function assemble({ protocol, messages, rest }: WireVector): Buffer {
  return Buffer.concat([...messages.flatMap((message) => [message.before, frameOf(protocol, message)]), rest]);
}

/** A message on the wire of a protocol. */
export function frameOf(protocol: string, message: WireMessage): Buffer {
  const write = writers[protocol];
  if (!write) throw new Error(`no writer for ${protocol}`);
  return write(message);
}

type Writer = (message: WireMessage) => Buffer;

const crlf = Buffer.from('\r\n');
const nothing = Buffer.alloc(0);

const ended: Writer = ({ payload, end }) => Buffer.concat([payload, end ?? crlf]);
const whole: Writer = ({ payload }) => payload;
const between =
  (start: string, end: string): Writer =>
  ({ payload }) =>
    Buffer.concat([Buffer.from(start, 'hex'), payload, Buffer.from(end, 'hex')]);
const octetCounted: Writer = ({ payload }) => Buffer.concat([Buffer.from(`${payload.length} `), payload]);

interface Field {
  readonly size: number;
  readonly isLittle?: boolean;
  /** How many bytes of the header stand before the length; the others stand behind it. */
  readonly before?: number;
  /** Added to the payload's length. */
  readonly add?: number;
}

function counted({ size, isLittle = false, before = 0, add = 0 }: Field): Writer {
  return ({ header = nothing, payload }) => {
    const length = Buffer.alloc(size);
    if (isLittle) length.writeUIntLE(payload.length + add, 0, size);
    else length.writeUIntBE(payload.length + add, 0, size);
    return Buffer.concat([header.subarray(0, before), length, header.subarray(before), payload]);
  };
}

/** Seven bits in each byte, the lowest first. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

const digits: Writer = ({ payload }) => Buffer.concat([Buffer.from(String(payload.length).padStart(4, '0')), payload]);
const bcd: Writer = ({ payload }) =>
  Buffer.concat([Buffer.from(String(payload.length).padStart(4, '0'), 'hex'), payload]);

/** Typed, except for what opens a connection and the one byte that answers an SSLRequest. */
const postgres: Writer = (message) =>
  message.header
    ? counted({ size: 4, before: 1, add: 4 })(message)
    : message.payload.length === 1
      ? message.payload
      : counted({ size: 4, add: 4 })(message);

const mqtt: Writer = ({ header = nothing, payload }) => Buffer.concat([header, varint(payload.length), payload]);

const amqp: Writer = (message) =>
  message.header
    ? Buffer.concat([counted({ size: 4, before: 3 })(message), Buffer.from([0xce])])
    : Buffer.from('AMQP\0\0\x09\x01', 'latin1');

/** Header lines, with the one that gives the length put back in its place. */
function withLength({ header = nothing, payload, lengthAt }: WireMessage, line: (length: number) => string): Buffer {
  const lines = header.toString('latin1').split(/(?<=\n)/);
  if (lines.at(-1) === '') lines.pop();
  if (lengthAt !== undefined) lines.splice(lengthAt, 0, line(payload.length));
  return Buffer.from(lines.join(''), 'latin1');
}

const headers: Writer = (message) => {
  const { payload, lengthName = 'Content-Length' } = message;
  return Buffer.concat([withLength(message, (length) => `${lengthName}: ${length}\r\n`), crlf, payload]);
};

const stomp: Writer = (message) => {
  if (message.end) return message.end;
  const lineEnd = message.header?.includes('\r\n') ? '\r\n' : '\n';
  const lines = withLength(message, (length) => `content-length:${length}${lineEnd}`);
  return Buffer.concat([lines, Buffer.from(lineEnd), message.payload, Buffer.alloc(1)]);
};

/** A line, a reply of several, or a text with its dots hidden behind dots. */
const lineOrMail: Writer = (message) => {
  if (message.kind !== 'mail') return ended(message);
  const text = message.payload.toString('latin1').replace(/^\./gm, '..');
  return Buffer.from(text === '' ? '.\r\n' : `${text}\r\n.\r\n`, 'latin1');
};

const fix: Writer = ({ header = nothing, payload }) => {
  const body = Buffer.concat([header, Buffer.from(`9=${payload.length}\x01`), payload]);
  const sum = body.reduce((total, byte) => total + byte, 0) % 256;
  return Buffer.concat([body, Buffer.from(`10=${String(sum).padStart(3, '0')}\x01`)]);
};

/** 0x78 0x78 and one length byte, or 0x79 0x79 and two. The last two bytes of the payload are its checksum. */
const gt06: Writer = ({ header = nothing, payload }) => {
  const isLong = header[0] === 0x79;
  const frame = counted({ size: isLong ? 2 : 1, before: 2 })({ header, payload } as WireMessage);
  const sum = Buffer.alloc(2);
  sum.writeUInt16BE(crcX25(frame.subarray(2, -2)));
  return Buffer.concat([frame.subarray(0, -2), sum, crlf]);
};

function crcX25(bytes: Uint8Array): number {
  let rest = 0xffff;
  for (const byte of bytes) {
    rest ^= byte;
    for (let bit = 0; bit < 8; bit += 1) rest = rest & 1 ? (rest >> 1) ^ 0x8408 : rest >> 1;
  }
  return rest ^ 0xffff;
}

function escaped(payload: Uint8Array, escapes: Readonly<Record<number, readonly number[]>>): Buffer {
  return Buffer.from([...payload].flatMap((byte) => escapes[byte] ?? [byte]));
}

const slip: Writer = ({ payload }) =>
  Buffer.from([...escaped(payload, { 192: [0xdb, 0xdc], 219: [0xdb, 0xdd] }), 0xc0]);

function dle(start: string): Writer {
  return ({ payload }) => between(start, '1003')({ payload: escaped(payload, { 16: [0x10, 0x10] }) } as WireMessage);
}

/** Groups of at most 254 bytes without a zero, each behind its size plus one. */
const cobs: Writer = ({ payload }) => {
  const out: number[] = [];
  let group: number[] = [];
  const close = () => {
    out.push(group.length + 1, ...group);
    group = [];
  };
  let isFull = false;
  for (const byte of payload) {
    if (isFull) close();
    isFull = false;
    if (byte === 0) close();
    else group.push(byte);
    isFull = group.length === 254;
  }
  close();
  return Buffer.from([...out, 0]);
};

const opcodes = { continuation: 0, text: 1, binary: 2, close: 8, ping: 9, pong: 10 };

const websocket: Writer = ({ payload, frames = [] }) => {
  let at = 0;
  return Buffer.concat(
    frames.map(({ opcode, final, mask, length }) => {
      const data = payload.subarray(at, at + length);
      at += length;
      const short = length < 126 ? length : length < 65_536 ? 126 : 127;
      const long = Buffer.alloc(short === 126 ? 2 : short === 127 ? 8 : 0);
      if (long.length > 0) long.writeUIntBE(length, long.length === 8 ? 2 : 0, long.length === 8 ? 6 : 2);
      const head = Buffer.from([opcodes[opcode] + (final ? 128 : 0), short + (mask ? 128 : 0)]);
      const key = Buffer.from(mask ?? '', 'hex');
      const sent = mask ? data.map((byte, index) => byte ^ (key[index % 4] ?? 0)) : data;
      return Buffer.concat([head, long, key, sent]);
    }),
  );
};

const writers: Readonly<Record<string, Writer>> = {
  lines: ended,
  nmea: ended,
  'tracker-text': ended,
  'syslog-lf': ended,
  'syslog-nul': ended,
  'syslog-nul-or-lf': ended,
  'syslog-octet-counted': octetCounted,
  'syslog-mixed': (message) => (message.end ? ended(message) : octetCounted(message)),
  netstring: ({ payload }) => Buffer.concat([Buffer.from(`${payload.length}:`), payload, Buffer.from(',')]),
  smpp: counted({ size: 4, add: 4 }),
  mongodb: counted({ size: 4, isLittle: true, add: 4 }),
  kafka: counted({ size: 4 }),
  modbus: counted({ size: 2, before: 4, add: 1 }),
  dns: counted({ size: 2 }),
  'iso8583-binary': counted({ size: 2 }),
  'iso8583-digits': digits,
  'iso8583-bcd': bcd,
  tpkt: counted({ size: 2, before: 2, add: 4 }),
  bgp: counted({ size: 2, before: 16, add: 19 }),
  'memcached-binary': counted({ size: 4, before: 8 }),
  mysql: counted({ size: 3, isLittle: true }),
  amqp,
  postgres,
  mqtt,
  'protobuf-delimited': ({ payload }) => Buffer.concat([varint(payload.length), payload]),
  lsp: headers,
  dap: headers,
  mcp: headers,
  mllp: between('0b', '1c0d'),
  'stx-etx': between('02', '03'),
  'dle-stx': dle('1002'),
  tsip: dle('10'),
  stomp,
  fix,
  gt06,
  slip,
  cobs,
  resp2: whole,
  'resp2-inline': (message) => (message.end ? ended : whole)(message),
  resp3: whole,
  smtp: lineOrMail,
  ftp: ended,
  pop3: ended,
  nntp: lineOrMail,
  memcached: ended,
  websocket,
};
