/** Text protocols whose lines say how many bytes follow them: memcached and NATS. */
import type { Framing } from '../framing.ts';
import { binaryFraming, idOf } from './fixed.ts';
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
 */
export const natsRequests: Framing = framingOf(idOf('nats', 'requests'), (line) => {
  const [, size] = /^H?PUB[ \t].*[ \t](\d{1,10})[ \t]*$/i.exec(line) ?? [];
  return size === undefined ? last : dataOf(size);
});

export const natsReplies: Framing = framingOf(idOf('nats', 'replies'), (line) => {
  const [, size] = /^H?MSG[ \t].*[ \t](\d{1,10})[ \t]*$/i.exec(line) ?? [];
  return size === undefined ? last : dataOf(size);
});
