/** Text protocols whose lines say how many bytes follow them: memcached and NATS. */
import type { Framing } from '../framing.ts';
import type { Protocol } from '../protocol.ts';
import { EncryptableScanner, type Encryption, encryptableEncoder, handshake } from './encrypted.ts';
import { binaryFraming, idOf, withErrors } from './fixed.ts';
import { LineGroups, type LineRule, last, lineEncoder, lineReader, more } from './line-groups.ts';

function framingOf(id: ReturnType<typeof idOf>, rule: LineRule): Framing {
  const reader = lineReader(id);
  return binaryFraming(
    id,
    () => new LineGroups(reader, () => rule),
    lineEncoder(reader, () => rule),
  );
}

/** Bytes of data, with the CRLF after them. */
function dataOf(digits: string | undefined): { readonly isLast: true; readonly data: number } {
  return { isLast: true, data: Number(digits) + 2 };
}

/**
 * memcached's text protocol (doc/protocol.txt): a storage command is one message with its data, and so is a retrieval's
 * whole reply.
 *
 * ```
 * set k 0 0 5\r\nhello\r\n                       one request
 * VALUE k 0 5\r\nhello\r\nEND\r\n                one reply
 * ```
 */
export const memcachedRequests: Framing = framingOf(idOf('memcached', 'requests'), (line) => {
  const [, size, metaSize] =
    /^(?:(?:set|add|replace|append|prepend|cas) \S+ \S+ \S+ (\d{1,10})|ms \S+ (\d{1,10}))(?: |$)/.exec(line) ?? [];
  const digits = size ?? metaSize;
  return digits === undefined ? last : dataOf(digits);
});

export const memcachedReplies: Framing = framingOf(idOf('memcached', 'replies'), (line) => {
  const [, size] = /^VALUE \S+ \S+ (\d{1,10})(?: |$)/.exec(line) ?? [];
  if (size !== undefined) return { isLast: false, data: Number(size) + 2 };
  const [, metaSize] = /^VA (\d{1,10})(?: |$)/.exec(line) ?? [];
  if (metaSize !== undefined) return dataOf(metaSize);
  return /^(?:STAT|ITEM) /.test(line) ? more : last;
});

/**
 * NATS (https://docs.nats.io/reference/reference-protocols/nats-protocol): lines; PUB, HPUB, MSG and HMSG are one message
 * with their payload.
 *
 * ```
 * PUB greet 5\r\nhello\r\n                       one message
 * ```
 *
 * A client begins TLS without a request for it. From then on, the bytes are passed on as they arrive.
 */
export const nats: Protocol = {
  name: 'nats',
  framing: encryptable(idOf('nats', 'requests'), (line) => {
    const [, size] = /^H?PUB[ \t].*[ \t](\d{1,10})[ \t]*$/i.exec(line) ?? [];
    return size === undefined ? last : dataOf(size);
  }),
  replyFraming: withErrors(encryptable(idOf('nats', 'replies'), messageRule), (reason) => `-ERR '${reason}'`),
  encoding: 'binary',
  createState: (): Encryption => ({ isEncrypted: false }),
  greeting: 1,
  errorPattern: /^-ERR/,
};

function messageRule(line: string) {
  const [, size] = /^H?MSG[ \t].*[ \t](\d{1,10})[ \t]*$/i.exec(line) ?? [];
  return size === undefined ? last : dataOf(size);
}

/** The same as {@link framingOf}, for a connection on which a line may begin with TLS instead. */
function encryptable(id: ReturnType<typeof idOf>, rule: LineRule): Framing {
  const lines = lineReader(id);
  const isEncrypted = (bytes: Buffer, start: number) => bytes[start] === handshake;
  const reader = {
    ...lines,
    payloadEnd: (bytes: Buffer, start: number, end: number) =>
      isEncrypted(bytes, start) ? end : lines.payloadEnd(bytes, start, end),
  };
  const encoder = lineEncoder(reader, () => rule);
  const createScanner = (state: Encryption = { isEncrypted: false }, limit: number) => {
    const scanner = new LineGroups(reader, () => rule);
    return new EncryptableScanner({ scanner, isEncrypted, endsWith: () => false }, id, state, limit);
  };
  return {
    ...binaryFraming(id, createScanner, encoder),
    createEncoder: (state) => encryptableEncoder(encoder, state as Encryption),
  };
}
