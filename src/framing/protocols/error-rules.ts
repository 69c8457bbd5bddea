/**
 * Which replies report errors, in protocols that have the same framing for everything. Those whose framing has more to know
 * say it themselves. A protocol that is missing here has no errors that a single message shows, or no replies.
 */
import type { Protocol } from '../protocol.ts';

type Rules = Pick<Protocol, 'errorPattern' | 'errorSubject'>;

/** The DNS response codes FORMERR, SERVFAIL, NOTIMP and REFUSED, in all bytes that contain them. A name that does not exist is an answer. */
const dnsCodes = [1, 2, 4, 5]
  .flatMap((code) => [0x00, 0x10, 0x20, 0x30, 0x80, 0x90, 0xa0, 0xb0].map((flags) => flags + code))
  .map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`)
  .join('');

/** A pattern for bytes, each of which is one character: `.` matches any. */
function bytes(source: string): RegExp {
  return new RegExp(source, 's');
}

/** By the name of the protocol. Each byte is one character. */
export const errorRules: Readonly<Record<string, Rules>> = {
  // The methods connection.close and channel.close.
  amqp: { errorPattern: bytes(String.raw`^\x01..\0(?:\x0a\0\x32|\x14\0\x28)`), errorSubject: 'message' },
  // NOTIFICATION.
  bgp: { errorPattern: bytes(String.raw`^\xff{16}\x03`), errorSubject: 'message' },
  // The opcode ERROR of a response.
  cassandra: { errorPattern: bytes(String.raw`^[\x80-\xff].{3}\0`), errorSubject: 'message' },
  dap: { errorPattern: bytes(String.raw`"success"\s*:\s*false`) },
  // The E bit of an answer, or a Result-Code from 3000 to 5999.
  diameter: {
    errorPattern: bytes(String.raw`^[\x20\x30\x60\x70]|^[^\x80-\xff].*\0\0\x01\x0c.\0\0\x0c\0\0[\x0b-\x17].`),
  },
  dns: { errorPattern: bytes(`^..[\\x80-\\xff][${dnsCodes}]`) },
  // Reject, order cancel reject, business message reject, market data request reject; an execution report with status rejected.
  fix: { errorPattern: bytes(String.raw`^35=(?:[39jY]|8\x01(?:.*\x01)?39=8)\x01`) },
  lsp: { errorPattern: bytes(String.raw`"error"\s*:\s*\{\s*"(?:code|message)"\s*:`) },
  // A status other than success, key not found, key exists, and not stored, which are answers in the text protocol, too.
  'memcached-binary': { errorPattern: bytes(String.raw`^\x81.{5}(?!\0[\0\x01\x02\x05])`), errorSubject: 'message' },
  // The acknowledgements AE, AR, CE and CR.
  mllp: { errorPattern: bytes(String.raw`(?:^|\r)MSA[^\r][AC][ER](?:[^\rA-Z]|\r|$)`) },
  // A function code with the highest bit set.
  modbus: { errorPattern: bytes(String.raw`^[\x80-\xff]`) },
  // The field "ok" is 0, as a double or as an integer.
  mongodb: { errorPattern: bytes(String.raw`\x01ok\0{9}|\x10ok\0{5}`) },
  // CONNACK and DISCONNECT with a reason; SUBACK, UNSUBACK and acknowledgements with a failure code.
  mqtt: {
    errorPattern: bytes(
      String.raw`^(?:\x20.[^\0]|\xe0[\x80-\xff]|[\x40\x50\x62\x70]..[\x80-\xff]|[\x90\xb0]..(?:.*)[\x80-\xff])`,
    ),
    errorSubject: 'message',
  },
  smpp: { errorPattern: bytes(String.raw`^\x80.{3}(?!\0{4})`) },
  stomp: { errorPattern: bytes(String.raw`^ERROR\r?\n`), errorSubject: 'message' },
  // An exception, in the binary and the compact protocol.
  thrift: { errorPattern: bytes(String.raw`^(?:\x80\x01\0\x03|\x82\x61)`) },
};
