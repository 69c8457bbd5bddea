/**
 * Batches that are stored at a broker: kept in this form there, and passed on in it on the subject of their room.
 *
 * ```
 * version | 0 | 4 | room: text | id: text | count: 4 | time: 8 | first: 8 | previous at: 8 | previous id: text | messages
 * ```
 *
 * The 0 is an empty name of a node, for such a packet comes from the broker. What the broker adds, when it knows it, is adjacent.
 */
import type { BatchName, NewBatch, StoredBatch } from '../../rooms/stored/store.ts';
import { PacketReader, PacketWriter, textSize } from '../packet-bytes.ts';

const start = [1, 0, 4] as const;

/** The most that a packet has besides messages, and what a broker adds to it. */
export const storedOverhead = 1024;

/** The beginning of the packet of a batch that is to be stored: {@link storedMiddle} and the messages follow. */
export function storedHead({ room, id, count, time }: NewBatch): Buffer {
  const writer = PacketWriter.bare(start.length + textSize(room) + textSize(id) + 4 + 8);
  for (const byte of start) writer.byte(byte);
  return writer.text(room).text(id).int(count).number(time).bytes;
}

/** What is known when the batch is stored. */
export function storedMiddle(first: number, { at, id }: BatchName): Buffer {
  return PacketWriter.bare(8 + 8 + textSize(id))
    .number(first)
    .number(at)
    .text(id).bytes;
}

/** Whether a packet is a stored batch. Those of nodes are not: their names are not empty. */
export function isStoredPacket(bytes: Uint8Array): boolean {
  return start.every((byte, index) => bytes[index] === byte);
}

/**
 * Reads one.
 *
 * @returns the batch, with `at` 0: only the broker knows it. Its bytes are part of the packet
 * @throws RangeError if it is none, ends too early, or has an impossible number or id
 */
export function readStoredPacket(bytes: Buffer): StoredBatch {
  if (!isStoredPacket(bytes)) throw new RangeError('a packet is no stored batch');
  const reader = new PacketReader(bytes.subarray(start.length));
  const [room, id, count, time] = [reader.text(), reader.text(), reader.int(), reader.number()];
  const [first, at] = [reader.number(), reader.number()];
  const previous = { at, id: reader.text() };
  if (first < 1 || count < 1 || !Number.isSafeInteger(first + count)) throw impossible('number');
  if (!idForm.test(id) || (previous.id !== '' && !idForm.test(previous.id))) throw impossible('id');
  return { room, id, count, time, first, previous, at: 0, bytes: reader.rest() };
}

/** See {@link NewBatch.id}. */
const idForm = /^[\w-]{16}$/;

function impossible(what: string): RangeError {
  return new RangeError(`a packet has an impossible ${what}`);
}
