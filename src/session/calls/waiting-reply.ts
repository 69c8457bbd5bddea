/** Replies that wait for those of earlier messages. */
import type { Reply } from '../../codec/reply.ts';
import { isBatch, isMessage } from '../../framing/message.ts';
import { ownCopy } from '../../framing/slices.ts';

/** What a reply costs while it waits, besides its bytes. */
const entryCost = 128;

/** The reply in memory of its own: what it was made of may be borrowed, or used for the next one. */
export function keptReply(reply: Reply): Reply {
  if (typeof reply !== 'object' || reply === null) return reply;
  if (reply instanceof Uint8Array) return ownCopy(reply);
  if (isMessage(reply)) return reply.kept();
  if (isBatch(reply)) return reply.copied();
  return Array.isArray(reply) ? (reply as readonly Reply[]).map(keptReply) : reply;
}

/** Bytes of memory that a reply costs while it waits. */
export function costOf(reply: Reply): number {
  return entryCost + sizeOf(reply);
}

function sizeOf(reply: Reply): number {
  // As in the outbox, text counts in UTF-16 units.
  if (typeof reply === 'string') return reply.length;
  if (typeof reply !== 'object' || reply === null) return 0;
  if (reply instanceof Uint8Array) return reply.length;
  if (isMessage(reply)) return reply.size;
  if (isBatch(reply)) return reply.byteLength;
  if (!Array.isArray(reply)) return 0;
  return (reply as readonly Reply[]).reduce<number>((total, one) => total + costOf(one), 0);
}
