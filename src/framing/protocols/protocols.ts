/** The protocols that are known by name. Most are data: a framing for each direction. */
import { YodelError } from '../../errors.ts';
import { hintFor } from '../../suggestion.ts';
import { headers } from '../counted/headers.ts';
import { length } from '../counted/length.ts';
import { octetCounted } from '../counted/octet-counted.ts';
import { between } from '../delimited/between.ts';
import { delimiter } from '../delimited/delimiter.ts';
import { lines } from '../delimited/lines.ts';
import type { Framing } from '../framing.ts';
import { resp } from '../grouped/resp.ts';
import { ownProtocol } from '../known.ts';
import type { Protocol } from '../protocol.ts';
import { amqp } from './amqp.ts';
import { memcachedReplies, memcachedRequests, nats } from './counted-data.ts';
import { errorRules } from './error-rules.ts';
import { fix } from './fix.ts';
import { withErrors } from './fixed.ts';
import { gt06 } from './gt06.ts';
import { ftp, nntp, pop3, smtp } from './mail.ts';
import { mysql } from './mysql.ts';
import { postgres } from './postgres.ts';
import { stomp } from './stomp.ts';

/** The names of the protocols. For text that comes from elsewhere, such as a setting, use {@link protocolNamed}. */
export type ProtocolName =
  | 'amqp'
  | 'bgp'
  | 'cassandra'
  | 'dap'
  | 'diameter'
  | 'dns'
  | 'fix'
  | 'ftp'
  | 'gelf'
  | 'gt06'
  | 'iso8583'
  | 'kafka'
  | 'lsp'
  | 'memcached'
  | 'memcached-binary'
  | 'mllp'
  | 'modbus'
  | 'mongodb'
  | 'mqtt'
  | 'mysql'
  | 'nats'
  | 'nmea'
  | 'nntp'
  | 'pop3'
  | 'postgres'
  | 'protobuf'
  | 'redis'
  | 'smpp'
  | 'smtp'
  | 'stomp'
  | 'syslog'
  | 'thrift'
  | 'tpkt';

/** A protocol with a name, and what it is, for lists. */
export interface NamedProtocol extends Protocol {
  readonly name: ProtocolName;
  /** What it is, and what a message of it is. */
  readonly about: string;
}

/** A protocol that has the same framing in both directions, and no message for errors of its own. */
function same(name: ProtocolName, framing: Framing, about: string): NamedProtocol {
  const replyFraming = withErrors(framing, () => undefined);
  return { name, framing, replyFraming, encoding: 'binary', ...errorRules[name], about };
}

/** The same, for text that is checked to be UTF-8. */
function text(name: ProtocolName, framing: Framing, about: string): NamedProtocol {
  return { ...same(name, framing, about), encoding: 'utf8' };
}

function known(protocol: Protocol, about: string): NamedProtocol {
  return { ...protocol, name: protocol.name as ProtocolName, about };
}

/** In alphabetical order. */
export const protocols: readonly NamedProtocol[] = [
  same('amqp', amqp, 'AMQP 0-9-1: frames with type and channel as header'),
  same(
    'bgp',
    length({ bytes: 2, offset: 16, after: 1, counts: 'frame' }),
    'BGP-4: messages with marker and type as header',
  ),
  same('cassandra', length({ offset: 5 }), 'CQL of Cassandra: frames with version, flags, stream and opcode as header'),
  text('dap', headers(), 'the Debug Adapter Protocol: JSON after header lines'),
  same('diameter', length({ bytes: 3, offset: 1, counts: 'frame' }), 'Diameter: messages with the version as header'),
  same('dns', length({ bytes: 2 }), 'DNS over TCP'),
  same('fix', fix, 'FIX: messages with BeginString as header; length and checksum are checked'),
  known(ftp, 'FTP, the control connection: lines; a reply is all its lines'),
  same('gelf', delimiter('\0'), 'GELF over TCP: JSON that ends with NUL'),
  same('gt06', gt06, 'GT06 trackers: messages with the start bytes as header'),
  same('iso8583', length({ bytes: 2 }), 'ISO 8583 after a length of two bytes'),
  same('kafka', length(), 'Kafka'),
  text('lsp', headers(), 'the Language Server Protocol: JSON after header lines'),
  {
    ...{
      name: 'memcached',
      framing: memcachedRequests,
      replyFraming: withErrors(memcachedReplies, (reason) => `CLIENT_ERROR ${reason}`),
      encoding: 'binary',
    },
    errorPattern: /^(?:ERROR|CLIENT_ERROR|SERVER_ERROR)/,
    about: 'memcached, the text protocol: commands with their data; a reply is everything up to END',
  },
  same(
    'memcached-binary',
    length({ offset: 8, after: 12 }),
    'memcached, the binary protocol: messages with the fields around the length as header',
  ),
  same('mllp', between('\x0b', '\x1c\r', { gap: '\r\n' }), 'HL7 in MLLP: messages between 0x0b and 0x1c 0x0d'),
  same(
    'modbus',
    length({ bytes: 2, offset: 4, after: 1, counts: 'rest' }),
    'Modbus/TCP: messages with transaction, protocol and unit as header',
  ),
  same('mongodb', length({ endian: 'little', counts: 'self' }), 'MongoDB'),
  same(
    'mqtt',
    length({ format: 'varint', bytes: 4, offset: 1 }),
    'MQTT 3 and 5: packets with type and flags as header',
  ),
  known(mysql, 'MySQL: packets with the sequence number as header'),
  known(nats, 'NATS: lines; PUB and MSG are one message with their payload'),
  same('nmea', lines({ crlf: true }), 'NMEA 0183 and AIS: lines'),
  known(nntp, 'NNTP: lines; a reply is all its lines, an article one message'),
  known(pop3, 'POP3: lines; a reply is all its lines'),
  known(postgres, 'PostgreSQL: messages with their type as header'),
  same('protobuf', length({ format: 'varint' }), 'delimited Protocol Buffers'),
  {
    ...{ name: 'redis', framing: resp({ inline: true }), replyFraming: resp(), encoding: 'binary' },
    errorPattern: /^[-!]/,
    about: 'Redis (RESP2 and RESP3): a value is a message; commands may be typed as a line',
  },
  same('smpp', length({ counts: 'self' }), 'SMPP'),
  known(smtp, 'SMTP: lines; a reply is all its lines, a mail one message'),
  same('stomp', stomp, 'STOMP: frames with command and headers as header'),
  same('syslog', octetCounted({ mixed: true }), 'syslog over TCP: counted messages and lines, also mixed'),
  same('thrift', length(), 'Thrift, framed'),
  same('tpkt', length({ bytes: 2, offset: 2, counts: 'frame' }), 'TPKT (RFC 1006): packets with the version as header'),
];

/** @throws YodelError `YODEL_INVALID_OPTION` for a name that is not known */
export function protocolNamed(name: string): Protocol {
  const found = protocols.find((one) => one.name === name) ?? ownProtocol(name);
  if (found) return found;
  const names = protocols.map((one) => one.name);
  throw new YodelError('YODEL_INVALID_OPTION', `unknown protocol "${name}". ${hintFor(name, names)}`);
}
